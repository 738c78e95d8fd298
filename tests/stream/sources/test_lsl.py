"""LSL in, against real outlets in other processes: devices that are found, that come and go, and that fall silent."""

import sys
import threading
import time
from itertools import pairwise

import numpy as np
import psutil
import pytest

from engine.errors import UsageError
from stream import liblsl
from stream.address import LslAddress
from stream.channels import Channel
from stream.sources.announced import ANNOUNCED, Search, streams
from stream.sources.connection import Clock
from stream.sources.lsl import HINT, Inlet, find
from tests.stream.sources.devices import Device, Taking, found, hurried, infos, patch, refusal

HEART_RATE = {"name": "Heart rate", "type": "HR", "rate": 0, "channels": [{"label": "HR", "unit": "bpm"}]}
ONE_LEAD = {"name": "Zephyr", "channels": [{"label": "ECG1", "unit": "millivolts", "type": "ECG"}]}
IN_TIME_S = 2.0
"""A device that is announced again is taken up within."""


def resources() -> tuple[int, int]:
    """Threads and descriptors of this process."""
    return psutil.Process().num_threads(), psutil.Process().num_fds()


def test_every_format_is_taken(lsl: dict[str, str]) -> None:
    formats = ("float32", "double64", "int8", "int16", "int32", "int64")
    with Device(lsl, *(patch(f"in {each}", format=each) for each in formats)):
        infos(*(f"in {each}" for each in formats))
        for stream in streams(0.5):
            with Taking(Inlet(stream, stream.choose((), None), infos(stream.name)[stream.name])) as taking:
                taking.wait_for_samples(count=20)
            steps = np.diff(taking.numbers())
            assert ((steps == 1) | ((stream.format == "int8") & (steps == -255))).all(), stream.format


def test_streams_that_share_a_name_or_a_source_id_are_told_apart(lsl: dict[str, str]) -> None:
    alike = [patch("Twin", source_id="a"), patch("Twin", source_id="b"), patch("Other", source_id="b")]
    with Device(lsl, *alike, patch("Same"), patch("Same")):
        said = refusal(LslAddress(name="Twin"), 0.6)
        assert "type lsl://?name=Twin&source_id=a" in said
        assert "type lsl://?name=Twin&source_id=b" in said
        said = refusal(LslAddress(source_id="b"), 0.6)
        assert "type lsl://?name=Twin&source_id=b" in said
        assert "type lsl://Other" in said
        said = refusal(LslAddress(name="Same"), 0.6)
        assert "Same (ECG, 250 Hz, " in said
        assert "another one is alike, stop one of the two" in said
        with Taking(found(LslAddress(name="Twin", source_id="b"))) as taking:
            taking.wait_for_samples()
        assert taking.inlet.stream.source_id == "b"


class Finding:
    """A search in a thread, and what it says."""

    def __init__(self, address: LslAddress) -> None:
        self.inlet: Inlet | None = None
        self.said: list[str] = []
        self.stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._find, args=(address,))
        self._thread.start()

    def wait_for(self, words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.said and words in self.said[-1], 20), self.said

    def end(self, *, stop: bool = False) -> float:
        began = time.monotonic()
        if stop:
            self.stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    def _find(self, address: LslAddress) -> None:
        self.inlet = find(address, (), None, self.stop, self._hear)

    def _hear(self, text: str) -> None:
        with self._changed:
            self.said.append(text)
            self._changed.notify_all()


def test_what_is_waited_for_is_said_and_found_when_it_comes(lsl: dict[str, str]) -> None:
    with hurried(FOUND_S=0.3, SAID_S=0.3):
        finding = Finding(LslAddress(name="Late"))
        finding.wait_for(f"no stream lsl://Late is announced yet; {HINT}")
        with Device(lsl, patch("Early")):
            finding.wait_for(f"no stream lsl://Late is announced yet; found Early; {HINT}")
            with Device(lsl, patch("Late")):
                finding.end()
    assert finding.inlet is not None
    assert finding.inlet.name == "Late"
    assert len(finding.said) == 2


