"""Causal filters with state: what the screen shows is band-limited sample by sample, however the stream is cut."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi

from engine.errors import UsageError
from engine.leads import RATE

BANDS: dict[str, tuple[float, float] | None] = {"monitor": (0.5, 40.0), "diagnostic": (0.05, 150.0), "none": None}
"""Corners (-3 dB) in Hz: at least as wide as IEC 60601-2-27 asks of monitors (0.67-40 Hz) and IEC 60601-2-25 of
electrocardiographs (0.05-150 Hz)."""

BAND_LABEL = {"monitor": "0.5-40 Hz", "diagnostic": "0.05-150 Hz", "none": "no filter"}
"""The bands as they stand on the page."""

MAINS = (50.0, 60.0)

# A single pole undershoots least after a QRS and never swings back: the impulse test of IEC 60601-2-25 (3 mV for
# 100 ms must leave less than 0.1 mV) is the response of one pole at 0.05 Hz.
HIGH_PASS_ORDER = 1
# Two poles overshoot a step by 4 % and delay it by 6 ms at 40 Hz; four would overshoot by 11 % and paint false S waves.
LOW_PASS_ORDER = 2
# 1.7 Hz wide at 50 Hz: narrow enough that a QRS barely feels it, wide enough for mains off by 0.5 Hz.
NOTCH_QUALITY = 30

Sections = NDArray[np.float64]


@dataclass(frozen=True)
class _State:
    """Where the filter stands after a sample: memory (sections, rows, 2), and which rows that sample was known in."""

    memory: NDArray[np.float64]
    known: NDArray[np.bool_]


class SectionFilter:
    """Filters rows of samples as they come, by any second-order sections.

    Each row starts as if its first sample had been there for ever, so an electrode offset leaves no transient. A sample
    that is not finite gives NaN, and the next known one starts its row anew: a gap never rings.

    Parameters
    ----------
    sections : ndarray, (sections, 6) float64
        As scipy.signal designs them.
    rows : int
        How many signals there are.
    """

    def __init__(self, sections: Sections, rows: int) -> None:
        self._sections = sections
        self._rest = sosfilt_zi(sections)[:, None, :]
        self._state = _State(np.zeros((len(sections), rows, 2)), np.zeros(rows, bool))

    def push(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, filtered.

        Parameters
        ----------
        x : ndarray, (rows, n) float32
            Not finite where nothing was measured.

        Returns
        -------
        ndarray, (rows, n) float32
            NaN where nothing was measured.
        """
        filtered, self._state = self._run(x)
        return filtered

    def peek(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """What `push` would return, without taking the samples."""
        return self._run(x)[0]

    def _run(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], _State]:
        """Filter stretch by stretch: between two columns where a row comes or goes, all known rows go at once."""
        filtered = np.full(x.shape, np.nan, np.float32)
        memory, before = self._state.memory.copy(), self._state.known
        known = np.isfinite(x)
        changes = np.flatnonzero((known[:, 1:] != known[:, :-1]).any(axis=0)) + 1
        bounds = [0, *changes.tolist(), x.shape[1]] if x.shape[1] else []
        for start, stop in pairwise(bounds):
            now = known[:, start]
            fresh = now & ~before
            memory[:, fresh] = self._rest * x[fresh, start, None].astype(np.float64)
            if now.any():
                stretch = x[now, start:stop].astype(np.float64)
                filtered[now, start:stop], memory[:, now] = sosfilt(self._sections, stretch, axis=1, zi=memory[:, now])
            before = now
        return filtered, _State(memory, before)


class CausalFilter(SectionFilter):
    """The filter of the screen at 500 Hz.

    Parameters
    ----------
    band : str
        One of `BANDS`.
    rows : int
        How many signals there are.
    mains : float, optional
        50 or 60 Hz to notch out; nothing is if not given.

    Raises
    ------
    UsageError
        If there is no such band or mains frequency.
    """

    def __init__(self, band: str, rows: int, mains: float | None = None) -> None:
        super().__init__(_sections(band, mains), rows)


def _sections(band: str, mains: float | None) -> Sections:
    """Second-order sections of the band and the notch, (sections, 6)."""
    if band not in BANDS:
        raise UsageError(f"'{band}' is not a filter; choose {', '.join(BANDS)}")
    if mains is not None and mains not in MAINS:
        raise UsageError(f"mains of {mains:g} Hz; choose 50 or 60")
    sections = [np.array([[1.0, 0, 0, 1, 0, 0]])]  # passes all: "none" filters like the others
    corners = BANDS[band]
    if corners is not None:
        high_pass, low_pass = corners
        sections = [
            butter(HIGH_PASS_ORDER, high_pass, "highpass", fs=RATE, output="sos"),
            butter(LOW_PASS_ORDER, low_pass, "lowpass", fs=RATE, output="sos"),
        ]
    if mains is not None:
        sections.append(np.concatenate(iirnotch(mains, NOTCH_QUALITY, fs=RATE))[None])
    return np.concatenate(sections)
