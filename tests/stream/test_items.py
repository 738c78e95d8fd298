"""Chunks that waited together are one where they follow each other, and a gap between them stays a gap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.items import Arrival, Block, Chunk, Gap, Tail, joined
from tests.stream.chunks import Samples
from tests.stream.chunks import joined as side_by_side


def numbered(start: int, length: int) -> Samples:
    return np.repeat(np.arange(start, start + length, dtype=np.float32)[None], 12, axis=0)


@given(
    steps=st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 490]), st.integers(0, 30)), max_size=12),
    truth=st.booleans(),
)
def test_each_sample_stays_at_its_index(steps: list[tuple[int, int]], truth: bool) -> None:
    chunks, end = [], 0
    for jump, length in steps:
        samples = numbered(end + jump, length)
        chunks.append(Chunk(end + jump, samples, samples / np.float32(2) if truth else None))
        end = chunks[-1].end
    made = joined(chunks)
    assert len(made) <= 1 + sum(jump > 0 for jump, _ in steps)
    for field in ("samples", *(["truth"] if truth else [])):
        assert np.array_equal(side_by_side(made, field), side_by_side(chunks, field), equal_nan=True)
    for chunk in made:
        assert np.array_equal(chunk.samples, numbered(chunk.index, chunk.end - chunk.index))
        assert (chunk.truth is None) == (not truth)


def test_a_chunk_that_came_after_a_gap_is_not_moved() -> None:
    """Found: a chunk at 500 that waited with one at 0 landed at 10."""
    made = joined([Chunk(0, numbered(0, 10)), Chunk(500, numbered(500, 10))])
    assert [(chunk.index, chunk.end) for chunk in made] == [(0, 10), (500, 510)]


def test_what_is_frozen_holds_arrays_that_are() -> None:
    mine = numbered(0, 5)
    block = Block(0, mine, mine, mine.astype(np.uint8), None, Tail(mine, mine, mine.astype(np.uint8)))
    assert block.tail is not None
    items = [(Arrival(0.0, mine), "samples"), (Chunk(0, mine, mine), "truth"), (block, "leads"), (block.tail, "origin")]
    for item, name in items:
        with pytest.raises(ValueError, match="read-only"):
            getattr(item, name)[0, 0] = 9
    mine[0, 0] = 9
    assert (Gap(5, 10).end, block.end) == (15, 5)
