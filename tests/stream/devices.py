"""A device that knows the truth: every sample carries its number, whatever happens to its packets, stamps and clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from engine.leads import LEADS
from stream.items import Arrival, Chunk
from stream.timeline import Fault, Finding, LiveTimeline

DIGITS = 20
"""A float32 holds numbers of so many bits; the next row holds the rest."""
DELAY_S = 0.003
"""The least that anything takes from device to host."""
MADE_S = 2.0
"""How much is made at once."""


class Stamps(Enum):
    EXACT = "the device's clock, when each sample is taken"
    COARSE = "the same to a ms"
    NOISY = "the same, each with noise to either side"
    PUSHED = "when the packet is sent, that of its last; a declared period between the others"
    BURST = "when the packet is sent, all alike"
    NONE = "none at all"
    COUNT = "a count"


@dataclass(frozen=True)
class Device:
    """What a device does; times are s since its first sample.

    Attributes
    ----------
    off : float
        How much faster it samples than it declares, as a share, by its own clock.
    drift : float
        How much faster its clock runs than this host's.
    delay : float
        Scale of the one-sided random delay of each packet before it is sent.
    noise : float
        Of stamps that are noisy, s.
    leaps : sequence of (float, float)
        When its clock leaps, and how far.
    aways : sequence of (float, float, bool)
        From when to when it is unplugged, and whether its clock goes on meanwhile; it comes back as another session.
    stalls : sequence of (float, float)
        From when to when nothing is received; then all of it is.
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
    bursts: Sequence[tuple[float, float]] = ()
    duplicate: float = 0.0
    reorder: float = 0.0
    leaps: Sequence[tuple[float, float]] = ()
    aways: Sequence[tuple[float, float, bool]] = ()
    stalls: Sequence[tuple[float, float]] = ()
    odd_stamps: float = 0.0
    """Probability of a packet whose stamps are no time."""
    seed: int = 0


def numbered(first: int, count: int) -> NDArray[np.float32]:
    """Samples that carry their numbers."""
    numbers = np.arange(first, first + count)
    samples = np.full((len(LEADS), count), np.nan, np.float32)
    samples[0] = numbers % (1 << DIGITS)
    samples[1] = numbers >> DIGITS
    return samples


def numbers(samples: NDArray[np.float32]) -> NDArray[np.int64]:
    return samples[0].astype(np.int64) + (samples[1].astype(np.int64) << DIGITS)


def arrivals(device: Device) -> Iterator[Arrival]:
    """What is received of a device."""
    chance = np.random.default_rng(device.seed)
    sampled = device.rate * (1 + device.off)  # a second, by the device's clock
    real = sampled * (1 + device.drift)  # by this host's
    held: Arrival | None = None
    latest = 0.0
    for first in range(0, int(device.seconds * device.rate), device.packet):
        n = device.packet
        begun, due = first / real, (first + n) / real
        latest = sent = max(latest, due + (chance.exponential(device.delay) if device.delay else 0.0))
        received = 1000.0 + sent + DELAY_S + abs(chance.normal(0, 0.0005))
        for start, stop in device.stalls:
            if start <= sent < stop:
                received = 1000.0 + stop + DELAY_S
        session, lost = 0, chance.random() < device.loss
        leap = sum(length for at, length in device.leaps if begun >= at)
        count = first
        for start, stop, goes_on in device.aways:
            lost |= start <= begun < stop
            if begun >= stop:
                session += 1
                leap += 0.0 if goes_on else 5e5 * session
                count = first - int(stop * real) if not goes_on else first
        lost |= any(start <= begun < stop for start, stop in device.bursts)
        taken = device.epoch + leap + (np.arange(first, first + n) + 1) / sampled
        pushed = device.epoch + leap + sent * (1 + device.drift)
        stamps = {
            Stamps.EXACT: lambda: taken,
            Stamps.COARSE: lambda: np.round(taken, 3),
            Stamps.NOISY: lambda: taken + chance.normal(0, device.noise, n),
            Stamps.PUSHED: lambda: pushed - np.arange(n - 1, -1, -1) / device.rate,
            Stamps.BURST: lambda: np.full(n, pushed),
            Stamps.NONE: lambda: None,
            Stamps.COUNT: lambda: None,
        }[device.stamps]()
        if stamps is not None and chance.random() < device.odd_stamps:
            stamps = np.full(n, chance.choice([np.nan, np.inf, -np.inf, 1e300]))
        index = count if device.stamps is Stamps.COUNT else None
        arrival = Arrival(received, numbered(first, n), index, stamps, session=session)
        swaps, twice = chance.random() < device.reorder, chance.random() < device.duplicate
        if lost:
            continue
        if held is not None:
            before, held = held, None
            yield replace(arrival)
            yield replace(before, received=received)
            if twice:
                yield replace(arrival, received=received)
            continue
        seam = any(begun - 4 * n / real <= at <= due + 4 * n / real for at, _ in device.leaps) or any(
            start - 4 * n / real <= due and begun <= stop + 4 * n / real for start, stop, _ in device.aways
        )
        if swaps and not seam:
            held = arrival
            continue
        yield arrival
        if twice:
            yield replace(arrival, received=received)
    if held is not None:
        yield held