def test_any_stream_is_waited_for_and_those_that_cannot_be_used_are_named(lsl: dict[str, str]) -> None:
    with hurried(FOUND_S=0.3, SAID_S=0.3):
        finding = Finding(LslAddress())
        finding.wait_for("no LSL stream is announced yet")
        with Device(lsl, HEART_RATE, ONE_LEAD):
            finding.wait_for("Zephyr: no channel is said to be a limb lead")
            finding.wait_for("Heart rate: its rate is irregular")
            with Device(lsl, patch()):
                finding.end()
    assert finding.inlet is not None
    assert finding.inlet.name == "Patch"


def test_a_search_ends_when_it_is_stopped() -> None:
    with hurried(SAID_S=0.1):
        finding = Finding(LslAddress(name="Nobody"))
        finding.wait_for("no stream lsl://Nobody")
    assert finding.end(stop=True) < 0.5
    assert finding.inlet is None


def test_stamps_are_the_devices_own_and_the_offset_brings_them_here(lsl: dict[str, str]) -> None:
    with Device(lsl, patch()), Taking(found(LslAddress(name="Patch"))) as taking:
        taking.wait(lambda: sum(each.offset is not None for each in taking.arrivals) > 10)
    for each in taking.arrivals:
        assert each.stamps is not None
        assert each.stamps.shape == (each.samples.shape[1],)
        if each.offset is not None:
            # Both processes have one clock here: what was taken has come soon after, and never before.
            assert -0.005 < each.received - (each.stamps[-1] + each.offset) < 0.5
    assert taking.notices == []


def test_an_end_is_quick_and_leaves_nothing(lsl: dict[str, str]) -> None:
    with hurried(SILENT_S=0.5, SEEN_S=0.2), Device(lsl, patch(), patch("Silent", rate=100)) as device:
        inlet, silent = found(LslAddress(name="Patch")), found(LslAddress(name="Silent"))
        settled(resources())
        before = resources()
        with Taking(inlet) as taking, Taking(silent) as other:
            taking.wait_for_samples()
            other.wait_for_samples()
            device.say("pause")
            other.wait_for_notice("sends nothing")
        assert taking.end() < 0.5
        settled(before)


def settled(at_most: tuple[int, int]) -> None:
    """Wait until this process has no more threads and descriptors than that."""
    until = time.monotonic() + 10
    while any(now > most for now, most in zip(resources(), at_most, strict=True)):
        assert time.monotonic() < until, f"{resources()} threads and descriptors are more than {at_most}"
        time.sleep(0.02)


def restarted(lsl: dict[str, str], times: int) -> None:
    """A device is killed and started again: it is taken up in time, by its name, and nothing grows."""
    with Device(lsl, patch()) as device:
        inlet = found(LslAddress(name="Patch"))
    sessions, took = [], []
    memory = descriptors = 0
    device = Device(lsl, patch())
    with Taking(inlet) as taking:
        try:
            for time_ in range(times):
                sessions.append(taking.wait_for_samples(after=device.up).session)
                took.append(taking.wait_for_samples(after=device.up).received - device.up)
                taking.wait_for_samples(after=device.up, count=25)
                if time_ == 1:
                    memory, descriptors = psutil.Process().memory_info().rss, resources()[1]
                device.kill()
                device = Device(lsl, patch())
            first = taking.wait_for_samples(after=device.up, count=50)
            assert taking.inlet.name == "Patch"
            assert np.all(np.diff(taking.numbers(session=first.session)) == 1)
            settled((resources()[0], descriptors + 2))
            assert psutil.Process().memory_info().rss - memory < 3e6
        finally:
            device.kill()
    assert all(seconds < IN_TIME_S for seconds in took), took
    assert all(after > before for before, after in pairwise(sessions)), sessions


def test_a_device_that_is_started_again_is_taken_up_in_time(lsl: dict[str, str]) -> None:
    restarted(lsl, 3)


