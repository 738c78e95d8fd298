"""What follows exactly: the limb leads from any two of them, and the matrix that makes twelve of eight.

Sources: Einthoven 1912 (III = II - I); Goldberger 1942 (aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.leads import CHEST, INDEPENDENT, INDEX, LEADS, LIMB, RATE, Origin

LIMB_MATRIX = np.array(
    [[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0], [-0.5, -0.5], [1.0, -0.5], [-0.5, 1.0]],
)
"""(6, 2): the limb leads in the order of `LIMB` from I and II."""

MATRIX = np.zeros((len(LEADS), len(INDEPENDENT)))
"""(12, 8): twelve leads from the eight independent ones."""
MATRIX[:6, :2] = LIMB_MATRIX
MATRIX[6:, 2:] = np.eye(len(CHEST))

_PAIRS = sorted(combinations(range(6), 2), key=lambda pair: (pair != (0, 1), pair))
_PAIR_SOLUTIONS = {pair: np.linalg.inv(LIMB_MATRIX[list(pair)]) for pair in _PAIRS}

DISAGREE_UV = 50.0
"""Redundant limb leads that stray by more have a swapped or a bad electrode, or did not come from one device."""
AGREE_UV = DISAGREE_UV / 2
"""Once they disagree they agree again below this: a residual near the limit does not make it come and go."""


def solve(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]:
    """The independent leads and the origins that follow from what was measured.

    At each sample I and II are solved from the first pair of limb leads that is measured there, I and II themselves
    before any other. Limb leads that follow are computed in double precision, so no rounding of one enters another.

    Parameters
    ----------
    samples : ndarray, (12, n) float32, mV
        Measured leads; not finite where nothing was measured.

    Returns
    -------
    known : ndarray, (12, n) float32, mV
        Measured and computed leads; NaN where neither.
    mask : ndarray, (8, n) bool
        Which independent leads are known.
    origin : ndarray, (12, n) uint8
        `Origin` MEASURED, COMPUTED, or ESTIMATED for what is left; NONE where nothing at all is known.
    """
    measured = np.isfinite(samples)
    known = np.where(measured, samples, np.float32(np.nan))
    origin = np.full(samples.shape, Origin.ESTIMATED, np.uint8)
    patterns, which = _limb_patterns(measured[:6])
    for number, pattern in enumerate(patterns):
        pair = next((pair for pair in _PAIRS if pattern[pair[0]] and pattern[pair[1]]), None)
        if pair is None:
            continue
        columns = slice(None) if len(patterns) == 1 else np.flatnonzero(which == number)
        missing = np.flatnonzero(~pattern)
        first, second = (samples[row, columns].astype(np.float64) for row in pair)
        for row, (one, other) in zip(missing, LIMB_MATRIX[missing] @ _PAIR_SOLUTIONS[pair], strict=True):
            # Element by element: the rounding of a matrix product depends on how many columns it has.
            known[row, columns] = one * first + other * second
            origin[row, columns] = Origin.COMPUTED
    origin[measured] = Origin.MEASURED
    origin[:, ~measured.any(axis=0)] = Origin.NONE
    mask = ~np.isnan(known[[INDEX[lead] for lead in INDEPENDENT]])
    return known, mask, origin


def limb_residual_uv(samples: NDArray[np.float32]) -> dict[str, float]:
    """How far redundant limb leads stray from what the others say they are: a swap or a bad electrode shows here.

    Parameters
    ----------
    samples : ndarray, (12, n) float32, mV
        Measured leads; not finite where nothing was measured. Of them the limb leads alone are looked at.

    Returns
    -------
    dict of str to float
        For each measured limb lead beyond the pair that the others are computed from: root mean square residual
        in uV. Empty where nothing is redundant.
    """
    known = np.isfinite(samples[: len(LIMB)])
    limb = np.where(known, samples[: len(LIMB)], np.float32(np.nan))
    present = np.flatnonzero(known.any(axis=1)).tolist()
    pair = next((pair for pair in _PAIRS if pair[0] in present and pair[1] in present), None)
    if pair is None:
        return {}
    first, second = (limb[row].astype(np.float64) for row in pair)
    redundant = [row for row in present if row not in pair]
    residuals = {}
    for row, (one, other) in zip(redundant, LIMB_MATRIX[redundant] @ _PAIR_SOLUTIONS[pair], strict=True):
        difference = limb[row] - (one * first + other * second)
        told = difference[np.isfinite(difference)]
        if len(told):
            residuals[LIMB[row]] = 1000 * float(np.sqrt(np.mean(told**2)))
    return residuals


@dataclass(frozen=True, slots=True)
class LimbChange:
    """A redundant limb lead began to disagree with the others, or agrees again.

    Attributes
    ----------
    index : int
        The last of the second in which it did; the first sample ever is 0, and gaps that were skipped count.
    lead : str
        Which one.
    residual_uv : float
        How far it strayed in that second: see `limb_residual_uv`.
    disagree : bool
        Disagrees, or agrees again.
    """

    index: int
    lead: str
    residual_uv: float
    disagree: bool


class LimbCheck:
    """Watches the redundant limb leads of a stream at 500 Hz, second by second; there are none among fewer than three.

    A lead disagrees when its residual exceeds `DISAGREE_UV`, and agrees again when it is below `AGREE_UV`. Where a
    second tells nothing of a lead, the last verdict stands.

    Parameters
    ----------
    leads : iterable of str
        Those that are measured.
    """

    def __init__(self, leads: Iterable[str]) -> None:
        self._watches = sum(lead in LIMB for lead in leads) > 2
        self._second = np.full((len(LIMB), RATE), np.nan, np.float32)  # NaN from the end of the stream on
        self._end = 0
        self._disagreeing: set[str] = set()

    def push(self, measured: NDArray[np.float32]) -> list[LimbChange]:
        """What changed in the seconds that these samples complete.

        Parameters
        ----------
        measured : ndarray, (12, n) float32, mV
            The next samples; not finite where nothing was measured.

        Returns
        -------
        list of LimbChange
            In order of index, then of `engine.leads.LEADS`.
        """
        if not self._watches:
            self._end += measured.shape[1]
            return []
        changes = []
        while measured.shape[1]:
            place = self._end % RATE
            part, measured = measured[: len(LIMB), : RATE - place], measured[:, RATE - place :]
            self._second[:, place : place + part.shape[1]] = part
            self._end += part.shape[1]
            if self._end % RATE == 0:
                changes += self._judge(self._end - 1)
        return changes

    def skip(self, length: int) -> list[LimbChange]:
        """A gap: the same as to push so many missing samples, at the same cost however many."""
        left = RATE - self._end % RATE
        changes = self._judge(self._end + left - 1) if self._watches and length >= left else []
        self._end += length
        return changes

    def _judge(self, index: int) -> list[LimbChange]:
        """Judge the second that ends with this index, and begin the next."""
        residuals = limb_residual_uv(self._second)
        self._second.fill(np.nan)
        changes = []
        for lead, residual in residuals.items():
            did = lead in self._disagreeing
            does = residual >= AGREE_UV if did else residual > DISAGREE_UV
            if does != did:
                self._disagreeing ^= {lead}
                changes.append(LimbChange(index, lead, residual, does))
        return changes


def _limb_patterns(measured: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The distinct columns of a (6, n) mask, and which of them each column is."""
    if measured.shape[1] and (measured == measured[:, :1]).all():
        return measured[:, :1].T, np.zeros(measured.shape[1], np.intp)
    numbers = (1 << np.arange(6)) @ measured  # a bit a lead: far faster than looking for equal columns
    present = np.flatnonzero(np.bincount(numbers))
    return (present[:, None] >> np.arange(6) & 1).astype(bool), np.searchsorted(present, numbers)