def recut(source: Iterator[Arrival], sizes: Sequence[int]) -> Iterator[Arrival]:
    """The same samples with the same stamps, cut anew; where the session changes they are cut in any case."""
    turn = 0
    pending: list[Arrival] = []
    count = 0

    def cut(all_of_it: bool) -> Iterator[Arrival]:
        nonlocal pending, count, turn
        while pending and (all_of_it or count >= sizes[turn % len(sizes)]):
            size = min(sizes[turn % len(sizes)], count)
            turn += 1
            samples = np.concatenate([each.samples for each in pending], axis=1)
            stamps = None if pending[0].stamps is None else np.concatenate([each.stamps for each in pending])
            needed, received = 0, 0.0
            for each in pending:
                needed += each.samples.shape[1]
                received = each.received
                if needed >= size:
                    break
            yield replace(
                pending[0],
                received=received,
                samples=samples[:, :size],
                stamps=None if stamps is None else stamps[:size],
            )
            rest = replace(pending[-1], samples=samples[:, size:], stamps=None if stamps is None else stamps[size:])
            count -= size
            pending = [rest] if count else []

    for arrival in source:
        if pending and pending[-1].session != arrival.session:
            yield from cut(True)
        pending.append(arrival)
        count += arrival.samples.shape[1]
        yield from cut(False)
    yield from cut(True)


@dataclass
class Account:
    """What came of it.

    Attributes
    ----------
    index : dict of int to int
        Where each number stands.
    findings : list of Finding
    """

    sent: list[int] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)
    chunks: list[tuple[int, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    end: int = 0

    def take(self, chunks: Sequence[Chunk], findings: Sequence[Finding]) -> None:
        for chunk in chunks:
            assert chunk.index >= self.end, "chunks overlap"
            assert chunk.samples.shape[1] > 0
            for at, number in enumerate(numbers(chunk.samples).tolist()):
                assert number not in self.index, f"{number} came out twice"
                self.index[number] = chunk.index + at
            self.chunks.append((chunk.index, chunk.end))
            self.end = chunk.end
        self.findings += findings

    def of(self, fault: Fault) -> list[Finding]:
        return [finding for finding in self.findings if finding.fault is fault]

    def total(self, fault: Fault) -> float:
        return sum(finding.value for finding in self.of(fault))

    def check(self) -> None:
        """The law: each sample once, or told to have come twice, or too late; and each missing index in one gap."""
        once = set(self.sent)
        left_out = len(self.sent) - len(self.index)
        late = sum(finding.value for finding in self.of(Fault.REORDER) if "left out" in finding.text)
        assert left_out == self.total(Fault.DUPLICATE) + late + self.total(Fault.REFUSED)
        assert set(self.index) <= once
        gaps = sorted((finding.index, finding.index + int(finding.value)) for finding in self.of(Fault.GAP))
        assert sorted([*self.chunks, *gaps]) == sorted({*self.chunks, *gaps})
        at = 0
        for start, stop in sorted([*self.chunks, *gaps]):
            assert start == at, "indices neither stand in a chunk nor lie in a gap"
            at = stop
        assert at == self.end

    def shifts(self) -> list[int]:
        """How far indices are from numbers, in order of the numbers, each once where it changes."""
        found: list[int] = []
        for number in sorted(self.index):
            shift = self.index[number] - number
            if not found or found[-1] != shift:
                found.append(shift)
        return found


def run(source: Iterator[Arrival], rate: float, *, silence: float = 0.2) -> tuple[Account, LiveTimeline]:
    """All arrivals through a timeline; it is flushed where none comes for `silence` s, and at the end."""
    timeline, account = LiveTimeline(rate), Account()
    last = None
    for arrival in source:
        while last is not None and arrival.received - last > silence:
            last += silence
            placed = timeline.flush(last)
            account.take(placed.chunks, placed.findings)
        last = arrival.received
        account.sent += numbers(arrival.samples).tolist()
        placed = timeline.place(arrival)
        account.take(placed.chunks, placed.findings)
    placed = timeline.flush()
    account.take(placed.chunks, placed.findings)
    account.check()
    return account, timeline
