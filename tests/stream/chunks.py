"""What the tests of streams share: ways to cut samples into chunks, and chunks back into samples."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from stream.items import Block, Chunk

Samples = NDArray[np.float32]


def cut(samples: Samples, sizes: Iterable[int], truth: Samples | None = None) -> Iterator[Chunk]:
    """Chunks of these sizes, again and again, until the samples end."""
    sizes = list(sizes)
    at, turn = 0, 0
    while at < samples.shape[1]:
        size = sizes[turn % len(sizes)]
        yield Chunk(at, samples[:, at : at + size], None if truth is None else truth[:, at : at + size])
        at, turn = at + size, turn + 1


def joined(pieces: Iterable[Chunk | Block | None], field: str = "samples") -> Samples:
    """One field of all pieces, side by side; fails unless each follows the last."""
    found, end = [np.empty((12, 0), np.float32)], 0
    for piece in pieces:
        if piece is not None:
            assert (piece.index if isinstance(piece, Chunk) else piece.start) == end
            found.append(getattr(piece, field))
            end += found[-1].shape[1]
    return np.concatenate(found, axis=1)