@pytest.mark.slow
def test_ten_restarts_leave_nothing(lsl: dict[str, str]) -> None:
    restarted(lsl, 10)


def test_a_lost_device_is_said_to_be_lost_and_to_be_back(lsl: dict[str, str]) -> None:
    with Device(lsl, patch()) as device:
        taking = Taking(found(LslAddress(name="Patch")))
        with taking:
            taking.wait_for_samples()
            device.kill()
            killed = time.monotonic()
            taking.wait_for_notice("Patch is no longer announced: is it off or out of reach?")
            assert time.monotonic() - killed < 3
            with Device(lsl, patch()) as device:
                taking.wait_for_samples(after=device.up)
                assert taking.notices == ["Patch is no longer announced: is it off or out of reach?", ""]


def test_a_new_outlet_is_taken_though_the_old_connection_seems_alive(lsl: dict[str, str]) -> None:
    times = hurried(SILENT_S=0.5, UNSEEN_S=0.5)
    with times, Device(lsl, patch()) as old, Taking(found(LslAddress(name="Patch"))) as taking:
        taking.wait_for_samples()
        old.freeze()  # as a host without power: no connection ends
        taking.wait_for_notice("Patch is no longer announced")
        with Device(lsl, patch()) as new:
            assert taking.wait_for_samples(after=new.up).received - new.up < IN_TIME_S
            assert taking.inlet.name == "Patch"
            assert taking.arrivals[-1].session == 1
            # What comes of the old one later is not mixed in.
            old.thaw()
            taking.wait_for_samples(after=time.monotonic(), count=100)
            assert np.all(np.diff(taking.numbers(session=1)) == 1)
            assert taking.arrivals[-1].session == 1


def test_a_device_that_was_frozen_goes_on_where_it_was(lsl: dict[str, str]) -> None:
    times = hurried(SILENT_S=0.5, UNSEEN_S=0.5)
    with times, Device(lsl, patch()) as device, Taking(found(LslAddress(name="Patch"))) as taking:
        taking.wait_for_samples()
        device.freeze()
        taking.wait_for_notice("Patch is no longer announced")
        device.thaw()
        taking.wait_for_samples(after=time.monotonic(), count=100)
        assert taking.notices[-1] == ""
        assert {each.session for each in taking.arrivals} == {0}
        assert np.all(np.diff(taking.numbers()) == 1)


def test_a_device_that_is_announced_and_sends_nothing_is_connected_to_anew(lsl: dict[str, str]) -> None:
    times = hurried(SILENT_S=0.5, SEEN_S=0.2, ANEW_S=0.4)
    with times, Device(lsl, patch()) as device, Taking(found(LslAddress(name="Patch"))) as taking:
        taking.wait_for_samples()
        device.say("pause")
        taking.wait_for_notice("Patch is announced but sends nothing: connecting anew")
        taking.wait_for_notice("Patch is connected but sends nothing: is its sensor on, and in reach of it?")
        device.say("go")
        last = taking.wait_for_samples(after=time.monotonic(), count=100).session
        assert taking.notices[-1] == ""
        assert last >= 1
        assert np.all(np.diff(taking.numbers(session=last)) == 1)


def test_a_device_that_sends_seldom_is_not_silent(lsl: dict[str, str]) -> None:
    # Each 0.8 s, where half a second is silence.
    times = hurried(SILENT_S=0.5)
    with times, Device(lsl, patch(burst=200)), Taking(found(LslAddress(name="Patch"))) as taking:
        taking.wait_for_samples(count=800)
    assert taking.notices == []
    assert {each.session for each in taking.arrivals} == {0}


