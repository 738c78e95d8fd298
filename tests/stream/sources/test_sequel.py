"""A derived stream put together again: the order of its items holds, whatever became of its messages."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.leads import RATE
from stream.items import Block, Event, Gap, Item, Kind
from stream.sources.sequel import NEAR, Sequel
from stream.wire import About, Derived, WireError
from tests.stream.hostile import block

ABOUT = About(bed="b", name="b", leads_in=("I", "II", "V4"), rate=250)


def derived(item: Item, sequence: int = 0, session: int = 1) -> Derived:
    return Derived(bed="b", session=session, sequence=sequence, item=item)


def about(sequence: int = 0, session: int = 1, settled: int = 0, standing: tuple[Event, ...] = ()) -> About:
    return About(bed="b", name="b", leads_in=("I", "II", "V4"), rate=250, session=session, sequence=sequence,
                 settled=settled, standing=standing)  # fmt: skip


def follow(messages: Sequence[About | Derived], sequel: Sequel | None = None) -> list[Item]:
    sequel = sequel or Sequel(ABOUT)
    return [item for number, message in enumerate(messages) for item in sequel.take(message, number / 10)]


def runs(items: Sequence[Item]) -> list[tuple[str, int, int]]:
    return [(type(item).__name__, item.start, item.end) for item in items if isinstance(item, Block | Gap)]


def a_stream() -> list[About | Derived]:
    """Two seconds with a gap and events, in the order a bed gives them."""
    items: list[Item | None] = [None, Event(0, Kind.SOURCE, text="live")]
    for number in range(12):
        items.append(block(40 * number) if number != 5 else Gap(200, 40))
        if number % 3 == 0:
            items.append(Event(40 * number + 3, Kind.BEAT, "II", value=70))
    items.append(Event(480, Kind.LEAD_OFF, "V4", "flat"))
    return [about(number) if item is None else derived(item, number) for number, item in enumerate(items)]


def test_what_is_not_lost_passes_as_it_is() -> None:
    stream = a_stream()
    items = follow(stream)
    assert len(items) == len(stream) - 1
    for item, message in zip(items, stream[1:], strict=True):
        assert isinstance(message, Derived)
        assert type(item) is type(message.item)
        if isinstance(item, Block):
            assert isinstance(message.item, Block)
            np.testing.assert_array_equal(item.leads, message.item.leads)
            assert item.start == message.item.start
        else:
            assert item == message.item


@given(st.lists(st.integers(0, 2), min_size=len(a_stream()), max_size=len(a_stream())))
def test_the_order_holds_whatever_is_lost_or_comes_twice(times: list[int]) -> None:
    twice = [message for message, count in zip(a_stream(), times, strict=True) for _ in range(count)]
    sequel = Sequel(ABOUT)
    items: list[Item] = []
    reasons = set()
    for number, message in enumerate(twice):
        try:
            items += sequel.take(message, number / 10)
        except WireError as error:
            reasons.add(str(error))
    assert reasons <= {"samples that were there already"}
    places = runs(items)
    assert all(before[2] == after[1] for before, after in pairwise(places))
    sent = [message.item.start for message in twice if isinstance(message, Derived) and isinstance(message.item, Block)]
    assert sorted(set(sent)) == [start for name, start, _ in places if name == "Block"]


def test_it_begins_where_its_first_block_does() -> None:
    assert runs(follow([derived(block(4000), 90), derived(block(4040), 91)])) == [
        ("Block", 4000, 4040),
        ("Block", 4040, 4080),
    ]


def test_what_was_lost_is_a_gap_and_its_messages_are_told() -> None:
    items = follow([derived(block(0), 0), derived(block(120), 4), derived(block(160), 5), derived(block(240), 6)])
    assert runs(items) == [
        ("Block", 0, 40),
        ("Gap", 40, 120),
        ("Block", 120, 160),
        ("Block", 160, 200),
        ("Gap", 200, 240),
        ("Block", 240, 280),
    ]
    events = [item for item in items if isinstance(item, Event)]
    assert events == [Event(120, Kind.DROPPED, text="3 messages got lost on the way", value=40)]


def test_a_sender_that_began_anew_goes_on_behind_what_was() -> None:
    sequel = Sequel(ABOUT)
    follow([derived(block(0)), derived(block(40))], sequel)  # the second one came after 0.1 s
    items = [*sequel.take(about(0, session=2), 2.1), *sequel.take(derived(block(0), 1, session=2), 2.2)]
    assert items[0] == Event(80, Kind.CLOCK, text="the stream began anew at the other end")
    assert runs(items) == [("Gap", 80, 80 + 2 * RATE), ("Block", 1080, 1120)]
    assert sequel.take(derived(Event(35, Kind.LEAD_OFF, "V4"), 2, session=2), 2.2) == [
        Event(1080 + 35, Kind.LEAD_OFF, "V4")
    ]
    with pytest.raises(WireError, match="two send it"):
        sequel.take(derived(block(80), 2, session=1), 2.3)
    assert runs(sequel.take(derived(block(40), 3, session=2), 2.3)) == [("Block", 1120, 1160)]


def test_a_new_session_is_placed_by_its_first_block_too() -> None:
    sequel = Sequel(ABOUT)
    follow([derived(block(0))], sequel)
    assert sequel.take(derived(Event(9000, Kind.BEAT), 5, session=2), 0.5) == [
        Event(40, Kind.CLOCK, text="the stream began anew at the other end")
    ]
    items = sequel.take(derived(block(9000), 6, session=2), 1.0)
    assert runs(items) == [("Gap", 40, 540), ("Block", 540, 580)]


def test_who_joins_late_is_told_what_holds() -> None:
    standing = (Event(3, Kind.LEAD_OFF, "V4", "flat"), Event(5, Kind.SOURCE, text="live"))
    items = follow([about(70, settled=4000, standing=standing), derived(block(4000), 71)])
    assert items[:2] == [Event(4000, Kind.LEAD_OFF, "V4", "flat"), Event(4000, Kind.SOURCE, text="live")]
    assert runs(items) == [("Block", 4000, 4040)]


def test_an_event_that_got_lost_is_told_with_the_next_about() -> None:
    off = Event(30, Kind.LEAD_OFF, "V4", "flat")
    messages: list[About | Derived] = [derived(block(0), 0), derived(off, 1)]
    messages += [about(2, settled=40, standing=(off,)), derived(block(40), 3)]
    assert [item for item in follow(messages) if isinstance(item, Event)] == [off]
    messages = [*messages, about(5, settled=80), derived(block(80), 6)]  # the fifth, that it is back, was lost
    assert [item for item in follow(messages) if isinstance(item, Event)] == [off, Event(80, Kind.LEAD_BACK, "V4")]


def test_events_before_the_beginning_and_far_off_are_none() -> None:
    sequel = Sequel(ABOUT)
    follow([derived(block(4000))], sequel)
    assert sequel.take(derived(Event(3900, Kind.BEAT, "II"), 1), 0) == []
    assert sequel.take(derived(Event(3900, Kind.TIME, value=1e9), 2), 0) == []
    assert sequel.take(derived(Event(3900, Kind.SOURCE, text="live"), 3), 0) == [Event(4000, Kind.SOURCE, text="live")]
    for index in (4041 + NEAR, 2**53):
        with pytest.raises(WireError, match="far from its time"):
            sequel.take(derived(Event(index, Kind.BEAT), 4), 0)


def test_a_block_that_overlaps_is_left_out() -> None:
    sequel = Sequel(ABOUT)
    follow([derived(block(0))], sequel)
    with pytest.raises(WireError, match="there already"):
        sequel.take(derived(block(39), 1), 0)
    assert sequel.end == 40


def test_the_newest_about_is_kept() -> None:
    sequel = Sequel(ABOUT)
    sequel.take(about(1, settled=80), 0)
    assert sequel.about.settled == 80
