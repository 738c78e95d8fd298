"""The history holds the last minute, however it came, and of provisional samples the newest only."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.leads import LEADS, Origin
from gui.history import CAPACITY, History, Stretch
from stream.items import Block, Tail
from tests.gui.pages import ORIGINS, level


@dataclass(frozen=True)
class Step:
    """A block that comes so many samples after the last one."""

    jump: int
    length: int
    tail: int | None
    truth: bool


lengths = st.one_of(st.integers(0, 60), st.integers(0, 2 * CAPACITY))
steps = st.lists(
    st.builds(
        Step,
        jump=st.one_of(st.just(0), lengths),
        length=lengths,
        tail=st.one_of(st.none(), st.integers(0, 50)),
        truth=st.booleans(),
    ),
    max_size=6,
)


def numbered(start: int, length: int, mark: float = 0) -> np.ndarray:
    """Samples that tell their index and their lead."""
    return (np.arange(start, start + length) + np.arange(len(LEADS))[:, None] / 32 + mark).astype(np.float32)


def origins_of(start: int, length: int) -> np.ndarray:
    return (1 + (np.arange(start, start + length) + np.arange(len(LEADS))[:, None]) % 3).astype(np.uint8)


def blocks(start: int, steps: list[Step]) -> list[Block]:
    made = []
    for step in steps:
        start += step.jump
        end = start + step.length
        tail = None
        if step.tail is not None:
            guess = numbered(end, step.tail, 0.5)
            tail = Tail(guess, guess / 2, origins_of(end, step.tail))
        leads = numbered(start, step.length)
        truth = -leads if step.truth else None
        made.append(Block(start, leads, leads / 2, origins_of(start, step.length), truth, tail))
        start = end
    return made


def remembered(blocks: list[Block], length: int) -> Stretch:
    """All that ever came, without a ring: the settled samples, and after them the last tail."""
    leads = np.full((len(LEADS), length), np.nan, np.float32)
    truth, interval, origin = leads.copy(), np.zeros_like(leads), np.zeros(leads.shape, np.uint8)
    for block in blocks:
        columns = slice(block.start, block.end)
        leads[:, columns], interval[:, columns], origin[:, columns] = block.leads, block.interval, block.origin
        if block.truth is not None:
            truth[:, columns] = block.truth
    if blocks and (tail := blocks[-1].tail) is not None:
        columns = slice(blocks[-1].end, blocks[-1].end + tail.leads.shape[1])
        leads[:, columns], interval[:, columns], origin[:, columns] = tail.leads, tail.interval, tail.origin
    return Stretch(leads, interval, truth, origin)


@given(start=st.integers(0, 3 * CAPACITY), steps=steps, data=st.data())
def test_the_last_minute_is_as_it_came(start: int, steps: list[Step], data: st.DataObject) -> None:
    history = History(ORIGINS)
    given = blocks(start, steps)
    for block in given:
        history.append(block)
    ends = [block.end + (0 if block.tail is None else block.tail.leads.shape[1]) for block in given]
    front = max(ends, default=0)
    assert history.front == front
    assert history.head == (given[-1].end if given else 0)

    first = data.draw(st.integers(front - CAPACITY - 200, front + 100))
    last = first + data.draw(st.integers(0, CAPACITY + 400))
    stretch = history.between(first, last)
    oldest = max(front - CAPACITY, 0)
    held = slice(max(oldest - first, 0), max(front - first, 0))
    whole = remembered(given, front + CAPACITY + 600)
    for name in ("leads", "truth", "origin"):
        got, want = getattr(stretch, name), getattr(whole, name)
        assert got.shape == (len(LEADS), last - first)
        index = np.arange(first, last)[held]
        assert np.array_equal(got[:, held], want[:, index], equal_nan=True)
        outside = np.delete(got, np.arange(got.shape[1])[held], axis=1)
        assert not outside.any() if name == "origin" else np.isnan(outside).all()
    estimated = stretch.origin == Origin.ESTIMATED
    index = np.broadcast_to(np.arange(first, last), estimated.shape)[estimated]
    row = np.broadcast_to(np.arange(len(LEADS))[:, None], estimated.shape)[estimated]
    assert np.array_equal(stretch.interval[estimated], whole.interval[row, index])
    assert history.has_truth == any(block.truth is not None for block in given)


@pytest.mark.parametrize("jump", [0, 10, 100])
def test_nothing_is_left_of_a_tail_that_gave_way(jump: int) -> None:
    history = History(ORIGINS)
    first, second = blocks(0, [Step(0, 100, 50, False), Step(jump, 20, None, False)])
    history.append(first)
    assert (history.between(100, 150).origin != Origin.NONE).all()
    history.append(second)
    assert history.front == max(150, second.end)
    for gone in (history.between(100, second.start), history.between(second.end, 200)):
        assert np.isnan(gone.leads).all()
        assert (gone.origin == Origin.NONE).all()


def test_more_than_a_minute_at_once_keeps_the_newest() -> None:
    history = History(ORIGINS)
    [block] = blocks(7, [Step(0, 2 * CAPACITY + 123, 50, True)])
    history.append(block)
    kept = history.between(history.front - CAPACITY, history.head)
    assert np.array_equal(kept.leads, block.leads[:, -kept.leads.shape[1] :])
    assert np.isnan(history.between(0, history.front - CAPACITY).leads).all()


def test_origins_are_the_expected_until_samples_come_and_outlast_a_gap() -> None:
    history = History(ORIGINS)
    assert history.origins == ORIGINS
    fallen = tuple(Origin.ESTIMATED for _ in LEADS)
    history.append(level(0, 40, fallen))
    assert history.origins == fallen
    history.append(level(0, 40, tuple(Origin.NONE for _ in LEADS), start=40))
    assert history.origins == fallen
    history.append(level(0, 0, ORIGINS, start=80))
    assert history.origins == fallen
