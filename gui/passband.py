"""The passband of the screen: blocks as they come in, blocks as the page shows them."""

from dataclasses import replace

import numpy as np

from engine.filters import CausalFilter
from engine.leads import LEADS
from stream.items import Block


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

    def apply(self, block: Block) -> Block:
        """The next block, filtered; the provisional tail too, without a trace of it in what follows."""
        if block.start != self._end:
            self._reset()
        self._end = block.end
        truth = np.full_like(block.leads, np.nan) if block.truth is None else block.truth
        leads, truth = self._leads.push(block.leads), self._truth.push(truth)
        tail = block.tail and replace(block.tail, leads=self._leads.peek(block.tail.leads))
        return replace(block, leads=leads, truth=None if block.truth is None else truth, tail=tail)

    def _reset(self) -> None:
        self._leads = CausalFilter(self._band, len(LEADS))
        self._truth = CausalFilter(self._band, len(LEADS))
