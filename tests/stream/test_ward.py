"""Beds at one engine: each bed's items to its own sinks, whatever others do; threads end, and failures are said."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgstream.records import BUNDLED
from engine.errors import SinkError, SourceError
from engine.frame import Estimate, Frame
from engine.leads import Origin
from engine.model import load
from engine.reconstruction import Engine
from stream.bed import Bed, passed
from stream.items import Arrival, Block, Chunk, Event, Gap, Item, Kind, Why
from stream.sinks import outbox as outboxes
from stream.sinks.mailbox import Mailbox
from stream.sinks.outbox import Direct, Outbox, Outlet
from stream.sinks.recorder import Recorder
from stream.sources import intake as intakes
from stream.sources.record import Record, open_record
from stream.sources.replay import Replay
from stream.ward import Place, Ward
from tests.stream.chunks import Laid, laid
from tests.stream.sinks.kept import Kept, Raising, Stalling

IN = ("I", "II", "V4")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


@pytest.fixture(scope="module")
def record() -> Record:
    return open_record(BUNDLED)


@dataclass
class Sending:
    """A source that sends these arrivals as fast as they are taken, then does what it is told."""

    samples: np.ndarray
    name: str = "sending"
    rate: float = 500.0
    leads: tuple[str, ...] = IN
    patient: bool = True
    recorded: bool = True
    size: int = 10
    skip: tuple[int, int] = (0, 0)  # an index, and how many samples are missing before it
    holds: tuple[int, ...] = ()  # where it waits for `go`, which is cleared again; `held` is set then
    held: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
        for at in range(0, self.samples.shape[1], self.size):
            if at in self.holds:
                self.held.set()
                while not (self.go.wait(0.05) or stop.is_set()):
                    pass
                self.go.clear()
            if stop.is_set():
                return
            index = at + (self.skip[1] if at >= self.skip[0] else 0)
            yield Arrival(time.monotonic(), self.samples[:, at : at + self.size], index)
        if self.error:
            raise self.error


def given(record: Record, length: int = 5000, start: int = 0) -> np.ndarray:
    samples = np.full((12, length), np.nan, np.float32)
    samples[[0, 1, 9]] = record.read(start, start + length)[[0, 1, 9]]
    return samples


def a_ward(engine: Engine, source: Sending | Replay, *outlets: Outlet, real_time: bool = False) -> tuple[Ward, Place]:
    ward = Ward(engine)
    bed = Bed(engine, source.rate, IN)
    return ward, ward.admit(bed, source, outlets, real_time=real_time)


def run(ward: Ward) -> None:
    ward.start()
    ward.wait()


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def sources_said(items: Sequence[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Event) and item.kind is Kind.SOURCE]


def events_of(items: Sequence[Item], kind: Kind) -> list[Event]:
    return [item for item in items if isinstance(item, Event) and item.kind is kind]


def assert_equal(one: Laid, other: Laid) -> None:
    assert np.allclose(one.leads, other.leads, rtol=0, atol=1e-5, equal_nan=True)
    assert np.array_equal(one.origin, other.origin)
    assert one.gaps == other.gaps


def test_every_item_goes_to_every_sink_once_and_in_order(engine: Engine, record: Record) -> None:
    kept, other, mailbox = Kept(), Kept(), Mailbox(10_000)
    outlets = Direct(kept, "a"), Outbox(other, "b", patient=True), Direct(mailbox, "screen")
    source = Sending(given(record, 10_000))
    ward, place = a_ward(engine, source, *outlets)
    assert mailbox.status.state == "searching"
    run(ward)
    assert mailbox.status.state == "ended"
    assert not ward.stop.is_set()  # a screen stays open
    assert mailbox.status.heart_rate == pytest.approx(70, abs=5)
    assert kept.items == other.items
    assert kept.closed == other.closed == 1
    result = laid(kept.items)
    assert result.end == 10_000
    assert_equal(result, laid(list(passed(engine, Bed(engine, 500, IN), [Chunk(0, source.samples)]))))
    assert sources_said(kept.items) == ["live", "ended"]
    assert mailbox.drain() == [item for item in kept.items if not isinstance(item, Event)]
    assert place.failures == []
    latencies = [event.value for event in events_of(kept.items, Kind.LATENCY)]
    assert len(latencies) >= 5
    assert all(latency is not None and latency > 0 for latency in latencies)
    assert mailbox.status.latency_ms == latencies[-1]


def test_beds_of_any_rate_do_not_mix(engine: Engine, record: Record) -> None:
    """Beds together give what each gives alone, also where another has gaps, fails, or has a sink that hangs."""
    rng = np.random.default_rng(1)
    hanging = Stalling()
    sources = {
        "plain": Sending(given(record)),
        "gap": Sending(given(record, start=7000), skip=(2000, 100_000), size=20),
        "360": Sending(given(record, 3600, 9000), rate=360.0, size=7),
        "silent": Sending(np.full((12, 2000), np.nan, np.float32)),
        "noise": Sending(rng.standard_normal((12, 3000)).astype(np.float32)),
        "broken": Sending(given(record, 2000), error=SourceError("the cable was pulled")),
        "hanging": Sending(given(record, 2000)),
    }
    ward, kept, places = Ward(engine), {name: Kept() for name in sources}, {}
    for name, source in sources.items():
        outlets: list[Outlet] = [Direct(kept[name], name)]
        if name == "hanging":
            outlets.append(Outbox(hanging, "recorder"))
        bed = Bed(engine, source.rate, source.leads, name=name)
        places[name] = ward.admit(bed, source, outlets, real_time=False)
    ward.start()
    wait_until(lambda: all(sink.closed for sink in kept.values()))
    hanging.go.set()
    ward.wait()
    for name, source in sources.items():
        alone = Bed(engine, source.rate, source.leads)
        sent = Sending(source.samples, size=source.size, skip=source.skip).arrivals(ward.stop)
        expected = laid(list(passed(engine, alone, map(placed, sent))))
        assert_equal(laid(kept[name].items), expected)
        assert sources_said(kept[name].items)[-1] == ("live" if name == "broken" else "ended")
    assert str(places.pop("broken").error) == "the cable was pulled"
    assert [event.text for event in events_of(kept["broken"].items, Kind.FAILED)] == ["the cable was pulled"]
    assert all(place.error is None for place in places.values())


def placed(arrival: Arrival) -> Chunk:
    assert arrival.index is not None
    return Chunk(arrival.index, arrival.samples)


def test_frames_of_many_beds_go_to_the_engine_together(engine: Engine, record: Record) -> None:
    class Counting(Engine):
        calls: list[int] = []  # noqa: RUF012

        def estimate(self, frames: Sequence[Frame]) -> list[Estimate]:
            self.calls.append(len(frames))
            return super().estimate(frames)

    counting = Counting(
        engine._backend, name=engine.name, stride=engine.stride, look_ahead=engine.look_ahead,
        left_context=engine.left_context,
    )  # fmt: skip
    ward = Ward(counting)
    kept = [Kept() for _ in range(10)]
    for number, sink in enumerate(kept):
        source = Sending(given(record, 400), holds=(200,))
        ward.admit(Bed(counting, 500, IN, name=str(number)), source, [Direct(sink, "")], real_time=False)
    for place in ward._places:
        place.intake.start()
    for place in ward._places:
        wait_until(place.intake._source.held.is_set)  # type: ignore[attr-defined]
    counting.calls.clear()
    ward.tick(time.monotonic())
    assert counting.calls == [40]  # four frames of each of ten beds
    ward.start = lambda: ward._thread.start()  # type: ignore[method-assign]
    ward.stop.set()
    run(ward)


def test_a_name_is_given_once(engine: Engine, record: Record) -> None:
    ward, _ = a_ward(engine, Replay(record, IN, None))
    with pytest.raises(ValueError, match="already"):
        ward.admit(Bed(engine, 500, IN), Replay(record, IN, None), [])


def test_the_first_estimates_come_within_a_second(engine: Engine, record: Record) -> None:
    kept = Kept()
    ward, _ = a_ward(engine, Replay(record, IN, 1), Direct(kept, "kept"), real_time=True)
    began = time.monotonic()
    ward.start()
    wait_until(lambda: kept.blocks)
    assert time.monotonic() - began < 1
    ward.stop.set()
    ward.wait()


def test_stop_ends_all_threads_soon(engine: Engine, record: Record) -> None:
    kept = Kept()
    ward, _ = a_ward(engine, Replay(record, IN, 1), Direct(kept, "kept"), real_time=True)
    ward.start()
    wait_until(lambda: kept.blocks)
    began = time.monotonic()
    ward.stop.set()
    ward.wait()
    assert time.monotonic() - began < 0.5
    assert kept.closed == 1
    assert kept.blocks[-1].end < record.n_samples
    assert sources_said(kept.items) == ["live", "ended"]


@pytest.mark.parametrize("at_close", [False, True])
@pytest.mark.parametrize("error", [SinkError("the disk is full"), ZeroDivisionError("a bug")])
@pytest.mark.parametrize("way", [Direct, Outbox])
def test_a_sink_that_raises_touches_nobody_else(
    engine: Engine, record: Record, at_close: bool, error: Exception, way: type[Direct] | type[Outbox]
) -> None:
    kept, mailbox = Kept(), Mailbox()
    failing = way(Raising(error, at_close), "recorder")
    ward, place = a_ward(engine, Sending(given(record)), failing, Direct(kept, "kept"), Direct(mailbox, "screen"))
    run(ward)
    assert laid(kept.items).end == 5000
    assert place.failures == [f"recorder: {error}"]
    assert mailbox.status.failures == (f"recorder: {error}",)
    assert mailbox.status.state == "ended"
    assert [event.text for event in events_of(kept.items, Kind.SINK_FAILED)] == [f"recorder: {error}"]


@pytest.mark.parametrize("at_close", [False, True])
def test_a_sink_that_hangs_holds_nobody(
    engine: Engine, record: Record, monkeypatch: pytest.MonkeyPatch, at_close: bool
) -> None:
    monkeypatch.setattr(outboxes, "CLOSING_S", 0.5)
    kept, hanging = Kept(), Stalling(at_close)
    outlets = Outbox(hanging, "recorder"), Direct(kept, "kept")
    ward, place = a_ward(engine, Sending(given(record, 4000)), *outlets)
    ward.start()
    wait_until(lambda: kept.closed)
    assert laid(kept.blocks).end == 4000
    began = time.monotonic()
    ward.wait()
    assert time.monotonic() - began < 5
    assert place.failures == ["recorder: did not end; what it had not written is lost"]
    hanging.go.set()


class Disk(Recorder):
    """A recorder on a disk that stalls at its third write, until `go` is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "r", leads_in=IN)
        self.stalls, self.go = threading.Event(), threading.Event()
        self.writes = 0

    def _put(self, at: int, data: bytes) -> None:
        self.writes += 1
        if self.writes == 3:
            self.stalls.set()
            self.go.wait(60)
        super()._put(at, data)


