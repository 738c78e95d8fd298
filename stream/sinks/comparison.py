"""Derived leads against the recording's own, and redundant limb leads against the others, in constant memory."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import physics
from engine.filters import CausalFilter
from engine.leads import INDEX, LEADS, Origin
from stream.items import Block, Event, Item

BAND = "monitor"
"""Of the comparison; without it r would tell of baseline wander."""


class LeadFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """A lead and, where the recording holds it, how near it is to that.

    Attributes
    ----------
    origin : str
        Where most of its samples came from: ``measured``, ``computed``, ``estimated``; ``none`` if nothing ever came.
    r : float or None
        Pearson correlation over all samples; None where one of the two stands still.
    rmse_uv : float or None
        Root mean square error.
    """

    origin: str
    r: float | None = None
    rmse_uv: float | None = None


class Comparison:
    """A sink that holds each settled lead against the truth, both in the band of the monitor."""

    def __init__(self) -> None:
        self._shown, self._true = (CausalFilter(BAND, len(LEADS)) for _ in range(2))
        self._origins = np.zeros((len(LEADS), len(Origin)), np.int64)
        self._count = np.zeros(len(LEADS), np.int64)
        self._sums = np.zeros((6, len(LEADS)))
        self._residual_uv2 = np.zeros(len(LEADS))
        self._residual_count = np.zeros(len(LEADS), np.int64)

    def push(self, item: Item) -> None:
        """Take the next item."""
        if isinstance(item, Event):
            return
        if isinstance(item, Block):
            self._compare(item)
            return
        nothing = np.full((len(LEADS), 1), np.nan, np.float32)
        for each in (self._shown, self._true):
            each.push(nothing)  # after a gap the filters start anew

    def close(self) -> None:
        """Nothing to finish."""

    def figures(self) -> dict[str, LeadFigures]:
        """Each lead's figures, in the order of `LEADS`."""
        return {lead: self._lead(row) for row, lead in enumerate(LEADS)}

    def limb_residual_uv(self) -> dict[str, float]:
        """See `engine.physics.limb_residual_uv`, over all blocks."""
        measured = np.flatnonzero(self._residual_count)
        mean = self._residual_uv2[measured] / self._residual_count[measured]
        return {LEADS[row]: round(float(value), 1) for row, value in zip(measured, np.sqrt(mean), strict=True)}

    def _compare(self, block: Block) -> None:
        for origin in Origin:
            self._origins[:, origin] += (block.origin == origin).sum(axis=1)
        self._check_limb(block)
        if block.truth is None:
            return
        estimate, truth = self._shown.push(block.leads), self._true.push(block.truth)
        known = np.isfinite(estimate) & np.isfinite(truth)
        e = np.where(known, estimate, 0).astype(np.float64)
        t = np.where(known, truth, 0).astype(np.float64)
        self._count += known.sum(axis=1)
        # np.einsum: no temporary array for a product that is only summed.
        products = [np.einsum("ij,ij->i", a, b) for a, b in ((e, e), (t, t), (e, t), (e - t, e - t))]
        self._sums += np.stack([e.sum(axis=1), t.sum(axis=1), *products])

    def _check_limb(self, block: Block) -> None:
        measured = np.where(block.origin == Origin.MEASURED, block.leads, np.float32(np.nan))
        for lead, residual in physics.limb_residual_uv(measured).items():
            count = int((block.origin[INDEX[lead]] == Origin.MEASURED).sum())
            self._residual_uv2[INDEX[lead]] += residual**2 * count
            self._residual_count[INDEX[lead]] += count

    def _origin(self, row: int) -> str:
        arrived = self._origins[row, Origin.MEASURED :]
        return Origin(int(arrived.argmax()) + Origin.MEASURED).name.lower() if arrived.any() else "none"

    def _lead(self, row: int) -> LeadFigures:
        n = int(self._count[row])
        if not n:
            return LeadFigures(self._origin(row))
        e, t, ee, tt, et, dd = self._sums[:, row]
        power: NDArray[np.float64] = np.array([ee - e * e / n, tt - t * t / n])
        moves = (power > 1e-12).all()
        r = round(float((et - e * t / n) / np.sqrt(power.prod())), 4) if moves else None
        return LeadFigures(self._origin(row), r, round(1000 * float(np.sqrt(dd / n)), 1))
