"""A day of a stream at 60 times its speed, with a fault every few minutes, recorded.

Nothing grows, nothing is lost that is not told, and outside of what a fault touches all is as without.
"""

import gc
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import wfdb

from ecgstream.records import BUNDLED
from engine.leads import INDEX, RATE, Origin
from engine.model import load
from engine.reconstruction import Engine
from stream.bed import Bed, passed
from stream.findings import Fault
from stream.items import Arrival, Block, Chunk, Event, Gap, Item, Kind
from stream.simulation.device import Burst, Device, Faults, LeadOff, Span, Unit
from stream.simulation.faults import Fate, deliveries
from stream.simulation.packets import packets
from stream.simulation.signal import Signal
from stream.sinks.mailbox import Mailbox
from stream.sinks.outbox import CAPACITY, Direct, Outbox
from stream.sinks.recorder import Recorder
from stream.sources.record import open_record
from stream.ward import Ward

IN = ("I", "II", "V4")
ROWS = [INDEX[lead] for lead in IN]
SPEED = 60
MINUTE, HOUR = 60, 3600
PERIOD = MINUTE * RATE
"""The record's length, which begins anew; a whole number of hops."""
LARGEST_GROWTH_MB = 20.0
TOLERANCE_MV = 1e-4
"""Frames are longer where a bed has fallen behind, and sums are rounded otherwise."""


def device_of(seconds: float) -> Device:
    """A patch whose V4 falls off for 10 s every seven minutes, and whose clock begins anew every hour."""
    return Device(
        "patch",
        IN,
        packet=50,
        unit=Unit.MV,
        lead_off=tuple(LeadOff("V4", Span(at, 10.0)) for at in np.arange(400, seconds, 7 * MINUTE).tolist()),
        clock_resets=tuple(np.arange(2000.0, seconds, HOUR).tolist()),
    )


def faults_of(seconds: float) -> Faults:
    """Bursts of loss, a device unplugged for 20 s, packets lost, sent twice and out of order now and then."""
    unplugs = tuple(Span(at, 20.0) for at in np.arange(1000.0, seconds, HOUR / 2).tolist())
    return Faults(loss=2e-4, burst=Burst(2.0, 190.0), unplugs=unplugs, duplicate=1e-3, reorder=1e-3, seed=3)


def spans_off(seconds: float) -> list[Span]:
    """When V4 is off."""
    return [each.span for each in device_of(seconds).lead_off]


