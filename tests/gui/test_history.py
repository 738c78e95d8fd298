"""The history holds the last minute, however it came, and of provisional samples the newest only."""

import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.leads import LEADS, RATE, Origin
from gui.history import CAPACITY, History, Stretch
from stream.items import Block, Gap, Tail
from tests.gui.pages import ORIGINS, level, tail_after

DAY = 24 * 3600 * RATE


@dataclass(frozen=True)
class Step:
    """A block that comes so many samples after the last one, and whether a gap told of them."""

    jump: int
    length: int
    tail: int | None
    truth: bool
    told: bool = False


lengths = st.one_of(st.integers(0, 60), st.integers(0, 2 * CAPACITY))
steps = st.lists(
    st.builds(
        Step,
        jump=st.one_of(st.just(0), lengths),
        length=lengths,
        tail=st.one_of(st.none(), st.integers(0, 50)),
        truth=st.booleans(),
        told=st.booleans(),
    ),
    max_size=6,
)


def numbered(start: int, length: int, mark: float = 0) -> NDArray[np.float32]:
    """Samples that tell their index and their lead."""
    return (np.arange(start, start + length) + np.arange(len(LEADS))[:, None] / 32 + mark).astype(np.float32)


def origins_of(start: int, length: int) -> NDArray[np.uint8]:
    return (1 + (np.arange(start, start + length) + np.arange(len(LEADS))[:, None]) % 3).astype(np.uint8)


def items(start: int, steps: list[Step]) -> list[Block | Gap]:
    made: list[Block | Gap] = []
    for step in steps:
        if step.told:
            made.append(Gap(start, step.jump))
        start += step.jump
        end = start + step.length
        tail = None
        if step.tail is not None:
            guess = numbered(end, step.tail, 0.5)
            tail = Tail(guess, half(guess), origins_of(end, step.tail))
        leads = numbered(start, step.length)
        truth = -leads if step.truth else None
        made.append(Block(start, leads, half(leads), origins_of(start, step.length), truth, tail))
        start = end
    return made


def half(leads: NDArray[np.float32]) -> NDArray[np.float32]:
    return leads * np.float32(0.5)


def remembered(items: list[Block | Gap], length: int) -> Stretch:
    """All that ever came, without a ring: the settled samples, and after them the last tail."""
    leads = np.full((len(LEADS), length), np.nan, np.float32)
    truth, interval, origin = leads.copy(), np.zeros_like(leads), np.zeros(leads.shape, np.uint8)
    for block in (item for item in items if isinstance(item, Block)):
        columns = slice(block.start, block.end)
        leads[:, columns], interval[:, columns], origin[:, columns] = block.leads, block.interval, block.origin
        if block.truth is not None:
            truth[:, columns] = block.truth
    last = items[-1] if items else None
    if isinstance(last, Block) and (tail := last.tail) is not None:
        columns = slice(last.end, last.end + tail.leads.shape[1])
        leads[:, columns], interval[:, columns], origin[:, columns] = tail.leads, tail.interval, tail.origin
    return Stretch(leads, interval, truth, origin)


def front_of(item: Block | Gap) -> int:
    return item.end if isinstance(item, Gap) or item.tail is None else item.end + item.tail.leads.shape[1]


@given(start=st.integers(0, 3 * CAPACITY), steps=steps, last_gap=st.none() | lengths, data=st.data())
def test_the_last_minute_is_as_it_came(
    start: int, steps: list[Step], last_gap: int | None, data: st.DataObject
) -> None:
    history = History(ORIGINS)
    given = items(start, steps)
    if last_gap is not None:
        given.append(Gap(given[-1].end if given else start, last_gap))
    for item in given:
        history.append(item)
    front = max(map(front_of, given), default=0)
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
    assert history.has_truth == any(isinstance(item, Block) and item.truth is not None for item in given)


def is_blank(stretch: Stretch) -> bool:
    return bool(np.isnan(stretch.leads).all() and np.isnan(stretch.truth).all() and not stretch.origin.any())


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("jump", [0, 10, 100])
def test_nothing_is_left_of_a_tail_that_gave_way(jump: int, told: bool) -> None:
    history = History(ORIGINS)
    first, *others = items(0, [Step(0, 100, 50, False), Step(jump, 20, None, False, told)])
    history.append(first)
    assert (history.between(100, 150).origin != Origin.NONE).all()
    for item in others:
        history.append(item)
        assert history.front == max(150, item.end)
    assert is_blank(history.between(100, 100 + jump))
    assert is_blank(history.between(120 + jump, 300))


@pytest.mark.parametrize("length", [1, 49, 50, 51, CAPACITY])
def test_a_tail_gives_way_to_a_gap(length: int) -> None:
    history = History(ORIGINS)
    history.append(replace(level(0, 100), tail=tail_after(100)))
    assert not is_blank(history.between(100, 150))
    history.append(Gap(100, length))
    assert (history.head, history.front) == (100 + length, max(150, 100 + length))
    assert is_blank(history.between(100, history.front + 10))
    assert not is_blank(history.between(0, 100)) or length == CAPACITY


@pytest.mark.parametrize("first", [0, 7, 123_456])
def test_a_stream_may_begin_with_a_gap(first: int) -> None:
    history = History(ORIGINS)
    history.append(Gap(first, 300))
    assert (history.head, history.front, history.origins) == (first + 300, first + 300, ORIGINS)
    assert is_blank(history.between(first - 10, first + 310))
    history.append(level(1, 40, start=first + 300))
    assert (history.between(first + 300, first + 340).leads == 1).all()


def test_a_day_of_nothing_costs_as_much_as_a_minute() -> None:
    history = History(ORIGINS)
    costs_s = []
    for _ in range(5):
        history.append(replace(level(1, 40, start=history.head), tail=tail_after(history.head)))
        before = time.thread_time()
        history.append(Gap(history.head, DAY))
        costs_s.append(time.thread_time() - before)
        assert is_blank(history.between(history.head - CAPACITY - 100, history.head + 100))
    assert min(costs_s) < 0.005
    assert history.head == history.front == 5 * (40 + DAY)
    history.append(level(1, 40, start=history.head))
    assert (history.between(history.head - 40, history.head).leads == 1).all()


def test_more_than_a_minute_at_once_keeps_the_newest() -> None:
    history = History(ORIGINS)
    [block] = items(7, [Step(0, 2 * CAPACITY + 123, 50, True)])
    assert isinstance(block, Block)
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
    history.append(Gap(40, 40))
    assert history.origins == fallen
    history.append(level(0, 0, ORIGINS, start=80))
    assert history.origins == fallen
