"""Where samples stand once their index is known: in order, with the holes that late ones may still fill."""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.findings import Fault, Finding

HOLD_S = 0.06
"""So much more of the source's time is waited for until a hole is given up."""
LATE_S = 0.5
"""What comes so long after its hole was given up is known as late; what comes later is taken for something else."""
LONG_S = 2 * 3600.0
RECENT_S = 10.0
"""What came within is known again when it comes a second time."""


@dataclass(slots=True)
class Run:
    """Samples that follow one another.

    Attributes
    ----------
    samples : ndarray, (rows, n)
        Whatever is to be placed.
    truth : ndarray, (rows, n), or None
        What goes with it.
    stamps : ndarray, (n,) float64, or None
        The source's own time of each, s.
    received : float or None
        This host's time, s; None where there is none.
    after : int
        How many samples came with them, after them.
    """

    samples: NDArray[Any]
    truth: NDArray[Any] | None = None
    stamps: NDArray[np.float64] | None = None
    received: float | None = None
    after: int = 0

    @property
    def length(self) -> int:
        """How many."""
        return int(self.samples.shape[1])

    def part(self, start: int, stop: int) -> "Run":
        """Some of them."""
        return Run(
            self.samples[:, start:stop],
            None if self.truth is None else self.truth[:, start:stop],
            None if self.stamps is None else self.stamps[start:stop],
            self.received,
            self.after + self.length - stop,
        )


class Spot(Enum):
    """What is known of an index that has passed."""

    TAKEN = "a sample stands there, or it lies before the first or too far back to know"
    HOLE = "a sample may still come"
    GONE = "none came in time"


class Shelf:
    """Samples in order of their index.

    Those that follow the last pass at once. After a hole they are held until it is filled, or until `hold` samples have
    come since: then it is a gap.

    Parameters
    ----------
    rate : float
        Of the source, Hz.

    Attributes
    ----------
    end : int
        The index after the newest sample.
    ready : list of (int, Run)
        What has its final place and was not taken yet, in order.
    findings : list of Finding
        What was found and not taken yet.
    """

    def __init__(self, rate: float) -> None:
        self.end = 0
        self.ready: list[tuple[int, Run]] = []
        self.findings: list[Finding] = []
        self._rate = rate
        self._hold = max(1, round(HOLD_S * rate))
        self._late = round(LATE_S * rate)
        self._out = 0
        self._come = 0
        self._held: list[tuple[int, int, Run]] = []
        """Index, order of coming, run; sorted."""
        self._holes: list[tuple[int, int, int]] = []
        """Start, stop, how many samples had come before it opened; ascending."""
        self._gone: deque[tuple[int, int, int]] = deque(maxlen=100)
        """Start, stop, how many samples had come when it was given up."""

    @property
    def is_waiting(self) -> bool:
        """Whether samples are held because there is a hole before them."""
        return bool(self._held)

    def put(self, index: int, run: Run, *, final: bool = False) -> None:
        """A run has its index: at the end, beyond it, or all of it in a hole.

        Parameters
        ----------
        index : int
            Of its first sample.
        run : Run
            One sample at least.
        final : bool
            Whether nothing will come for the hole before it.
        """
        length = run.length
        if index == self.end == self._out:
            self.ready.append((index, run))
            self.end = self._out = index + length
            self._come += length
            return
        if index < self.end:
            self._fill(index, index + length)
            self._find(Fault.REORDER, index, length, f"{_samples(length)} came after later ones and were put in place")
        elif index > self.end:
            self._holes.append((self.end, index, self._come - (self._hold if final else 0)))
        insort(self._held, (index, self._come, run), key=lambda held: held[:2])
        self.end = max(self.end, index + length)
        self._come += length
        self._release()

    def skip(self, length: int) -> None:
        """So many samples before the next one are missing and will not come."""
        self._holes.append((self.end, self.end + length, self._come - self._hold))
        self.end += length

    def pass_by(self, index: int, length: int) -> None:
        """So many samples came too late."""
        self._come += length
        self._find(Fault.REORDER, index, length, f"{_samples(length)} came too late and were left out")

    def spots(self, start: int, stop: int) -> Iterator[tuple[int, int, Spot]]:
        """What is known of indices before the end: pieces of them, in order, and what each is."""
        known = [(first, last, Spot.HOLE) for first, last, _ in self._holes]
        known += [(first, last, Spot.GONE) for first, last, come in self._gone if self._come - come <= self._late]
        at = start
        for first, last, spot in sorted(known, key=lambda piece: piece[0]):
            first, last = max(first, at), min(last, stop)
            if first >= last:
                continue
            if at < first:
                yield at, first, Spot.TAKEN
            yield first, last, spot
            at = last
        if at < stop:
            yield at, stop, Spot.TAKEN

    def retract(self) -> list[Run]:
        """Take back what is held, in the order in which it came, as if there had been no hole."""
        runs = [run for _, _, run in sorted(self._held, key=lambda held: held[1])]
        self._held, self._holes = [], []
        self._come -= sum(run.length for run in runs)
        self.end = self._out
        return runs

    def flush(self) -> None:
        """Nothing more comes for the holes."""
        self._release(is_over=True)

    def _fill(self, start: int, stop: int) -> None:
        holes: list[tuple[int, int, int]] = []
        for first, last, come in self._holes:
            if stop <= first or last <= start:
                holes.append((first, last, come))
                continue
            if first < start:
                holes.append((first, start, come))
            if stop < last:
                holes.append((stop, last, come))
        self._holes = holes

    def _release(self, *, is_over: bool = False) -> None:
        """Let go what follows the last, and give up holes that are old."""
        at = 0
        while at < len(self._held):
            index, _, run = self._held[at]
            if index > self._out:
                start, stop, come = self._holes[0]
                if not is_over and self._come - come < self._hold:
                    break
                del self._holes[0]
                self._gone.append((start, stop, self._come))
                self._find(Fault.GAP, start, stop - start, _lost(stop - start, self._rate))
                self._out = stop
                continue
            self.ready.append((index, run))
            self._out = index + run.length
            at += 1
        del self._held[:at]

    def _find(self, fault: Fault, index: int, value: float, text: str) -> None:
        self.findings.append(Finding(fault, index, float(value), text))


