"""A source that counts: jumps are left to be gaps, and what comes twice is left out and said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.leads import LEADS
from stream.items import Arrival
from stream.timeline import Timeline


def numbered(start: int, length: int) -> np.ndarray:
    return np.repeat(np.arange(start, start + length, dtype=np.float32)[None], len(LEADS), axis=0)


@given(st.lists(st.tuples(st.integers(-60, 60), st.integers(0, 50)), max_size=20))
def test_each_sample_stands_once_at_its_index(steps: list[tuple[int, int]]) -> None:
    timeline, end, sent = Timeline(), 0, 0
    seen: list[int] = []
    for step, length in steps:
        sent = max(0, sent + step)
        arrival = Arrival(0.0, numbered(sent, length), sent, truth=numbered(sent, length))
        chunk, said = timeline.place(arrival)
        assert bool(said) == (sent < end and length > 0)
        if chunk is not None:
            assert chunk.truth is not None
            assert np.array_equal(chunk.samples, numbered(chunk.index, chunk.end - chunk.index))
            assert np.array_equal(chunk.samples, chunk.truth)
            seen += range(chunk.index, chunk.end)
        end, sent = max(end, sent + length) if length else end, sent + length
    assert seen == sorted(set(seen))


def test_what_came_before_is_said() -> None:
    timeline = Timeline()
    timeline.place(Arrival(0.0, numbered(0, 100), 0))
    chunk, said = timeline.place(Arrival(0.0, numbered(90, 20), 90))
    assert chunk is not None
    assert (chunk.index, chunk.end) == (100, 110)
    assert "10 samples from 90 on" in said
    assert timeline.place(Arrival(0.0, numbered(50, 20), 50))[0] is None
    assert timeline.place(Arrival(0.0, numbered(110, 5), 110))[1] == ""


def test_a_source_that_does_not_count_has_no_place_here() -> None:
    with pytest.raises(ValueError, match="without an index"):
        Timeline().place(Arrival(0.0, numbered(0, 5)))
