"""Recordings that are read whole, as their kind of file has no places: samples by when they were taken."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX
from stream.sources.record import Run
from stream.stamps import lay_out

SAME_RATE = 0.0005
"""A rate that is found so near a whole number is that number."""
SURE = 0.25
"""Of a sample: stamps that all lie so near a multiple of the period need no fit."""
LARGEST_STEP = 1.6
"""Times the usual one, as a clock may be coarse: further on there is a gap."""
WRONG_RATE = 0.01
"""Of the rate: further off the stamps are not those of these samples."""


def one_run(samples: NDArray[np.float32], leads: tuple[str, ...]) -> list[Run]:
    """Samples of (leads, n) mV that follow one another."""
    rows = tuple(INDEX[lead] for lead in leads)
    return [Run(0, samples.shape[1], rows, partial(_some, samples))]


def laid_out(
    samples: NDArray[np.float32], leads: tuple[str, ...], stamps: NDArray[np.float64], rate: float
) -> list[Run]:
    """Samples of (leads, n) mV where their stamps (s) say that they belong."""
    with np.errstate(over="ignore", invalid="ignore"):  # times of a damaged file may be anything
        indices = _on_grid(stamps, rate)
        if indices is None:
            indices = np.arange(len(stamps)) if _go_on(stamps, rate) else lay_out(stamps, rate).indices
    order = np.flatnonzero(indices >= 0)
    if (np.diff(indices[order]) < 0).any():  # some were recorded after later ones
        order = order[np.argsort(indices[order], kind="stable")]
    indices, samples = indices[order], samples[:, order]
    edges = [0, *(np.flatnonzero(np.diff(indices) > 1) + 1).tolist(), len(indices)]
    rows = tuple(INDEX[lead] for lead in leads)
    first_index = int(indices[0])
    return [
        Run(int(indices[first]) - first_index, last - first, rows, partial(_some, samples[:, first:last]))
        for first, last in pairwise(edges)
    ]


def rate_of(path: Path, stamps: NDArray[np.float64]) -> float:
    """Samples per second, from when these were taken (s).

    Raises
    ------
    SourceError
        If times do not grow.
    """
    steps = np.diff(stamps[np.isfinite(stamps)])
    forward = steps[steps > 0]
    if not len(forward):
        raise SourceError(f"{path}: its times do not grow; leave them out and say --rate, for example --rate 500")
    # A clock may be coarser than the samples; what is longer than its usual step is a gap.
    usual = steps[(steps >= 0) & (steps <= LARGEST_STEP * np.median(forward))]
    rate = 1 / float(usual.mean())
    whole, exact = float(round(rate)), round(rate, 3)
    slack = SAME_RATE + 0.5 / len(stamps)
    with np.errstate(over="ignore", invalid="ignore"):
        is_exact = _on_grid(stamps, whole) is None and _on_grid(stamps, exact) is not None
    return exact if is_exact or abs(rate - whole) > slack * rate else whole


def _on_grid(stamps: NDArray[np.float64], rate: float) -> NDArray[np.int64] | None:
    """The indices that stamps are, if they leave no doubt: each next to one, and later than the one before."""
    exact = (stamps - stamps[0]) * rate
    nearest = np.rint(exact)
    is_sure = (np.abs(exact - nearest) <= SURE).all() and (np.diff(nearest) > 0).all() and nearest[-1] < 2**62
    return nearest.astype(np.int64) if is_sure else None


def _go_on(stamps: NDArray[np.float64], rate: float) -> bool:
    """Whether no stamp is so much later than the one before that something may be missing, at the rate that is said.

    Of a clock that is coarser than the samples some stamps are alike.
    """
    steps = np.diff(stamps)
    forward = steps[steps > 0]
    if not len(forward) or not (steps >= 0).all() or abs(1 / steps.mean() - rate) > WRONG_RATE * rate:
        return False
    return bool((steps <= LARGEST_STEP * np.median(forward)).all())


def _some(samples: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float32]:
    return samples[:, start:stop]
