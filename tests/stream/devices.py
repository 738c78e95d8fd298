"""A device that knows the truth: every sample carries its number, whatever happens to its packets, stamps and clock."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from engine.leads import LEADS
from stream.findings import Fault, Finding
from stream.items import Arrival, Chunk
from stream.timeline import LiveTimeline

DIGITS = 20
"""Bits of a number that a row holds: as many as a float32 can; the next row holds the rest."""
BEGUN_S = 1000.0
"""This host's time when the device begins."""
DELAY_S, DELAY_SPREAD_S = 0.003, 0.0005
"""The least that anything takes from device to host, and how much it varies."""
SILENCE_S = 0.2
"""After so long a time without arrivals a timeline is flushed, again and again."""

Samples = NDArray[np.float32]


class Stamps(Enum):
    """What a device says of the time of its samples."""

    EXACT = "its clock, when each sample is taken"
    COARSE = "the same to a ms"
    NOISY = "the same, each with noise to either side"
    PUSHED = "when the packet is sent, that of its last; a declared period between the others"
    BURST = "when the packet is sent, all alike"
    NONE = "nothing"
    COUNT = "a count"


@dataclass(frozen=True)
class Device:
    """What a device does. Times are s since its first sample.

    Attributes
    ----------
    rate : float
        Declared, Hz.
    packet : int
        Samples sent at once.
    off : float
        How much faster it samples than it declares, as a share, by its own clock.
    drift : float
        How much faster its clock runs than this host's.
    delay : float
        Scale of the one-sided random delay of each packet before it is sent, s.
    noise : float
        Of stamps that are noisy, s.
    epoch : float
        What its clock shows at the beginning, s.
    loss, duplicate, reorder : float
        Probability that a packet is lost, is sent twice, changes places with the next.
    bursts : sequence of (float, float)
        From when to when all are lost.
    leaps : sequence of (float, float)
        When its clock leaps, and how far.
    aways : sequence of (float, float, bool)
        From when to when it is unplugged, and whether its clock or count goes on; it comes back as another session.
    stalls : sequence of (float, float)
        From when to when nothing is received; then all of it is.
    odd_stamps : float
        Probability of a packet whose stamps are no time.
    knows_offset : bool
        Whether it is known what to add to its stamps.
    """

    rate: float = 250.0
    packet: int = 5
    stamps: Stamps = Stamps.EXACT
    seconds: float = 60.0
    off: float = 0.0
    drift: float = 0.0
    delay: float = 0.0
    noise: float = 0.0
    epoch: float = 1234.5
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    bursts: Sequence[tuple[float, float]] = ()
    leaps: Sequence[tuple[float, float]] = ()
    aways: Sequence[tuple[float, float, bool]] = ()
    stalls: Sequence[tuple[float, float]] = ()
    odd_stamps: float = 0.0
    knows_offset: bool = False
    seed: int = 0

    @property
    def sampled(self) -> float:
        """Samples a second of this host."""
        return self.rate * (1 + self.off) * (1 + self.drift)

    @property
    def numbers(self) -> int:
        """How many samples it takes."""
        return int(self.seconds * self.rate) // self.packet * self.packet

    def taken(self, number: float) -> float:
        """When a sample is taken, by this host's clock, s."""
        return BEGUN_S + (number + 1) / self.sampled

    def is_near_seam(self, first: int) -> bool:
        """Whether a packet is so near to a leap or an end that it cannot change places."""
        begun, length = first / self.sampled, self.packet / self.sampled
        ends = [at for at, _ in self.leaps] + [at for away in self.aways for at in away[:2]]
        return any(begun - 4 * length <= at <= begun + 5 * length for at in ends)


def numbered(first: int, count: int) -> Samples:
    """Samples that carry their numbers."""
    each = np.arange(first, first + count)
    samples = np.full((len(LEADS), count), np.nan, np.float32)
    samples[0], samples[1] = each % (1 << DIGITS), each >> DIGITS
    return samples


def numbers(samples: Samples) -> NDArray[np.int64]:
    """The numbers that samples carry."""
    low, high = samples[:2].astype(np.int64)
    return np.asarray(low + (high << DIGITS), np.int64)


def arrivals(device: Device) -> Iterator[Arrival]:
    """What is received of a device."""
    chance = np.random.default_rng(device.seed)
    held: Arrival | None = None
    latest = 0.0
    for first in range(0, device.numbers, device.packet):
        latest = sent = max(latest, (first + device.packet) / device.sampled + chance.exponential(device.delay))
        arrival, is_lost = _packet(device, first, sent, chance)
        swaps, twice, lost = chance.random(3) < (device.reorder, device.duplicate, device.loss)
        if is_lost or lost:
            continue
        if swaps and held is None and not device.is_near_seam(first):
            held = arrival
            continue
        yield arrival
        if held is not None:
            yield replace(held, received=arrival.received)
            held = None
        if twice:
            yield arrival
    if held is not None:
        yield held


def _packet(device: Device, first: int, sent: float, chance: np.random.Generator) -> tuple[Arrival, bool]:
    """A packet as it is received, and whether it is lost for a reason."""
    begun = first / device.sampled
    received = BEGUN_S + sent + DELAY_S + abs(chance.normal(0, DELAY_SPREAD_S))
    for start, stop in device.stalls:
        if start <= sent < stop:
            received = max(BEGUN_S + stop + DELAY_S, device.taken(first + device.packet))
    leap = sum(length for at, length in device.leaps if begun >= at)
    session, count = 0, first
    is_lost = any(start <= begun < stop for start, stop in device.bursts)
    for start, stop, goes_on in device.aways:
        is_lost |= start <= begun < stop
        if begun >= stop:
            session += 1
            if not goes_on:
                leap += 5e5 * session
                count = first - int(stop * device.sampled)
    stamps = _stamps(device, first, sent, chance, device.epoch + leap)
    arrival = Arrival(
        received,
        numbered(first, device.packet),
        count if device.stamps is Stamps.COUNT else None,
        stamps,
        session=session,
        offset=BEGUN_S - device.epoch - leap if device.knows_offset else None,
    )
    return arrival, is_lost


