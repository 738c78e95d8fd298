"""The passband of the screen: blocks and gaps as they come in, and as the page shows them."""

from dataclasses import replace
from typing import overload

import numpy as np

from engine.filters import CausalFilter
from engine.leads import LEADS
from stream.items import Block, Gap


class Passband:
    """Filters the leads and, alike, the recording's own; intervals and origins stay as they are.

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
        leads, truth = self._leads.push(block.leads), self._truth.push(truth)
        tail = block.tail and replace(block.tail, leads=self._leads.peek(block.tail.leads))
        return replace(block, leads=leads, truth=None if block.truth is None else truth, tail=tail)

    def _reset(self) -> None:
        self._leads = CausalFilter(self._band, len(LEADS))
        self._truth = CausalFilter(self._band, len(LEADS))
