"""The ring holds the newest columns, any run of them without a copy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ring import Ring


@given(
    capacity=st.integers(1, 30),
    writes=st.lists(st.tuples(st.integers(0, 70), st.booleans()), max_size=12),
    back=st.integers(0, 30),
    length=st.integers(0, 30),
)
def test_a_window_is_what_was_written(capacity: int, writes: list[tuple[int, bool]], back: int, length: int) -> None:
    ring = Ring(2, capacity)
    stream = np.zeros((2, capacity), np.float32)  # before the start nothing is known
    for size, is_gap in writes:
        end = stream.shape[1] - capacity
        columns = np.arange(end, end + size, dtype=np.float32) + np.array([[1.0], [1.5]], np.float32)
        if is_gap:
            columns = np.zeros_like(columns)
            ring.skip(size)
        else:
            ring.write(columns)
        stream = np.concatenate([stream, columns], axis=1)
    assert ring.end == stream.shape[1] - capacity
    back = min(back, capacity)
    length = min(length, capacity - back)
    stop = stream.shape[1] - back
    window = ring.window(ring.end - back, length)
    assert np.array_equal(window, stream[:, stop - length : stop])
    assert window.base is not None


@pytest.mark.parametrize(("end", "length"), [(11, 2), (9, 9), (3, 1)])
def test_what_it_does_not_hold_is_refused(end: int, length: int) -> None:
    ring = Ring(1, 6)
    ring.write(np.zeros((1, 10), np.float32))
    with pytest.raises(ValueError, match="does not hold"):
        ring.window(end, length)