def test_a_disk_that_stalls_for_less_than_the_queue_loses_nothing(
    engine: Engine, record: Record, tmp_path: Path
) -> None:
    disk, kept = Disk(tmp_path), Kept()
    ward, place = a_ward(engine, Sending(given(record)), Outbox(disk, "recorder"), Direct(kept, "kept"))
    ward.start()
    assert disk.stalls.wait(30)
    wait_until(lambda: kept.blocks and kept.blocks[-1].end == 5000)  # the others are through meanwhile
    disk.go.set()
    ward.wait()
    assert place.failures == []
    assert wfdb.rdrecord(str(tmp_path / "r")).p_signal.shape == (5000, 12)


def test_a_disk_that_stalls_for_longer_loses_a_gap_and_says_so(engine: Engine, record: Record, tmp_path: Path) -> None:
    disk, kept, mailbox = Disk(tmp_path), Kept(), Mailbox()
    outbox = Outbox(disk, "recorder", capacity=2000)
    source = Sending(given(record, 9500), holds=(1600, 8000))
    ward, place = a_ward(engine, source, outbox, Direct(kept, "kept"), Direct(mailbox, "screen"))
    ward.start()
    assert disk.stalls.wait(30)
    source.go.set()
    wait_until(lambda: mailbox.status.failures)
    wait_until(lambda: kept.blocks[-1].end > 7800)
    assert mailbox.drain()
    assert mailbox.status.state == "live"
    disk.go.set()
    wait_until(lambda: not outbox._items)
    source.go.set()
    ward.wait()
    assert laid(kept.items).end == 9500
    assert len(place.failures) == 2, place.failures
    first, last = place.failures
    assert first.startswith("recorder: does not keep up; from ")
    assert "were lost" in last
    recorded = wfdb.rdrecord(str(tmp_path / "r")).p_signal
    assert recorded.shape == (9500, 12)
    lost = np.isnan(recorded).all(axis=1)
    edges = np.flatnonzero(np.diff(lost))
    assert len(edges) == 2  # one gap
    assert f"from {(edges[0] + 1) / 500:.1f} s" in first
    assert f"{lost.sum() / 500:.1f} s from" in last
    found = wfdb.rdann(str(tmp_path / "r"), "atr").aux_note
    assert [note for note in found if "recorder" in note] == [f"sink failed: {text}" for text in (first, last)]
    rows = [0, 1, 9]
    assert np.abs(recorded.T[rows][:, ~lost] - source.samples[rows][:, ~lost]).max() <= 0.0005001


