"""The last minute as the screen shows it, so that a page can be painted again at any size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.leads import LEADS, RATE, Origin
from stream.items import Block, Gap, Tail

CAPACITY = 60 * RATE


@dataclass(frozen=True)
class Stretch:
    """Consecutive samples of the history.

    Attributes
    ----------
    leads, interval, truth : ndarray, (12, n) float32, mV
        Filtered leads, half-widths of their 90 % intervals, and the recording's own; NaN where there is nothing.
    origin : ndarray, (12, n) uint8
        `engine.leads.Origin` of every sample.
    """

    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    truth: NDArray[np.float32]
    origin: NDArray[np.uint8]


class History:
    """A ring of the newest samples, addressed by sample index; the provisional tail stands after the settled ones.

    Parameters
    ----------
    origins : tuple of Origin
        Where each lead is expected to come from, until its first sample.

    Attributes
    ----------
    head : int
        Sample index after the last settled sample.
    front : int
        Sample index after the last sample there is or was, the provisional ones included.
    origins : tuple of Origin
        Where each lead came from when it last had a sample.
    has_truth : bool
        Whether the recording's own leads ever came.
    has_begun : bool
        Whether anything ever came.
    """

    def __init__(self, origins: tuple[Origin, ...]) -> None:
        self.head = 0
        self.front = 0
        self.origins = origins
        self.has_truth = False
        self.has_begun = False
        self._leads = np.full((len(LEADS), CAPACITY), np.nan, np.float32)
        self._interval = np.zeros_like(self._leads)
        self._truth = np.full_like(self._leads, np.nan)
        self._origin = np.zeros(self._leads.shape, np.uint8)

    def append(self, item: Block | Gap) -> None:
        """Take the next block or gap; a gap, and what is missing before either, stays empty."""
        if not self.has_begun:
            self.head = self.front = item.start
            self.has_begun = True
        if isinstance(item, Gap):
            self._skip_to(item.end)
        else:
            self._skip_to(item.start)
            self._take(item)

    def between(self, first: int, last: int) -> Stretch:
        """The samples from index `first` up to `last`, empty outside of what is held."""
        index = np.arange(first, last)
        at = index % CAPACITY
        held = (index >= max(self.front - CAPACITY, 0)) & (index < self.front)
        return Stretch(
            leads=np.where(held, self._leads[:, at], np.float32(np.nan)),
            interval=self._interval[:, at],
            truth=np.where(held, self._truth[:, at], np.float32(np.nan)),
            origin=np.where(held, self._origin[:, at], np.uint8(0)),
        )

    def _skip_to(self, index: int) -> None:
        """Move the head on over nothing; a tail that stood after it gives way."""
        self._clear(self.head, max(index, self.front))
        self.head = index
        self.front = max(self.front, index)

    def _take(self, block: Block) -> None:
        self._write(block.start, block, block.truth)
        self.head = block.end
        self.front = max(self.front, self.head)
        if block.tail is not None:
            self._write(self.head, block.tail, None)
            self.front = max(self.front, self.head + block.tail.leads.shape[1])
        newest = block.origin[:, -1] if block.origin.shape[1] else np.zeros(len(LEADS), np.uint8)
        self.origins = tuple(Origin(new) or old for new, old in zip(newest.tolist(), self.origins, strict=True))
        self.has_truth = self.has_truth or block.truth is not None

    def _clear(self, first: int, last: int) -> None:
        """Empty these indices: at most the whole ring, however many they are."""
        at = np.arange(max(first, last - CAPACITY), last) % CAPACITY
        self._leads[:, at] = np.nan
        self._truth[:, at] = np.nan
        self._origin[:, at] = Origin.NONE

    def _write(self, start: int, samples: Block | Tail, truth: NDArray[np.float32] | None) -> None:
        kept = slice(-min(CAPACITY, samples.leads.shape[1]) or None, None)
        at = np.arange(start, start + samples.leads.shape[1])[kept] % CAPACITY
        self._leads[:, at] = samples.leads[:, kept]
        self._interval[:, at] = samples.interval[:, kept]
        self._origin[:, at] = samples.origin[:, kept]
        self._truth[:, at] = np.nan if truth is None else truth[:, kept]
