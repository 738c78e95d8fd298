"""Leads that carry no signal: a lead that stands still or stays away is off, and must not feed the network."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from engine.leads import LEADS, RATE

# Nothing of a heart is this still for a second, not even between slow beats: of 14,200 real leads (PTB-XL at 500 Hz,
# LUDB, the challenge's, and CinC 2011's acceptable records) none falls below 20 uV, but the 15 that stand still to the
# count, and of CinC 2011's unacceptable ones 853 stand still to the count where only 5 more fall below 20 uV. A dead
# electrode and a saturated amplifier are both of that kind, so one rule finds them.
WINDOW = RATE
STILL_MV = 0.010

AWAY = RATE // 2
"""A lead that did not arrive for so long (0.5 s) is off; a shorter gap is a gap."""


class LeadSignal:
    """Watches which leads carry a signal, sample by sample.

    A lead is still where its last second of known samples spans less than 10 uV peak to peak. It is back with the first
    sample that moves.
    """

    def __init__(self) -> None:
        self._recent = [np.empty(0, np.float32) for _ in LEADS]
        self._still = np.zeros(len(LEADS), bool)
        self._measured = np.zeros(len(LEADS), bool)
        self._away = np.zeros(len(LEADS), int)

    def push(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples without what carries no signal.

        Parameters
        ----------
        x : ndarray, (12, n) float32, mV
            In the order of `engine.leads.LEADS`; NaN where nothing was measured.

        Returns
        -------
        ndarray, (12, n) float32, mV
            A copy, NaN also where a lead is still, from the sample at which that was recognised.
        """
        known = np.isfinite(x)
        kept = np.where(known, x, np.float32(np.nan))
        for row, samples in enumerate(x):
            columns = np.flatnonzero(known[row])
            if not len(columns):
                self._away[row] += len(samples)
                continue
            still = self._stillness(row, samples[columns])
            kept[row, columns[still]] = np.nan
            self._still[row] = still[-1]
            self._away[row] = len(samples) - 1 - columns[-1]
            self._measured[row] = True
        return kept

    @property
    def leads_off(self) -> tuple[str, ...]:
        """The leads that were measured once and carry no signal now."""
        off = self._measured & (self._still | (self._away >= AWAY))
        return tuple(LEADS[row] for row in np.flatnonzero(off))

    def _stillness(self, row: int, samples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether the window that ends at each of these known samples is full and still."""
        recent = np.concatenate([self._recent[row], samples])
        self._recent[row] = recent[-(WINDOW - 1) :]
        origin = (WINDOW - 1) // 2  # the window ends at its sample
        span = maximum_filter1d(recent, WINDOW, origin=origin) - minimum_filter1d(recent, WINDOW, origin=origin)
        full = np.arange(len(recent)) >= WINDOW - 1
        return np.asarray((full & (span < STILL_MV))[-len(samples) :])