def test_a_disk_that_never_comes_back_does_not_hold_the_end(engine: Engine, record: Record, tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    ward, place = a_ward(engine, Sending(given(record, 10_000), holds=(5000,)), Outbox(disk, "recorder"))
    ward.start()
    assert disk.stalls.wait(30)
    began = time.monotonic()
    ward.stop.set()
    ward.wait()
    assert time.monotonic() - began < 5
    assert place.failures == ["recorder: did not end; what it had not written is lost"]
    disk.go.set()


def test_a_source_that_fails_ends_its_bed(engine: Engine, record: Record) -> None:
    kept, mailbox = Kept(), Mailbox()
    source = Sending(given(record, 500), error=SourceError("the cable was pulled"))
    ward, place = a_ward(engine, source, Direct(kept, "kept"), Direct(mailbox, "screen"))
    run(ward)
    assert isinstance(place.error, SourceError)
    assert (mailbox.status.state, mailbox.status.message) == ("failed", "the cable was pulled")
    assert laid(kept.items).end == 500  # what had come was not lost
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("source", "ward"))]


@pytest.mark.parametrize("bad", ["no index", "eleven leads"])
def test_what_cannot_be_taken_ends_its_bed_alone(engine: Engine, record: Record, bad: str) -> None:
    @dataclass
    class Bad(Sending):
        def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
            for arrival in super().arrivals(stop):
                if arrival.index == 500 and bad == "no index":
                    yield Arrival(arrival.received, arrival.samples)
                yield replace(arrival, samples=arrival.samples[:11]) if arrival.index == 500 else arrival

    ward, kept = Ward(engine), {"good": Kept(), "bad": Kept()}
    for name, source in (("good", Sending(given(record, 2000))), ("bad", Bad(given(record, 2000)))):
        ward.admit(Bed(engine, 500, IN, name=name), source, [Direct(kept[name], name)], real_time=False)
    run(ward)
    good, other = (place.error for place in ward._places)
    assert good is None
    assert other is not None
    assert laid(kept["good"].items).end == 2000
    assert sources_said(kept["good"].items) == ["live", "ended"]
    assert events_of(kept["bad"].items, Kind.FAILED)
    assert kept["bad"].closed == 1