class Recent:
    """The newest samples and their stamps (or indices, of a source that counts): what comes again is known by both.

    Parameters
    ----------
    rate : float
        Of the source, Hz.
    rows : int
        Of its samples.
    """

    def __init__(self, rate: float, rows: int) -> None:
        self._size = round(RECENT_S * rate)
        self._stamps = np.full(self._size, np.nan)
        self._samples = np.zeros((rows, self._size), np.float32)
        self._at = 0

    def add(self, stamps: NDArray[np.float64], samples: NDArray[np.float32]) -> None:
        """Samples have come for the first time."""
        stamps, samples = stamps[-self._size :], samples[:, -self._size :]
        stop = self._at + len(stamps)
        if stop <= self._size:
            self._stamps[self._at : stop] = stamps
            self._samples[:, self._at : stop] = samples
        else:
            places = np.arange(self._at, stop) % self._size
            self._stamps[places] = stamps
            self._samples[:, places] = samples
        self._at = stop % self._size

    def known(self, stamps: NDArray[np.float64], samples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which samples have come before, with the same stamps and to the bit the same, (n,)."""
        known = np.zeros(len(stamps), bool)
        places = np.flatnonzero((self._stamps >= stamps.min()) & (self._stamps <= stamps.max()))
        if not len(places):
            return known
        bits = _bits(samples)
        if len(np.unique(stamps)) < len(stamps):
            return self._known_in_order(places[self._stamps[places] == stamps[0]], stamps, bits)
        # Of two that have the same stamp (a step back came upon it) the newer counts.
        places = places[np.argsort((places - self._at) % self._size)]
        newest = dict(zip(self._stamps[places].tolist(), places.tolist(), strict=True))
        for at, stamp in enumerate(stamps.tolist()):
            place = newest.get(stamp)
            known[at] = place is not None and np.array_equal(_bits(self._samples[:, place]), bits[:, at])
        return known

    def _known_in_order(
        self, places: NDArray[np.int64], stamps: NDArray[np.float64], bits: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """The same of samples some of which have one stamp: they are told apart by their order."""
        count = len(stamps)
        for place in places.tolist():
            length = min(count, (self._at - place - 1) % self._size + 1)  # from there to the newest
            run = np.arange(place, place + length) % self._size
            if np.array_equal(self._stamps[run], stamps[:length]) and np.array_equal(
                _bits(self._samples[:, run]), bits[:, :length]
            ):
                known = np.zeros(count, bool)
                known[:length] = True
                return known
        return np.zeros(count, bool)


def _bits(samples: NDArray[np.float32]) -> NDArray[np.int32]:
    """So that what is not a number is equal to itself."""
    return np.ascontiguousarray(samples, np.float32).view(np.int32)


def _lost(length: int, rate: float) -> str:
    if length > LONG_S * rate:
        return f"{length / rate / 3600:.1f} hours are missing"
    return f"{_samples(length)} are missing ({length / rate:.3g} s)" if length > 1 else "1 sample is missing"


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"
