"""Heart beats as they come: R peaks of one lead, and the heart rate where it is sure.

The way is that of Pan & Tompkins (IEEE Trans Biomed Eng 1985;32:230-236) and Hamilton (Computers in Cardiology
2002;29:101-104): band-pass, energy, peaks against a threshold between the recent beats and the recent rest.
"""

from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter

from engine.filters import SectionFilter
from engine.leads import RATE

BAND = (8.0, 20.0)
"""Hz: what a QRS has more of than P, T, wander and mains."""
SMOOTHING = 8.0
"""Hz: makes one hump of a QRS."""
DELAY = 30
"""Samples from an R peak to the top of its hump: the filters' delay, measured on LUDB's marks (quartiles 30 to 33)."""

REFRACTORY = RATE // 5
T_WAVE = 9 * RATE // 25
"""A hump so soon (360 ms) after a beat is its T wave unless it is half as tall."""
LEARNING = 2 * RATE
PATIENCE = 3 * RATE
"""After so long without a beat the rate is unknown, and what a beat looks like is learnt anew."""

SMALLEST = 0.01
"""mV: a lower hump is nothing; the lowest of LUDB's beats in lead II makes one of 0.047 mV."""
NOTHING = 1e-6
"""mV: less energy than that between two beats is as good as none."""
THRESHOLD = 0.35
"""Where a beat begins between the height of the rest (0) and that of beats (1)."""
OVERDUE = 1.66
"""Of the usual interval: when to look back for a beat with half the threshold."""
CLEAR = 2.7
"""A beat's hump is at least so much taller than the median energy up to the next: in LUDB's worst record 3.9 times, in
white or muscle noise, drift, tremor and mains never more than 2.4 times. Above about 200/min no beat is so clear."""

RECENT = 8
"""How many beats the levels and the rate look back on."""
LEAST = 3
STALE = 15 * RATE
"""Older intervals no longer tell the rate."""
HISTORY = PATIENCE + 2 * REFRACTORY
"""Samples of energy kept: the interval before a hump that is judged lies within."""


@dataclass(frozen=True)
class _Hump:
    """A local maximum of the energy.

    Attributes
    ----------
    index : int
        Of its top.
    height : float
        mV.
    missing : int
        How many samples were missing before it: two humps with the same count have no gap between them.
    """

    index: int
    height: float
    missing: int


@dataclass(frozen=True)
class _Interval:
    """From one beat to the next, without a gap between them.

    Attributes
    ----------
    end : int
        Index of the second beat's hump.
    length : int
        Samples.
    clearness : float
        The lower hump of the two over the median energy between them.
    """

    end: int
    length: int
    clearness: float


