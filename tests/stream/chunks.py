"""What the tests of streams share: ways to cut samples into chunks, and items laid side by side again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.leads import LEADS, Origin
from stream.items import Block, Chunk, Event, Gap, Item, Kind

Samples = NDArray[np.float32]


def cut(samples: Samples, sizes: Iterable[int], truth: Samples | None = None, start: int = 0) -> Iterator[Chunk]:
    """Chunks of these sizes, again and again, until the samples end; the first stands at index `start`."""
    sizes = list(sizes)
    at, turn = 0, 0
    while at < samples.shape[1]:
        stop = at + sizes[turn % len(sizes)]
        yield Chunk(start + at, samples[:, at:stop], None if truth is None else truth[:, at:stop])
        at, turn = stop, turn + 1


def joined(chunks: Iterable[Chunk], field: str = "samples") -> Samples:
    """One field of all chunks at its index, from 0 on; NaN where no chunk is. Fails where one goes back."""
    found, end = [np.empty((len(LEADS), 0), np.float32)], 0
    for chunk in chunks:
        assert chunk.index >= end
        found += [np.full((len(LEADS), chunk.index - end), np.nan, np.float32), getattr(chunk, field)]
        end = chunk.end
    return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class Laid:
    """Everything that settled, side by side.

    Attributes
    ----------
    leads, interval, truth : (12, n) float32, mV
        NaN (the interval 0) where there is a gap.
    origin : (12, n) uint8
        NONE where there is a gap.
    gaps : list of Gap
        Those that follow one another for the same reason as one.
    events : list of Event
        In the order they came.
    """

    leads: Samples
    interval: Samples
    origin: NDArray[np.uint8]
    truth: Samples
    gaps: list[Gap]
    events: list[Event]

    @property
    def end(self) -> int:
        return int(self.leads.shape[1])

    def events_of(self, *kinds: Kind) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]


def laid(items: Sequence[Item]) -> Laid:
    """Items laid side by side; fails unless each index lies in exactly one block or gap, and all are in order."""
    check_order(items)
    runs = [item for item in items if not isinstance(item, Event)]
    shape = len(LEADS), runs[-1].end if runs else 0
    leads, truth = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    interval, origin = np.zeros(shape, np.float32), np.full(shape, Origin.NONE, np.uint8)
    gaps: list[Gap] = []
    for item in runs:
        if isinstance(item, Block):
            some = slice(item.start, item.end)
            leads[:, some], interval[:, some], origin[:, some] = item.leads, item.interval, item.origin
            if item.truth is not None:
                truth[:, some] = item.truth
            assert item.origin.any(axis=0).all(), "a block holds nothing at some index"
        elif gaps and (gaps[-1].end, gaps[-1].why) == (item.start, item.why):
            gaps[-1] = Gap(gaps[-1].start, gaps[-1].length + item.length, item.why)
        else:
            gaps.append(item)
    return Laid(leads, interval, origin, truth, gaps, [item for item in items if isinstance(item, Event)])


def check_order(items: Sequence[Item]) -> None:
    """The law of the stream: see `stream.items.Item`."""
    end = newest = beat = 0
    for item in items:
        if not isinstance(item, Event):
            assert item.start == end, f"index {end} is followed by {item.start}"
            assert item.end > item.start
            assert item.start >= newest
            newest, end = item.start, item.end
        elif item.kind is Kind.BEAT:
            assert beat <= item.index < end
            beat = item.index
        else:
            assert newest <= item.index <= end
            newest = item.index