class Clock:
    """So many times as fast as this host's."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> float:
        return SPEED * (time.monotonic() - self._began)


@dataclass
class Patch:
    """A device whose samples come as its faults let them; `spoilt` are the runs of indices that
    these touch, `off` those in which a lead is."""

    seconds: float
    clock: Clock
    name: str = "patch"
    rate: float = float(RATE)
    leads: tuple[str, ...] = IN
    patient: bool = False
    recorded: bool = False
    spoilt: list[tuple[int, int]] = field(default_factory=list)
    off: list[tuple[int, int]] = field(default_factory=list)
    missing: int = 0
    memory_mb: list[float] = field(default_factory=list)

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
        device, faults = device_of(self.seconds), faults_of(self.seconds)
        self.off = [each.span.samples(RATE) for each in device.lead_off]
        made = packets(Signal(open_record(BUNDLED), IN, RATE), device, n_samples=round(self.seconds * RATE))
        for delivery in deliveries(made, device, faults, epoch=50.0):
            packet = delivery.packet
            if packet.number % (2 * HOUR // 10) == 0:
                gc.collect()
                self.memory_mb.append(psutil.Process().memory_info().rss / 1e6)
            if delivery.is_gone:
                self.spoil(packet.index, packet.end)
                self.missing += packet.end - packet.index
                continue
            if delivery.fate & Fate.REORDERED:
                self.spoil(packet.index, packet.end)  # it is longer than what a stream waits for it
            if stop.wait(max(0.0, (delivery.due - self.clock()) / SPEED)):
                return
            samples = np.full((12, len(packet.values)), np.nan, np.float32)
            samples[ROWS] = packet.values.T
            # As if it came on time: at this speed a moment's delay of this machine would be a second of the stream.
            yield Arrival(delivery.due, samples, stamps=delivery.stamps, session=delivery.session.number)

    def spoil(self, start: int, stop: int) -> None:
        if self.spoilt and self.spoilt[-1][0] <= start <= self.spoilt[-1][1]:
            start, stop = self.spoilt[-1][0], max(stop, self.spoilt.pop()[1])
        self.spoilt.append((start, stop))


@dataclass
class Against:
    """A sink that holds what comes against the same without faults, minute by minute."""

    reference: Block
    patch: Patch
    left_context: int
    look_ahead: int
    end: int = 0
    gaps: int = 0
    gap_runs: list[tuple[int, int]] = field(default_factory=list)
    waiting: deque[Block] = field(default_factory=deque)
    compared: int = 0
    largest_mv: float = 0.0
    events: dict[Kind, int] = field(default_factory=dict)

    def push(self, item: Item) -> None:
        if isinstance(item, Event):
            self.events[item.kind] = self.events.get(item.kind, 0) + 1
            return
        assert item.start == self.end
        self.end = item.end
        if isinstance(item, Gap):
            self.gaps += item.length
            self.gap_runs.append((item.start, item.end))
        else:
            self.waiting.append(item)
        # Once it is known whether a gap follows: estimates a look-ahead before it see that.
        while self.waiting and self.waiting[0].end + self.look_ahead <= self.end:
            self.compare(self.waiting.popleft())

    def compare(self, block: Block) -> None:
        at = np.arange(block.start, block.end) % PERIOD
        assert np.isfinite(block.leads).all()
        measured = (block.origin == Origin.MEASURED) & self.is_clean(block, 0, 0)
        assert np.array_equal(block.leads[measured], self.reference.leads[:, at][measured])
        clean = self.is_clean(block, self.left_context, self.look_ahead)
        if block.start >= self.left_context and clean.any():
            error = np.abs(block.leads - self.reference.leads[:, at])[:, clean]
            self.largest_mv = max(self.largest_mv, float(error.max()))
            self.compared += int(clean.sum())

    def is_clean(self, block: Block, after: int, before: int) -> np.ndarray:
        """Which indices lie in no run that a fault touches, nor so many samples after or before one."""
        clean = np.ones(block.end - block.start, bool)
        for runs in (self.patch.spoilt, self.patch.off, self.gap_runs):
            first = max(0, bisect_right(runs, (block.start - after,)) - 4)
            for start, stop in runs[first:]:
                if start - before > block.end:
                    break
                clean[max(0, start - before - block.start) : max(0, stop + after - block.start)] = False
        return clean

    def close(self) -> None:
        pass


def reference_of(engine: Engine) -> Block:
    """What becomes of the record when nothing is the matter, in its second minute."""
    signal = Signal(open_record(BUNDLED), IN, RATE)
    samples = np.full((12, 3 * PERIOD), np.nan, np.float32)
    samples[ROWS] = signal.read(0, 3 * PERIOD)
    chunks = (Chunk(at, samples[:, at : at + 500]) for at in range(0, 3 * PERIOD, 500))
    blocks = [item for item in passed(engine, Bed(engine, RATE, IN), chunks) if isinstance(item, Block)]
    leads, interval, origin = (
        np.concatenate([getattr(block, name) for block in blocks], axis=1)[:, PERIOD : 2 * PERIOD]
        for name in ("leads", "interval", "origin")
    )
    return Block(0, leads, interval, origin)


def soak(seconds: float, folder: Path) -> Patch:
    """So many seconds of stream, and all that must hold of them; the patch knows the memory over time."""
    engine = load()
    reference, patch = reference_of(engine), Patch(seconds, Clock())
    against, mailbox = Against(reference, patch, engine.left_context, engine.look_ahead), Mailbox()
    recorder = Recorder(folder, "soak", leads_in=IN)
    patch.clock = clock = Clock()
    ward = Ward(engine, clock=clock)
    outlets = (
        Direct(against, "against"),
        Outbox(recorder, "recorder", capacity=SPEED * CAPACITY),
        Direct(mailbox, "screen"),
    )
    place = ward.admit(Bed(engine, RATE, IN), patch, outlets)
    ward.start()
    threads = threading.active_count()
    shown = 0
    while ward._thread.is_alive():
        shown += sum(isinstance(item, Block) for item in mailbox.drain())
        assert threading.active_count() <= threads
        ward._thread.join(0.1)
    ward.wait()
    lost = mailbox.status.lost
    assert place.failures == []
    assert 0 <= round(seconds * RATE) - against.end <= 4 * RATE  # what is lost at the very end nothing follows
    assert against.gaps == pytest.approx(patch.missing + lost, abs=50 * place.faults.get(Fault.REORDER, 0))
    assert against.largest_mv < TOLERANCE_MV
    assert against.compared > 0.6 * against.end - 2 * engine.left_context * lost / 50
    assert lost < 0.01 * against.end
    unplugs, offs = (
        [each.samples(RATE) for each in spans] for spans in (faults_of(seconds).unplugs, spans_off(seconds))
    )
    seen = sum(not any(begin <= start and stop <= end for begin, end in unplugs) for start, stop in offs)
    assert against.events[Kind.LEAD_OFF] == against.events[Kind.LEAD_BACK] == seen
    assert place.faults[Fault.RESET] == len(device_of(seconds).clock_resets)
    assert against.events[Kind.BEAT] > 0.8 * seconds
    assert shown
    header = wfdb.rdheader(str(folder / "soak"))
    assert header.sig_len == against.end
    assert wfdb.rdann(str(folder / "soak"), "atr").symbol.count("N") == against.events[Kind.BEAT]
    return patch


@pytest.mark.timeout(240)
def test_two_hours_of_stream(tmp_path: Path) -> None:
    soak(2.0 * HOUR, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_day_of_stream(tmp_path: Path) -> None:
    patch = soak(24.0 * HOUR, tmp_path)
    per_hour = len(patch.memory_mb) // 24
    assert max(patch.memory_mb[per_hour:]) - patch.memory_mb[per_hour] < LARGEST_GROWTH_MB
