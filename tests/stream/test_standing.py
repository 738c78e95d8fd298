"""What stands: an event holds until another of its matter, and who missed some is told what is missing."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from stream.items import Event, Kind
from stream.standing import MOST_SINKS, Standing
from stream.wire import MOST_STANDING

events = st.builds(
    Event,
    st.just(1),
    st.sampled_from(Kind),
    st.sampled_from(["I", "V4"]),
    st.sampled_from(["", "one", "two"]),
)


def after(told: Iterable[Event]) -> Standing:
    standing = Standing()
    for event in told:
        standing.take(event)
    return standing


def words(told: Iterable[Event]) -> set[tuple[str, str, str]]:
    return {(event.kind, event.lead, event.text) for event in told}


def test_the_later_of_one_matter_holds() -> None:
    told = [
        Event(1, Kind.SOURCE, text="live"),
        Event(2, Kind.LEAD_OFF, "V4", "flat"),
        Event(2, Kind.LEAD_OFF, "V5", "flat"),
        Event(3, Kind.SOURCE, text="lost"),
        Event(4, Kind.LEAD_BACK, "V4"),
        Event(5, Kind.LIMB_DISAGREE, "III", value=300),
        Event(6, Kind.NOTICE, text="the battery is low"),
        Event(7, Kind.RATE_LOST, "II", "noise"),
        Event(8, Kind.LATENCY, value=80),
    ]
    assert after(told).events == (told[2], told[3], told[5], told[6], told[7])
    ended = [Event(9, Kind.NOTICE), Event(9, Kind.LIMB_AGREE, "III"), Event(9, Kind.BEAT, "II", value=70)]
    assert after([*told, *ended]).events == (told[2], told[3])


@given(st.lists(events, max_size=30))
def test_who_heard_all_is_told_nothing(told: list[Event]) -> None:
    assert after(told).missing(after(told).events, 5) == []


@given(st.lists(events, max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_who_missed_some_is_told_what_is_missing(told: list[Event], heard: list[bool]) -> None:
    whole = after(told)
    half = after(event for event, is_heard in zip(told, heard, strict=False) if is_heard)
    replayed = after(half.events)
    missing = half.missing(whole.events, 5)
    assert all(event.index == 5 for event in missing)
    assert words(half.events) == words(whole.events)
    assert half.missing(whole.events, 6) == []
    for event in missing:
        replayed.take(event)
    # What has no end of its own (the source's state, a sink's failure) stays with who heard of it; nobody is told of a
    # heart rate that is back but by a beat.
    assert words(whole.events) <= words(replayed.events)
    left = {event.kind for event in replayed.events if (event.kind, event.lead, event.text) not in words(whole.events)}
    assert left <= {Kind.SINK_FAILED, Kind.RATE_LOST}


def test_failures_of_sinks_are_kept_in_bounds() -> None:
    many = after(Event(1, Kind.SINK_FAILED, text=str(number)) for number in range(1000))
    assert [event.text for event in many.events] == [str(number) for number in range(1000 - MOST_SINKS, 1000)]
    assert MOST_SINKS + 12 + 6 + 4 <= MOST_STANDING
