"""How long a sample waits for its estimate, in constant memory."""

from collections import deque
from statistics import median

import numpy as np

BIN_MS = 0.1
BINS = 100_000
"""Up to 10 s; what takes longer is counted in the last bin."""
RECENT = 50
"""Emissions that the recent median looks at: some seconds of a live stream."""


class Latency:
    """From a sample's arrival to its estimate; times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, float]] = deque()
        self._histogram = np.zeros(BINS, np.int64)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._longest_ms = 0.0

    def arrival(self, end: float, time: float) -> None:
        """All samples before index `end` (500 Hz) have arrived at this time, if they had not before."""
        self._arrivals.append((end, time))

    def emitted(self, start: int, end: int, time: float) -> None:
        """The estimates of indices [start, end) went out at this time."""
        while self._arrivals and start < end:
            arrived_end, arrived = self._arrivals[0]
            if arrived_end <= start:
                self._arrivals.popleft()
                continue
            stop = min(end, int(np.ceil(arrived_end)))
            self._count(stop - start, 1000 * (time - arrived))
            start = stop

    def passed(self, end: int) -> None:
        """The indices before `end` hold no estimate: nothing of them waits any more."""
        while self._arrivals and self._arrivals[0][0] <= end:
            self._arrivals.popleft()

    def forget(self) -> None:
        """What has arrived so far is not counted."""
        self._arrivals.clear()

    def _count(self, samples: int, waited_ms: float) -> None:
        self._histogram[min(max(0, int(waited_ms / BIN_MS)), BINS - 1)] += samples
        self._recent.append(waited_ms)
        self._longest_ms = max(self._longest_ms, waited_ms)

    @property
    def p50_ms(self) -> float | None:
        """What half of the samples waited at most; None before the first."""
        return self._quantile_ms(0.5)

    @property
    def p99_ms(self) -> float | None:
        """What 99 of 100 samples waited at most; None before the first."""
        return self._quantile_ms(0.99)

    @property
    def max_ms(self) -> float | None:
        """The longest wait; None before the first."""
        return self._longest_ms if self._histogram.any() else None

    @property
    def recent_ms(self) -> float | None:
        """The median of the newest; None before the first."""
        return median(self._recent) if self._recent else None

    def _quantile_ms(self, share: float) -> float | None:
        """The upper edge of the bin that the quantile lies in."""
        running = np.cumsum(self._histogram)
        if not running[-1]:
            return None
        edge = (int(np.searchsorted(running, share * running[-1])) + 1) * BIN_MS
        return min(edge, self._longest_ms)
