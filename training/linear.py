"""The least-squares solution of every set of known leads, from one covariance."""

import numpy as np
from numpy.typing import NDArray

from engine.leads import INDEPENDENT
from training.pack import COUNTS_PER_MV

RIDGE = 1e-3
LARGEST_MV = 8.0


def covariance(target: NDArray[np.int16]) -> NDArray[np.float64]:
    """Covariance of the independent leads over packed pieces, (8, 8) in mV^2.

    Pieces that reach beyond 8 mV are artefact and are left out.
    """
    total = np.zeros((len(INDEPENDENT), len(INDEPENDENT)))
    count = 0
    for piece in target:
        leads = piece.astype(np.float64) / COUNTS_PER_MV
        if np.abs(leads).max() < LARGEST_MV:
            total += leads @ leads.T
            count += leads.shape[1]
    return total / count


def table(cov: NDArray[np.float64]) -> NDArray[np.float32]:
    """For each of the 256 sets of known leads the matrix from them to all eight, (256, 8, 8).

    Set number: bit k stands for lead k of `INDEPENDENT`. Ordinary least squares of zero-mean leads,
    with a ridge of a thousandth of the mean variance against leads that nearly repeat each other.
    """
    leads = len(INDEPENDENT)
    matrices = np.zeros((2**leads, leads, leads), np.float32)
    ridge = RIDGE * np.trace(cov) / leads
    for number in range(1, 2**leads):
        known = [k for k in range(leads) if number >> k & 1]
        unknown = [k for k in range(leads) if k not in known]
        inner = cov[np.ix_(known, known)] + ridge * np.eye(len(known))
        matrices[number][np.ix_(unknown, known)] = np.linalg.solve(inner, cov[np.ix_(known, unknown)]).T
        matrices[number][known, known] = 1
    return matrices
