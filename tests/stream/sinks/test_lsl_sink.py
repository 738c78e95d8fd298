"""What a receiver in another process gets of a broadcast: each number, in time, with its name and unit, and no more."""

import gc
import itertools
import math
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import psutil
import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import SinkError
from engine.leads import DISCLAIMER, LEADS, RATE, Origin
from stream.items import Block, Event, Gap, Kind
from stream.sinks.lsl import JUMP_S, SLOWEST, Broadcast, Stamps, marker

READER = Path(__file__).with_name("lsl_reader.py")
LEADS_IN = ("I", "II", "V4")
LABELS = ["I", "II", "dIII", "daVR", "daVL", "daVF", "dV1", "dV2", "dV3", "V4", "dV5", "dV6"]
HOP = 40
MS = 1e-3


# When samples were taken


def stamped(stamps: Stamps, count: int, *, start: int = 0, now: float = 0.0) -> NDArray[np.float64]:
    """The stamps of so many blocks in a row."""
    return np.concatenate([stamps.of(start + HOP * number, HOP, now) for number in range(count)])


def test_what_is_told_first_is_when_it_was() -> None:
    stamps = Stamps()
    stamps.tell(0, 100.0)
    np.testing.assert_allclose(stamped(stamps, 50), 100 + np.arange(2000) / RATE, rtol=0, atol=1e-9)


def test_before_anything_is_told_a_sample_was_taken_before_it_came() -> None:
    stamps = Stamps(behind_s=0.1)
    assert math.isnan(stamps.at(0))
    np.testing.assert_allclose(stamps.of(0, HOP, now=50.0), 49.9 - np.arange(HOP)[::-1] / RATE, rtol=0, atol=1e-9)
    np.testing.assert_allclose(stamps.of(HOP, HOP, now=70.0), 49.9 + np.arange(1, HOP + 1) / RATE, rtol=0, atol=1e-9)


def test_the_time_told_takes_the_place_of_a_guess_at_once() -> None:
    stamps = Stamps()
    guessed = stamps.of(0, HOP, now=50.0)
    stamps.tell(0, 49.99)
    told = stamps.of(HOP, HOP, now=50.1)
    assert told[0] == pytest.approx(49.99 + HOP / RATE, abs=1e-9)
    assert told[0] > guessed[-1]


def test_a_guess_that_was_too_late_is_left_without_going_back() -> None:
    stamps = Stamps()
    guessed = stamps.of(0, HOP, now=50.0)
    stamps.tell(0, 49.0)
    after = np.concatenate([guessed, stamped(stamps, 200, start=HOP)])
    assert np.diff(after).min() == pytest.approx(SLOWEST / RATE, rel=1e-6)
    assert after[-1] == pytest.approx(49.0 + (len(after) - 1) / RATE, abs=1e-9)


@pytest.mark.parametrize("error", [-0.01, -2e-4, 0.0, 2e-4, 0.01])
def test_a_device_of_another_rate_is_followed_within_a_millisecond(error: float) -> None:
    random = np.random.default_rng(1)
    pace = (1 + error) / RATE
    stamps = Stamps()
    errors = []
    for second in range(60):
        stamps.tell(second * RATE, 100 + second * RATE * pace + random.normal(0, 5e-5))
        for block in range(second * RATE, (second + 1) * RATE, 20):
            errors.append(stamps.of(block, 20, 0.0) - (100 + np.arange(block, block + 20) * pace))
    off = np.abs(np.concatenate(errors))
    assert off[7 * RATE :].max() < 1 * MS


def test_a_small_step_is_come_up_to_within_a_second() -> None:
    for step in (0.02, -0.02):
        stamps = Stamps()
        stamps.tell(0, 100.0)
        before = stamped(stamps, 25)
        stamps.tell(1000, 102.0 + step)
        after = stamped(stamps, 25, start=1000)
        gaps = np.diff(np.concatenate([before, after])) * RATE
        assert abs(gaps - 1).max() == pytest.approx(0.02, abs=1e-6)
        np.testing.assert_allclose(after[RATE:], 102 + step + np.arange(RATE, 1000) / RATE, rtol=0, atol=1e-9)


