"""The passband of the screen: blocks and gaps as they come in, and as the page shows them."""

from dataclasses import replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from engine.filters import CausalFilter
from engine.leads import LEADS, Origin
from stream.items import Block, Gap, Tail

KINDS = np.array([Origin.MEASURED, Origin.COMPUTED, Origin.ESTIMATED], np.uint8)[:, None, None]


class Passband:
    """Filters the leads and, alike, the recording's own; intervals and origins stay as they are.

    A lead that goes on from somewhere else starts anew, as after a gap: the offset of an electrode that fell off says
    nothing of the estimate that follows it, nor of what is measured when it is back.

    Parameters
    ----------
    band : str
        ``monitor``, ``diagnostic`` or ``none``.
    """

    def __init__(self, band: str) -> None:
        self._band = band
        self._end: int | None = None
        self._reset()

    @overload
    def apply(self, item: Block) -> Block: ...

    @overload
    def apply(self, item: Gap) -> Gap: ...

    def apply(self, item: Block | Gap) -> Block | Gap:
        """The next block, filtered; the provisional tail too, without a trace of it in what follows. A gap passes."""
        return item if isinstance(item, Gap) else self._filter(item)

    def _filter(self, block: Block) -> Block:
        if block.start != self._end:  # after a gap, told or not
            self._reset()
        self._end = block.end
        truth = np.full_like(block.leads, np.nan) if block.truth is None else block.truth
        leads = _one_of_each(self._leads.push(_of_each_kind(block)))
        truth = self._truth.push(truth)
        tail = block.tail
        if tail is not None:
            tail = replace(tail, leads=_one_of_each(self._leads.peek(_of_each_kind(tail))))
        return replace(block, leads=leads, truth=None if block.truth is None else truth, tail=tail)

    def _reset(self) -> None:
        self._leads = CausalFilter(self._band, len(KINDS) * len(LEADS))
        self._truth = CausalFilter(self._band, len(LEADS))


def _of_each_kind(samples: Block | Tail) -> NDArray[np.float32]:
    """A row for each lead of each kind, (36, n): what is of another kind is missing in it."""
    return np.where(samples.origin == KINDS, samples.leads, np.float32(np.nan)).reshape(KINDS.size * len(LEADS), -1)


def _one_of_each(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The twelve leads again, (12, n): of each sample the only kind that is not missing."""
    leads: NDArray[np.float32] = np.fmax.reduce(rows.reshape(len(KINDS), len(LEADS), -1))
    return leads