class HeartRate:
    """Finds beats in one lead at 500 Hz, whatever the chunks.

    Attributes
    ----------
    beats : deque of int
        Indices of the recent R peaks, oldest first.
    """

    def __init__(self) -> None:
        self.beats: deque[int] = deque(maxlen=4 * RECENT)
        self._band = SectionFilter(butter(2, BAND, "bandpass", fs=RATE, output="sos"), 1)
        self._smooth = SectionFilter(butter(2, SMOOTHING, fs=RATE, output="sos"), 1)
        self._energy = np.full(HISTORY, np.nan, np.float32)
        self._end = 0
        self._missing = 0
        self._tallest: _Hump | None = None
        self._unjudged: list[_Hump] = []
        self._beat: _Hump | None = None
        self._passed_over: _Hump | None = None
        self._intervals: deque[_Interval] = deque(maxlen=RECENT)
        self._beat_heights: deque[float] = deque(maxlen=RECENT)
        self._other_heights: deque[float] = deque(maxlen=RECENT)

    def push(self, x: NDArray[np.float32]) -> None:
        """Take the next samples.

        Parameters
        ----------
        x : ndarray, (n,) float32, mV
            NaN where nothing was measured.
        """
        for hump in self._humps(x):
            if self._tallest is not None and hump.index - self._tallest.index >= REFRACTORY:
                self._judge(self._tallest)
                self._tallest = None
            if self._tallest is None or hump.height > self._tallest.height:
                self._tallest = hump
        if self._tallest is not None and self._end - self._tallest.index > REFRACTORY:
            self._judge(self._tallest)
            self._tallest = None
        self._energy = self._energy[-HISTORY:]

    @property
    def rate(self) -> float | None:
        """Beats per minute, or None when unsure.

        The median of the last eight intervals; unsure with fewer than three of them in 15 s, after 3 s without a beat,
        and where beats do not stand out from the rest.
        """
        recent = [interval for interval in self._intervals if self._end - interval.end <= STALE]
        if self._beat is None or self._end - self._beat.index > PATIENCE or len(recent) < LEAST:
            return None
        if median(interval.clearness for interval in recent) < CLEAR:
            return None
        return 60 * RATE / median(interval.length for interval in recent)

    def _humps(self, x: NDArray[np.float32]) -> list[_Hump]:
        """The local maxima of the energy that these samples complete."""
        fresh = self._smooth.push(np.abs(self._band.push(x[None])))[0]
        self._energy = np.concatenate([self._energy, fresh])
        self._end += len(x)
        before, middle, after = (self._energy[len(self._energy) - len(x) - lag :][: len(x)] for lag in (2, 1, 0))
        tops = np.flatnonzero((before < middle) & (middle >= after) & (middle >= SMALLEST))
        missing = self._missing + np.cumsum(np.isnan(fresh))
        self._missing += int(np.isnan(fresh).sum())
        first = self._end - len(x) - 1
        return [_Hump(first + top, float(middle[top]), int(missing[top])) for top in tops.tolist()]

    def _judge(self, hump: _Hump) -> None:
        """Beat or not: known at once, or held until there is enough to learn from."""
        if self._beat is not None and hump.index - self._beat.index > PATIENCE:
            self._forget()
        if self._beat is not None:
            self._compare(hump)
            return
        self._unjudged = [*(held for held in self._unjudged if hump.index - held.index <= PATIENCE), hump]
        if hump.index - self._unjudged[0].index >= LEARNING:
            held, self._unjudged = self._unjudged, []
            self._beat_heights.append(max(each.height for each in held))
            for each in held:
                self._compare(each)

    def _forget(self) -> None:
        self._beat = self._passed_over = None
        self._beat_heights.clear()
        self._other_heights.clear()

    def _compare(self, hump: _Hump) -> None:
        """Beat or not, by the heights of those before."""
        beat_height = median(self._beat_heights)
        rest = median(self._other_heights) if self._other_heights else 0.0
        threshold = rest + THRESHOLD * (beat_height - rest)
        if self._is_overdue(hump.index) and self._passed_over and self._passed_over.height >= threshold / 2:
            self._accept(self._passed_over)
        if hump.height >= threshold and not self._is_t_wave(hump):
            self._accept(hump)
            return
        self._other_heights.append(hump.height)
        is_taller = self._passed_over is None or hump.height > self._passed_over.height
        if is_taller and not self._is_t_wave(hump):
            self._passed_over = hump

    def _is_overdue(self, index: int) -> bool:
        if self._beat is None or not self._intervals:
            return False
        return index - self._beat.index > OVERDUE * median(interval.length for interval in self._intervals)

    def _is_t_wave(self, hump: _Hump) -> bool:
        beat = self._beat
        return beat is not None and hump.index - beat.index < T_WAVE and hump.height < beat.height / 2

    def _accept(self, hump: _Hump) -> None:
        if self._beat is not None and self._beat.missing == hump.missing:
            self._intervals.append(self._interval(self._beat, hump))
        self.beats.append(hump.index - DELAY)
        self._beat_heights.append(hump.height)
        self._beat, self._passed_over = hump, None

    def _interval(self, first: _Hump, second: _Hump) -> _Interval:
        start = self._end - len(self._energy)
        usual = float(np.median(self._energy[first.index - start : second.index - start]))
        height = min(first.height, second.height)
        return _Interval(second.index, second.index - first.index, height / max(usual, NOTHING))