def test_a_step_forward_is_believed_at_once() -> None:
    stamps = Stamps()
    stamps.tell(0, 100.0)
    before = stamped(stamps, 25)
    stamps.tell(1000, 102.0 + 2 * JUMP_S)
    after = stamps.of(1000, HOP, 0.0)
    assert after[0] - before[-1] == pytest.approx(2 * JUMP_S + 1 / RATE, abs=1e-9)


def test_after_a_gap_the_time_is_right_at_once() -> None:
    stamps = Stamps()
    stamps.tell(0, 100.0)
    stamped(stamps, 25)
    stamps.tell(500, 100.7)
    stamps.tell(1000, 101.7)  # it was ahead by 300 ms
    assert stamps.of(3000, HOP, 0.0)[0] == pytest.approx(105.7, abs=1e-9)


def test_a_step_of_the_clock_says_nothing_of_the_rate() -> None:
    stamps = Stamps()
    for second in range(8):
        stamps.tell(second * RATE, 100.0 + second + 0.3 * (second >= 4))
        stamped(stamps, 10, start=second * RATE)
    np.testing.assert_allclose(np.diff(stamps.of(8 * RATE, RATE, 0.0)), 1 / RATE, rtol=1e-9)


def test_what_is_not_finite_is_not_told() -> None:
    stamps = Stamps()
    stamps.tell(0, 100.0)
    stamps.tell(500, math.nan)
    assert stamps.at(500) == pytest.approx(101.0)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 700), st.integers(0, 2000), st.one_of(st.none(), st.floats(-5, 5)), st.integers(-2000, 2000)
        ),
        min_size=1,
        max_size=60,
    )
)
def test_stamps_never_go_back_whatever_is_told(steps: list[tuple[int, int, float | None, int]]) -> None:
    stamps = Stamps(0.1)
    index, newest = 0, -math.inf
    for length, gap, error, lag in steps:
        if error is not None:
            stamps.tell(index + lag, 1000 + (index + lag) / RATE + error)
        some = stamps.of(index + gap, length, 1000 + index / RATE)
        assert some[0] > newest
        assert (np.diff(some) > 0.8 / RATE).all()
        newest = some[-1]
        index += gap + length


# What is sent


@dataclass
class Received:
    """What the other process got of one stream."""

    samples: NDArray[np.float32]
    stamps: NDArray[np.float64]
    about: ElementTree.Element

    def each(self, what: str) -> list[str | None]:
        """A property of all its channels."""
        return [channel.findtext(what) for channel in self.about.iterfind("desc/channels/channel")]


