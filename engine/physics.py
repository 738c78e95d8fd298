"""What follows exactly: the limb leads from any two of them, and the matrix that makes twelve of eight.

Sources: Einthoven 1912 (III = II - I); Goldberger 1942 (aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2).
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.leads import CHEST, INDEPENDENT, INDEX, LEADS, LIMB, Origin

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


def solve(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]:
    """The independent leads and the origins that follow from what was measured.

    At each sample I and II are solved from the first pair of limb leads that is measured there, I and II themselves
    before any other. Limb leads that follow are computed in double precision, so no rounding of one enters another.

    Parameters
    ----------
    samples : ndarray, (12, n) float32, mV
        Measured leads; NaN where nothing was measured.

    Returns
    -------
    known : ndarray, (12, n) float32, mV
        Measured and computed leads; NaN where neither.
    mask : ndarray, (8, n) bool
        Which independent leads are known.
    origin : ndarray, (12, n) uint8
        `Origin` MEASURED, COMPUTED, or ESTIMATED for what is left; NONE where nothing at all is known.
    """
    measured = ~np.isnan(samples)
    known = samples.copy()
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
        Measured leads; NaN where nothing was measured.

    Returns
    -------
    dict of str to float
        For each measured limb lead beyond the pair that the others are computed from: root mean square residual
        in uV. Empty where nothing is redundant.
    """
    present = [row for row in range(6) if not np.isnan(samples[row]).all()]
    pair = next((pair for pair in _PAIRS if pair[0] in present and pair[1] in present), None)
    if pair is None:
        return {}
    both = samples[list(pair)].astype(np.float64)
    residuals = {}
    for row in present:
        if row not in pair:
            expected = LIMB_MATRIX[row] @ _PAIR_SOLUTIONS[pair] @ both
            difference = samples[row] - expected
            if not np.isnan(difference).all():
                residuals[LIMB[row]] = 1000 * float(np.sqrt(np.nanmean(difference**2)))
    return residuals


def _limb_patterns(measured: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The distinct columns of a (6, n) mask, and which of them each column is."""
    if measured.shape[1] and (measured == measured[:, :1]).all():
        return measured[:, :1].T, np.zeros(measured.shape[1], np.intp)
    numbers = (1 << np.arange(6)) @ measured  # a bit a lead: far faster than looking for equal columns
    present = np.flatnonzero(np.bincount(numbers))
    return (present[:, None] >> np.arange(6) & 1).astype(bool), np.searchsorted(present, numbers)
