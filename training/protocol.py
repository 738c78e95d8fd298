"""The evaluation protocol of docs/design.md: bands, what is counted, and the figures."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from engine.leads import RATE

LEAST_TRUTH_UV = 10.0
"""A lead with less than this peak to peak in truth is left out and counted."""


@dataclass(frozen=True)
class Band:
    """A pass band applied without phase to truth and estimate alike.

    Attributes
    ----------
    name : str
        As printed, in Hz.
    high_pass, low_pass : tuple of (float, int)
        Corner in Hz and order of each Butterworth filter.
    rate : int
        Rate in Hz of the PTB-XL records it is judged on.
    """

    name: str
    high_pass: tuple[float, int]
    low_pass: tuple[float, int]
    rate: int

    def apply(self, leads: NDArray[np.floating]) -> NDArray[np.float64]:
        """The leads (..., n) at 500 Hz within the band."""
        for kind, (corner, order) in (("highpass", self.high_pass), ("lowpass", self.low_pass)):
            leads = sosfiltfilt(_sections(kind, corner, order), leads, axis=-1)
        return np.asarray(leads, np.float64)


@cache
def _sections(kind: str, corner: float, order: int) -> NDArray[np.float64]:
    """A Butterworth filter at 500 Hz; designed once, as a design costs as much as its use."""
    return np.asarray(butter(order, corner, kind, fs=RATE, output="sos"), np.float64)


MONITOR = Band("0.5-40", (0.5, 3), (40.0, 3), 100)
DIAGNOSTIC = Band("0.05-150", (0.05, 1), (150.0, 4), 500)
BANDS = (MONITOR, DIAGNOSTIC)


@dataclass(frozen=True)
class Figures:
    """Figures of leads against truth, one value a row.

    Attributes
    ----------
    r : ndarray
        Pearson correlation.
    rmse_uv, mae_uv : ndarray
        Errors in uV.
    snr_db : ndarray
        Power of the truth without its mean over power of the error, in dB.
    counted : ndarray of bool
        False where the truth is too small to be judged, or either has a gap.
    """

    r: NDArray[np.float64]
    rmse_uv: NDArray[np.float64]
    mae_uv: NDArray[np.float64]
    snr_db: NDArray[np.float64]
    counted: NDArray[np.bool_]


def compare(truth: NDArray[np.floating], estimate: NDArray[np.floating]) -> Figures:
    """Figures of each row of an estimate, both (..., n) in mV."""
    t = truth - truth.mean(axis=-1, keepdims=True)
    e = estimate - estimate.mean(axis=-1, keepdims=True)
    error = np.asarray(estimate - truth, np.float64)
    tiny = np.finfo(np.float64).tiny
    power = (t**2).sum(axis=-1)
    r = (t * e).sum(axis=-1) / np.sqrt(np.maximum(power * (e**2).sum(axis=-1), tiny))
    noise = np.maximum((error**2).sum(axis=-1), tiny)
    return Figures(
        r=r,
        rmse_uv=1000 * np.sqrt((error**2).mean(axis=-1)),
        mae_uv=1000 * np.abs(error).mean(axis=-1),
        snr_db=10 * (np.log10(np.maximum(power, tiny)) - np.log10(noise)),
        counted=(np.ptp(truth, axis=-1) * 1000 >= LEAST_TRUTH_UV) & np.isfinite(error).all(axis=-1),
    )
