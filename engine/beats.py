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
LOST = RATE
"""A lead that was not known for so long (1 s) is said to be so: a shorter gap costs a beat or two."""
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

NOT_KNOWN = "lead II is not known"
LEARNS = "learning"
NO_BEAT = f"no beat for {PATIENCE // RATE} s"
NOT_CLEAR = "beats are not clear"


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat, and the heart rate with it.

    Attributes
    ----------
    index : int
        Of its R peak.
    rate : float or None
        Beats per minute as known when the beat was recognised, some 0.2 s after it (the first ones, and one that was
        overlooked at first, up to 3 s); None when unsure.
    why : str
        Why the rate is unsure, for people; empty where it is sure.
    """

    index: int
    rate: float | None
    why: str


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
    """Finds beats in one lead (II) at 500 Hz, whatever the chunks."""

    def __init__(self) -> None:
        self._band = SectionFilter(butter(2, BAND, "bandpass", fs=RATE, output="sos"), 1)
        self._smooth = SectionFilter(butter(2, SMOOTHING, fs=RATE, output="sos"), 1)
        self._energy = np.full(HISTORY, np.nan, np.float32)
        self._end = 0
        self._known = -LOST - 1  # the last sample that was; at first it has long been none
        self._known_since = self._known
        self._missing = 0
        self._tallest: _Hump | None = None
        self._unjudged: list[_Hump] = []
        self._beat: _Hump | None = None
        self._passed_over: _Hump | None = None
        self._intervals: deque[_Interval] = deque(maxlen=RECENT)
        self._beat_heights: deque[float] = deque(maxlen=RECENT)
        self._other_heights: deque[float] = deque(maxlen=RECENT)

    def push(self, x: NDArray[np.float32]) -> list[Beat]:
        """Take the next samples.

        Parameters
        ----------
        x : ndarray, (n,) float32, mV
            Not finite where nothing was measured.

        Returns
        -------
        list of Beat
            Those that these samples make sure of, in order of index.
        """
        self._follow(x)
        beats = []
        for hump in self._humps(x):
            beats += self._judge_tallest(hump.index)
            if self._tallest is None or hump.height > self._tallest.height:
                self._tallest = hump
        beats += self._judge_tallest(self._end - 1)
        self._energy = self._energy[-HISTORY:]
        return beats

    def skip(self, length: int) -> list[Beat]:
        """A gap: the same as to push so many missing samples, at the same cost however many.

        Parameters
        ----------
        length : int
            Samples.

        Returns
        -------
        list of Beat
            Those before the gap that nothing can change any more.
        """
        told = min(length, HISTORY)  # all that is kept of samples is missing then, and only indices move on
        beats = self.push(np.full(told, np.nan, np.float32))
        self._end += length - told
        self._missing += length - told
        return beats

    @property
    def rate(self) -> float | None:
        """Beats per minute, or None when unsure.

        The median of the last eight intervals; unsure with fewer than three of them in 15 s, after 3 s without a beat,
        and where beats do not stand out from the rest.
        """
        return self._rate_and_doubt(self._end)[0]

    @property
    def why(self) -> str:
        """Why the rate is unsure, for people; empty where it is sure."""
        return self._rate_and_doubt(self._end)[1]

    def _rate_and_doubt(self, now: int) -> tuple[float | None, str]:
        intervals = [interval for interval in self._intervals if now - interval.end <= STALE]
        doubt = self._doubt(now, intervals)
        return (None, doubt) if doubt else (60 * RATE / median(interval.length for interval in intervals), "")

    def _doubt(self, now: int, intervals: list[_Interval]) -> str:
        """What makes the rate unsure; a lead that is not known before anything that follows from it."""
        doubt = self._doubt_of_beats(now, intervals)
        return NOT_KNOWN if doubt and now - self._known > LOST else doubt

    def _doubt_of_beats(self, now: int, intervals: list[_Interval]) -> str:
        last = self._beat.index if self._beat is not None else self._known_since
        if now - max(last, self._known_since) > PATIENCE:
            return NO_BEAT
        if self._beat is None or now - last > PATIENCE or len(intervals) < LEAST:
            return LEARNS
        return NOT_CLEAR if median(interval.clearness for interval in intervals) < CLEAR else ""

    def _follow(self, x: NDArray[np.float32]) -> None:
        """Note where the lead was known last, and since when without a long gap."""
        known = np.append(self._known, self._end + np.flatnonzero(np.isfinite(x)))
        anew = np.flatnonzero(known[1:] - known[:-1] > LOST) + 1
        if len(anew):
            self._known_since = int(known[anew[-1]])
        self._known = int(known[-1])

    def _humps(self, x: NDArray[np.float32]) -> list[_Hump]:
        """The local maxima of the energy that these samples complete."""
        fresh = self._smooth.push(np.abs(self._band.push(x[None])))[0]
        self._energy = np.concatenate([self._energy, fresh])
        self._end += len(x)
        before, middle, after = (self._energy[len(self._energy) - len(x) - lag :][: len(x)] for lag in (2, 1, 0))
        tops = np.flatnonzero((before < middle) & (middle >= after) & (middle >= SMALLEST))
        is_missing = np.isnan(fresh)
        missing = self._missing + np.cumsum(is_missing)
        self._missing += int(is_missing.sum())
        first = self._end - len(x) - 1
        return [_Hump(first + top, float(middle[top]), int(missing[top])) for top in tops.tolist()]

    def _judge_tallest(self, now: int) -> list[Beat]:
        """Judge the tallest of recent humps once none that is as close to it can come any more."""
        tallest = self._tallest
        if tallest is None or now - tallest.index < REFRACTORY:
            return []
        self._tallest = None
        return self._judge(tallest)

    def _judge(self, hump: _Hump) -> list[Beat]:
        """Beat or not: known at once, or held until there is enough to learn from."""
        if self._beat is not None and hump.index - self._beat.index > PATIENCE:
            self._forget()
        if self._beat is not None:
            return self._compare(hump)
        self._unjudged = [*(held for held in self._unjudged if hump.index - held.index <= PATIENCE), hump]
        if hump.index - self._unjudged[0].index < LEARNING:
            return []
        held, self._unjudged = self._unjudged, []
        self._beat_heights.append(max(each.height for each in held))
        return [beat for each in held for beat in self._compare(each)]

    def _forget(self) -> None:
        self._beat = self._passed_over = None
        self._beat_heights.clear()
        self._other_heights.clear()

    def _compare(self, hump: _Hump) -> list[Beat]:
        """Beat or not, by the heights of those before; an overdue beat that was passed over comes with it."""
        beat_height = median(self._beat_heights)
        rest = median(self._other_heights) if self._other_heights else 0.0
        threshold = rest + THRESHOLD * (beat_height - rest)
        beats = []
        if self._is_overdue(hump.index) and self._passed_over and self._passed_over.height >= threshold / 2:
            beats.append(self._accept(self._passed_over, hump.index))
        if hump.height >= threshold and not self._is_t_wave(hump):
            return [*beats, self._accept(hump, hump.index)]
        self._other_heights.append(hump.height)
        is_taller = self._passed_over is None or hump.height > self._passed_over.height
        if is_taller and not self._is_t_wave(hump):
            self._passed_over = hump
        return beats

    def _is_overdue(self, index: int) -> bool:
        if self._beat is None or not self._intervals:
            return False
        return index - self._beat.index > OVERDUE * median(interval.length for interval in self._intervals)

    def _is_t_wave(self, hump: _Hump) -> bool:
        beat = self._beat
        return beat is not None and hump.index - beat.index < T_WAVE and hump.height < beat.height / 2

    def _accept(self, hump: _Hump, now: int) -> Beat:
        """Take a hump for a beat; the rate is that at the hump with which this was known, however the chunk goes on."""
        if self._beat is not None and self._beat.missing == hump.missing:
            self._intervals.append(self._interval(self._beat, hump))
        self._beat_heights.append(hump.height)
        self._beat, self._passed_over = hump, None
        return Beat(hump.index - DELAY, *self._rate_and_doubt(now))

    def _interval(self, first: _Hump, second: _Hump) -> _Interval:
        start = self._end - len(self._energy)
        usual = float(np.median(self._energy[first.index - start : second.index - start]))
        height = min(first.height, second.height)
        return _Interval(second.index, second.index - first.index, height / max(usual, NOTHING))