def test_a_source_that_hangs_does_not_hold_the_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "LONGEST_END_S", 0.3)
    go = threading.Event()

    class Hanging(Sending):
        def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
            go.wait(60)
            yield from ()

    kept = Kept()
    ward, place = a_ward(engine, Hanging(np.empty((12, 0), np.float32)), Direct(kept, "kept"))
    ward.start()
    ward.stop.set()
    began = time.monotonic()
    ward.wait()
    assert time.monotonic() - began < 3
    assert place.failures == ["source bed: did not end"]
    assert kept.closed == 1
    go.set()


@pytest.mark.parametrize("size", [150, 1000])
def test_large_packets_are_not_late(engine: Engine, record: Record, size: int) -> None:
    """Found: a packet of more than a quarter of a second counted itself as waiting."""
    kept = Kept()
    ward = Ward(engine)
    bed = Bed(engine, 500, IN)
    source = Sending(given(record, 4000), size=size, holds=tuple(range(size, 4000, size)))
    ward.admit(bed, source, [Direct(kept, "kept")], real_time=True)
    ward.start()
    for end in range(size, 4000, size):
        wait_until(partial(lambda end: bed.received >= end, end))
        source.go.set()
        wait_until(lambda: not source.go.is_set())
    ward.wait()
    assert laid(kept.items).end == 4000
    assert bed.frames_skipped == 0
    assert not events_of(kept.items, Kind.LATE)


def test_a_device_that_only_repeats_itself_is_not_live(engine: Engine, record: Record) -> None:
    @dataclass
    class Repeating(Sending):
        def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
            yield from super().arrivals(stop)
            while not stop.wait(0.02):
                yield Arrival(time.monotonic(), self.samples[:, :10], 0)
                yield Arrival(time.monotonic(), self.samples[:, :0], 5000)

    kept = Kept()
    ward, _ = a_ward(engine, Repeating(given(record, 1000)), Direct(kept, "kept"), real_time=True)
    ward.start()
    wait_until(lambda: "stale" in sources_said(kept.items))
    ward.stop.set()
    ward.wait()
    assert 1 <= len(events_of(kept.items, Kind.CLOCK)) < 40  # not one a packet