class Receiver:
    """A process that receives."""

    def __init__(self, name: str, folder: Path) -> None:
        self._out = folder / "received.npz"
        self.process = subprocess.Popen([sys.executable, READER, name, self._out], stdout=subprocess.PIPE, text=True)

    def wait(self) -> None:
        """Return when it listens."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def received(self) -> dict[str, Received]:
        """All that it got, once the streams have gone."""
        assert self.process.wait(30) == 0
        with np.load(self._out) as found:
            return {
                each: Received(
                    found[each], found[f"{each}_stamps"], ElementTree.fromstring(str(found[f"{each}_about"]))
                )
                for each in ("leads", "widths", "events")
            }


@pytest.fixture
def name() -> str:
    return f"twelve {uuid.uuid4().hex[:8]}"


@pytest.fixture
def receiver(name: str, tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(name, tmp_path)
    yield receiver
    if receiver.process.poll() is None:
        receiver.process.kill()
    receiver.process.wait(10)
    assert receiver.process.stdout is not None
    receiver.process.stdout.close()


def broadcast(name: str) -> Broadcast:
    return Broadcast(name, leads_in=LEADS_IN, model="unet 1", look_ahead_ms=98, source="Patch über LSL", synthetic=True)


def block(start: int, length: int = HOP) -> Block:
    """Every number of it is another, so that none can stand for another."""
    leads = (start + np.arange(length) + 1e6 * np.arange(12)[:, None]).astype(np.float32) / np.float32(1024)
    origin = np.full((12, length), Origin.ESTIMATED, np.uint8)
    origin[2:6] = Origin.COMPUTED
    origin[[LEADS.index(lead) for lead in LEADS_IN]] = Origin.MEASURED
    return Block(start, leads, np.where(origin == Origin.ESTIMATED, leads / 8, 0).astype(np.float32), origin)


def test_every_number_arrives_in_time_and_gaps_are_gaps(name: str, receiver: Receiver) -> None:
    sink = broadcast(name)
    receiver.wait()
    began = time.time() - 60
    offset = pylsl.local_clock() - time.time()
    blocks = [block(start) for start in (*range(0, 2000, HOP), *range(5000, 7000, HOP))]
    sink.push(Event(0, Kind.TIME, value=began))
    for each in blocks:
        if each.start == 5000:
            sink.push(Gap(2000, 3000))
            sink.push(Event(5000, Kind.TIME, value=began + 10))
        sink.push(each)
    sink.close()
    found = receiver.received()
    indices = np.concatenate([np.arange(each.start, each.end) for each in blocks])
    expected = np.concatenate([each.leads for each in blocks], axis=1)
    widths = np.concatenate([each.interval for each in blocks], axis=1)
    np.testing.assert_array_equal(found["leads"].samples.astype(np.float32), expected.T)
    np.testing.assert_array_equal(found["widths"].samples.astype(np.float32), widths.T)
    for which in ("leads", "widths"):
        np.testing.assert_allclose(found[which].stamps, began + indices / RATE + offset, rtol=0, atol=1 * MS)
    np.testing.assert_array_equal(found["leads"].stamps, found["widths"].stamps)


def test_names_units_and_what_it_is_are_read(name: str, receiver: Receiver) -> None:
    sink = broadcast(name)
    receiver.wait()
    sink.close()
    found = receiver.received()
    leads, widths, events = found["leads"], found["widths"], found["events"]
    assert [each.about.findtext("name") for each in found.values()] == [name, f"{name}-half-widths", f"{name}-events"]
    assert [each.about.findtext("type") for each in found.values()] == ["ECG", "HalfWidths", "Markers"]
    assert [each.about.findtext("channel_format") for each in found.values()] == ["float32", "float32", "string"]
    assert [float(each.about.findtext("nominal_srate", "")) for each in found.values()] == [500, 500, 0]
    assert leads.each("label") == LABELS
    assert widths.each("label") == [f"{each} half-width" for each in LABELS]
    assert events.each("label") == ["event"]
    assert set(leads.each("unit") + widths.each("unit")) == {"millivolts"}
    assert set(leads.each("type")) == {"ECG"}
    assert (
        leads.each("origin")
        == ["measured"] * 2 + ["computed"] * 4 + ["estimated"] * 3 + ["measured"] + ["estimated"] * 2
    )
    own = leads.about.find("desc/ecgstream")
    assert own is not None
    assert {each.tag: each.text for each in own if each.tag != "absent"} == {
        "leads_in": "I,II,V4",
        "model": "unet 1",
        "look_ahead_ms": "98",
        "source": "Patch über LSL",
        "synthetic": "true",
        "disclaimer": DISCLAIMER,
    }
    assert "NaN" in (own.findtext("absent") or "")
    assert leads.about.findtext("desc/manufacturer") == "ecgstream"


def test_no_estimate_stands_under_the_name_of_a_measured_lead(name: str, receiver: Receiver) -> None:
    sink = broadcast(name)
    receiver.wait()
    whole = block(0)
    off, nothing = LEADS.index("V4"), LEADS.index("V1")
    origin, leads = whole.origin.copy(), whole.leads.copy()
    origin[off, 10:20] = Origin.ESTIMATED
    origin[nothing, 30:] = Origin.NONE
    leads[nothing, 30:] = np.nan
    sink.push(Block(0, leads, np.where(origin == Origin.ESTIMATED, leads / 8, 0).astype(np.float32), origin))
    sink.close()
    found = receiver.received()
    for which in ("leads", "widths"):
        missing = np.isnan(found[which].samples)
        assert missing[10:20, off].all()
        assert missing[30:, nothing].all()
        assert missing.sum() == 20


def test_events_are_markers_at_their_samples_time(name: str, receiver: Receiver) -> None:
    sink = broadcast(name)
    receiver.wait()
    began = time.time() - 60
    offset = pylsl.local_clock() - time.time()
    sink.push(Event(0, Kind.SOURCE, text="searching"))  # nothing is known of the time yet: it is now
    said = pylsl.local_clock()
    sink.push(Event(0, Kind.TIME, value=began))
    for start in range(0, 4000, HOP):
        sink.push(block(start))
    events = [
        Event(2500, Kind.LEAD_OFF, "V4", "stands still"),
        Event(3000, Kind.LATENCY, value=99.0),
        Event(1234, Kind.BEAT, value=72.0),
        Event(3900, Kind.BEAT, text="too few beats"),
        Event(3950, Kind.NOTICE),
    ]
    for each in events:
        sink.push(each)
    sink.close()
    received = receiver.received()["events"]
    assert [str(text) for (text,) in received.samples] == [
        "source: searching",
        "lead off V4: stands still",
        "beat",
        "beat",
        "notice: nothing is wrong any more",
    ]
    assert abs(received.stamps[0] - said) < 50 * MS
    at = began + offset + np.array([2500, 1234, 3900, 3950]) / RATE
    np.testing.assert_allclose(received.stamps[1:], at, rtol=0, atol=1 * MS)


def test_every_kind_of_event_has_a_line_of_text() -> None:
    texts = [marker(Event(0, kind, "V4", "why")) for kind in Kind if kind is not Kind.BEAT]
    assert all(text.endswith("V4: why") and "\n" not in text for text in texts)
    assert len(set(texts)) == len(texts)


def test_a_receiver_knows_the_streams_again(name: str) -> None:
    ids = []
    for _ in range(2):
        sink = broadcast(name)
        found = [pylsl.resolve_byprop("name", name + ending, timeout=10) for ending in ("", "-half-widths", "-events")]
        ids.append([info.source_id() for (info,) in found])
        sink.close()
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3
    assert all(socket.gethostname() in each for each in ids[0])


def test_nothing_is_sent_after_the_end(name: str) -> None:
    sink = broadcast(name)
    sink.close()
    sink.push(block(0))
    sink.push(Event(0, Kind.BEAT))
    sink.close()
    assert pylsl.resolve_byprop("name", name, timeout=0.3) == []


def test_opening_and_closing_leaves_nothing_behind(name: str) -> None:
    process = psutil.Process()
    counts = []
    for number in range(23):
        sink = broadcast(f"{name} {number}")
        for start in range(0, 400, HOP):
            sink.push(block(start))
        sink.close()
        gc.collect()
        counts.append((process.num_threads(), process.num_fds(), process.memory_info().rss))
    (threads, descriptors, memory), (threads_then, descriptors_then, memory_then) = counts[2], counts[-1]
    assert threads_then <= threads
    assert descriptors_then <= descriptors
    assert memory_then - memory < 2e6


def test_without_lsl_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("could not create stream outlet.")

    monkeypatch.setattr("pylsl.StreamOutlet", broken)
    with pytest.raises(SinkError, match=r"^cannot send to lsl://ward: could not create stream outlet\.$"):
        broadcast("ward")


def test_half_widths_are_no_leads() -> None:
    assert not set(itertools.chain(LEADS, LABELS)) & {f"{each} half-width" for each in LABELS}