def test_a_device_that_comes_back_as_another_one_is_refused(lsl: dict[str, str]) -> None:
    with Device(lsl, patch()) as device:
        taking = Taking(found(LslAddress(name="Patch")))
        with taking:
            taking.wait_for_samples()
            device.kill()
            with Device(lsl, patch(rate=500)) as changed:
                taking.wait_for_notice(
                    "Patch is back with other channels or another rate (500 Hz; 1 I (uV), 2 II (uV), "
                )
                assert all(each.received < changed.up for each in taking.arrivals)
            with Device(lsl, patch()) as device:
                taking.wait_for_samples(after=device.up)
                assert taking.notices[-1] == ""


def test_a_device_of_the_same_name_that_was_there_before_is_not_taken_for_it(lsl: dict[str, str]) -> None:
    times = hurried(UNSEEN_S=0.8)
    with times, Device(lsl, patch()) as device, Taking(found(LslAddress(name="Patch"))) as taking:
        taking.wait(lambda: any(each.offset is not None for each in taking.arrivals))
        with Device(lsl, patch()) as twin:
            taking.wait_for_samples(after=twin.up + 0.8)
            device.kill()
            taking.wait_for_notice("another one of this name is (source id id of Patch): if it is the same device")
            with Device(lsl, patch("Patch", source_id="else")):
                taking.wait(lambda: "source id else" in taking.notices[-1] or ", else)" in taking.notices[-1])
            assert {each.session for each in taking.arrivals} == {0}


class Answers:
    """What LSL finds out of a device's clock, one after the other; None where it is not answered."""

    def __init__(self, *answers: float | None) -> None:
        self.left = list(answers)

    def time_correction(self, timeout: float) -> float:
        assert timeout == 0.0
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if answer is None:
            raise liblsl.load().util.TimeoutError("the operation failed due to a timeout.")
        return answer


def test_a_clock_that_is_not_answered_is_said_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.sources.connection.ASKED_S", 0.0)
    monkeypatch.setattr("stream.sources.connection.UNANSWERED_S", 0.05)
    clock = Clock(Answers(None))
    assert clock.offset() is None
    assert clock.trouble == ""
    time.sleep(0.06)
    assert clock.offset() is None
    assert clock.trouble == (
        "the device's clock cannot be asked (is UDP blocked?); its samples are timed by when they arrive"
    )
    # It answers, and the words are gone; and when it does so no more they are there again, later than at first.
    monkeypatch.setattr("stream.sources.connection.UNANSWERED_AGAIN_S", 0.1)
    clock = Clock(Answers(None, None, 5.0, 5.0, 5.0, 5.0, 6.0))
    clock.offset()
    time.sleep(0.06)
    clock.offset()
    assert "cannot be asked" in clock.trouble
    offset = clock.offset()
    assert offset is not None
    lsl = liblsl.load()
    assert offset == pytest.approx(5 + time.monotonic() - lsl.local_clock(), abs=1e-3)
    assert clock.trouble == ""
    time.sleep(0.06)
    clock.offset()
    assert clock.trouble == ""
    time.sleep(0.06)
    assert clock.offset() == pytest.approx(offset, abs=1e-3)
    assert "is not answered any more" in clock.trouble
    monkeypatch.setattr("stream.sources.connection.OUTDATED_S", 0.1)
    assert clock.offset() is None
    assert clock.offset() == pytest.approx(offset + 1, abs=1e-3)
    assert clock.trouble == ""


def test_a_stream_that_does_not_answer_is_still_listed(lsl: dict[str, str]) -> None:
    with Device(lsl, patch()) as device:
        search, until = Search(), time.monotonic() + 20
        with ANNOUNCED.looking():
            while not ANNOUNCED.infos():
                time.sleep(0.01)
            device.freeze()
            search.look()
            while not search.streams:
                assert time.monotonic() < until
                time.sleep(0.01)
                search.look()
        (stream,) = search.streams.values()
        assert (stream.name, stream.rate, stream.answers) == ("Patch", 250, False)
        assert stream.channels == (Channel(""),) * 3
        device.thaw()


def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(UsageError, match=r"^LSL cannot be used: .*; ecgstream doctor says what to install$"):
        liblsl.load.__wrapped__()