def _stamps(
    device: Device, first: int, sent: float, chance: np.random.Generator, epoch: float
) -> NDArray[np.float64] | None:
    n = device.packet
    taken = epoch + (np.arange(first, first + n) + 1) / (device.rate * (1 + device.off))
    pushed = epoch + sent * (1 + device.drift)
    if chance.random() < device.odd_stamps:
        return np.full(n, chance.choice([np.nan, np.inf, -np.inf, 1e300]))
    match device.stamps:
        case Stamps.EXACT:
            return taken
        case Stamps.COARSE:
            return np.round(taken, 3)
        case Stamps.NOISY:
            return taken + chance.normal(0, device.noise, n)
        case Stamps.PUSHED:
            return pushed - np.arange(n - 1, -1, -1) / device.rate
        case Stamps.BURST:
            return np.full(n, pushed)
    return None


def recut(source: Iterable[Arrival], sizes: Sequence[int]) -> Iterator[Arrival]:
    """The same samples with the same stamps, cut anew; where the session changes they are cut in any case."""
    pending: list[Arrival] = []
    turn = 0
    for arrival in source:
        if pending and pending[-1].session != arrival.session:
            yield _joined(pending)
            pending = []
        pending.append(arrival)
        while pending and sum(each.samples.shape[1] for each in pending) >= sizes[turn % len(sizes)]:
            size = sizes[turn % len(sizes)]
            turn += 1
            whole = _joined(pending)
            yield _part(whole, slice(None, size))
            pending = [_part(whole, slice(size, None))] if whole.samples.shape[1] > size else []
    if pending:
        yield _joined(pending)


def _joined(runs: list[Arrival]) -> Arrival:
    samples = np.concatenate([run.samples for run in runs], axis=1)
    stamps = None if runs[0].stamps is None else np.concatenate([run.stamps for run in runs if run.stamps is not None])
    return replace(runs[-1], samples=samples, stamps=stamps, index=runs[0].index)


def _part(run: Arrival, some: slice) -> Arrival:
    return replace(run, samples=run.samples[:, some], stamps=None if run.stamps is None else run.stamps[some])


@dataclass
class Account:
    """What came of what was sent.

    Attributes
    ----------
    sent : list of int
        The numbers that arrived, in order.
    index : dict of int to int
        Where each number stands.
    chunks : list of (int, int)
        Start and end of each.
    findings : list of Finding
        All of them.
    """

    sent: list[int] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)
    chunks: list[tuple[int, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The index after the newest."""
        return self.chunks[-1][1] if self.chunks else 0

    def take(self, chunks: Iterable[Chunk], findings: Iterable[Finding]) -> None:
        """Write down what has come out; fails where a chunk goes back or a number comes out twice."""
        for chunk in chunks:
            assert chunk.index >= self.end, "chunks overlap"
            assert chunk.end > chunk.index
            for at, number in enumerate(numbers(chunk.samples).tolist(), chunk.index):
                assert number not in self.index, f"{number} came out twice"
                self.index[number] = at
            self.chunks.append((chunk.index, chunk.end))
        self.findings += findings

    def of(self, *faults: Fault) -> list[Finding]:
        """The findings of some kinds."""
        return [finding for finding in self.findings if finding.fault in faults]

    def total(self, fault: Fault) -> float:
        """The sum of the values of the findings of a kind."""
        return sum(finding.value for finding in self.of(fault))

    def check(self) -> None:
        """The law: each sample once, or told to have been left out; and each index in a chunk or in one gap."""
        late = sum(finding.value for finding in self.of(Fault.REORDER) if "left out" in finding.text)
        left_out = self.total(Fault.DUPLICATE) + late + self.total(Fault.REFUSED)
        assert len(self.sent) - len(self.index) == left_out
        assert set(self.index) <= set(self.sent)
        at = 0
        gaps = [(finding.index, finding.index + int(finding.value)) for finding in self.of(Fault.GAP)]
        for start, stop in sorted([*self.chunks, *gaps]):
            assert start == at, "indices stand neither in a chunk nor in a gap"
            assert stop > start
            at = stop
        assert at == self.end

    def shifts(self) -> list[int]:
        """How far indices are from numbers, in order of the numbers, each as often as it changes."""
        order = np.array(sorted(self.index))
        shift = np.array([self.index[number] for number in order.tolist()]) - order
        return [int(each) for each in shift[np.flatnonzero(np.diff(shift, prepend=shift[0] - 1))]]


def run(source: Iterable[Arrival], rate: float) -> tuple[Account, LiveTimeline]:
    """All arrivals through a timeline, flushed where none comes, and at the end; fails where the law is broken."""
    timeline, account = LiveTimeline(rate), Account()
    heard: float | None = None
    for arrival in source:
        while heard is not None and arrival.received - heard > SILENCE_S:
            heard += SILENCE_S
            flushed = timeline.flush(heard)
            account.take(flushed.chunks, flushed.findings)
        heard = arrival.received
        account.sent += numbers(arrival.samples).tolist()
        placed = timeline.place(arrival)
        account.take(placed.chunks, placed.findings)
    flushed = timeline.flush()
    account.take(flushed.chunks, flushed.findings)
    account.check()
    return account, timeline