def test_an_engine_that_fails_ends_all_and_is_raised(engine: Engine, record: Record) -> None:
    class Broken(Engine):
        def estimate(self, frames: Sequence[Frame]) -> list[Estimate]:
            raise RuntimeError("the card is gone")

    broken = Broken(engine._backend, name="", stride=40, look_ahead=49, left_context=3960)
    kept = Kept()
    ward, _ = a_ward(broken, Sending(given(record)), Direct(kept, "kept"))
    ward.start()
    with pytest.raises(RuntimeError, match="the card is gone"):
        ward.wait()
    assert kept.closed == 1
    assert [event.text for event in events_of(kept.items, Kind.FAILED)] == ["RuntimeError: the card is gone"]


def test_silence_is_told_and_its_end(engine: Engine, record: Record) -> None:
    kept = Kept()
    source = Sending(given(record, 1000), holds=(500,))
    ward, _ = a_ward(engine, source, Direct(kept, "kept"), real_time=True)
    ward.start()
    wait_until(lambda: sources_said(kept.items)[-1:] == ["stale"])
    source.go.set()
    ward.wait()
    assert sources_said(kept.items) == ["live", "stale", "live", "ended"]


def test_samples_that_say_nothing_are_no_signal(engine: Engine, record: Record) -> None:
    samples = given(record, 5000)
    samples[:, 1000:3000] = 0.5
    samples[:, 3500:4500] = np.nan
    kept = Kept()
    source = Sending(samples, holds=(2800, 4300))
    ward, _ = a_ward(engine, source, Direct(kept, "kept"))
    ward.start()
    for times in (1, 2):  # once the leads stand still, once they are missing
        wait_until(partial(lambda times: sources_said(kept.items).count("no signal") == times, times))
        source.go.set()
    ward.wait()
    assert sources_said(kept.items)[-2:] == ["live", "ended"]
    assert {event.text for event in events_of(kept.items, Kind.LEAD_OFF)} == {"stands still"}
    assert {gap.why for gap in laid(kept.items).gaps} == {Why.NO_SIGNAL, Why.MISSING}


def test_a_device_that_is_not_heard_in_time_loses_its_oldest_and_it_is_said(engine: Engine, record: Record) -> None:
    source = Sending(given(record, 5000), patient=False)
    kept = Kept()
    ward, place = a_ward(engine, source, Direct(kept, "kept"), real_time=True)
    place.intake.start()
    place.intake.wait()  # all 500 arrivals were sent before the ward looked once
    ward.start = lambda: ward._thread.start()  # type: ignore[method-assign]
    run(ward)
    [dropped] = events_of(kept.items, Kind.DROPPED)
    assert dropped.value == 5000 - 256 * 10
    result = laid(kept.items)
    assert result.end == 5000
    assert result.gaps == [Gap(0, 5000 - 256 * 10)]


def test_what_comes_twice_is_left_out_and_said(engine: Engine, record: Record) -> None:
    kept = Kept()
    source = Sending(given(record, 2000), skip=(1000, -100))
    run(a_ward(engine, source, Direct(kept, "kept"))[0])
    assert laid(kept.items).end == 1900
    assert events_of(kept.items, Kind.CLOCK)


def test_an_engine_that_is_late_skips_frames_and_loses_no_sample(engine: Engine, record: Record) -> None:
    class Slow(Engine):
        def estimate(self, frames: Sequence[Frame]) -> list[Estimate]:
            time.sleep(0.05)
            return super().estimate(frames)

    slow = Slow(
        engine._backend, name="", stride=engine.stride, look_ahead=engine.look_ahead, left_context=engine.left_context
    )
    kept, mailbox = Kept(), Mailbox()
    outlets = Direct(kept, "kept"), Direct(mailbox, "screen")
    ward, place = a_ward(slow, Replay(record, IN, 16), *outlets, real_time=True)
    run(ward)
    assert place.bed.frames_skipped > 100
    assert sum(event.value or 0 for event in events_of(kept.items, Kind.LATE)) == place.bed.frames_skipped
    assert mailbox.status.frames_skipped == place.bed.frames_skipped
    result = laid(kept.items)
    assert result.end == record.n_samples
    assert np.isfinite(result.leads).all()
    p99 = place.latency.p99_ms
    assert p99 is not None
    assert p99 < 1000  # it does not fall behind


def test_a_live_bed_carries_no_truth(engine: Engine, record: Record) -> None:
    kept = Kept()
    run(a_ward(engine, Sending(given(record, 1000)), Direct(kept, "kept"))[0])
    assert all(block.truth is None for block in kept.blocks)
    assert all((block.origin != Origin.NONE).all() for block in kept.blocks)
    assert isinstance(kept.blocks[0], Block)
