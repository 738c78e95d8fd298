"""The least-squares solution of every set of known leads, from one covariance."""

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEPENDENT
from training.pack import COUNTS_PER_MV, Pack

RIDGE = 1e-3
LARGEST_MV = 8.0


def covariance(pack: Pack) -> NDArray[np.float64]:
    """Covariance of the independent leads over packed targets, (8, 8) in mV^2.

    Pieces that lack a lead tell nothing of it and the others; those that reach beyond 8 mV are artefact. Both are left
    out.

    Raises
    ------
    SourceError
        If no piece is left.
    """
    total = np.zeros((len(INDEPENDENT), len(INDEPENDENT)))
    count = 0
    for piece, held in zip(pack.target, pack.held, strict=True):
        leads = piece.astype(np.float64) / COUNTS_PER_MV
        if held.all() and np.abs(leads).max() < LARGEST_MV:
            total += leads @ leads.T
            count += leads.shape[1]
    if not count:
        raise SourceError("none of the recordings holds 10 s of all eight independent leads; check --data")
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
