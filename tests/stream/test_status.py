"""What a status bar says follows from the stream, item by item."""

import numpy as np
import pytest

from stream.items import Block, Event, Gap, Item, Kind
from stream.status import FAILED, Status, after
from stream.supervisor import State


def status(*items: Item) -> Status:
    result = Status()
    for item in items:
        result = after(result, item)
    return result


def test_before_anything_it_searches() -> None:
    assert status() == Status(state="searching")
    empty = np.empty((12, 0), np.float32)
    assert status(Block(0, empty, empty, empty.astype(np.uint8)), Gap(0, 5)) == Status()


def test_every_state_is_told() -> None:
    for state in State:
        assert status(Event(0, Kind.SOURCE, text=state)).state == state
    failed = status(Event(0, Kind.SOURCE, text="live"), Event(9, Kind.FAILED, text="the cable was pulled"))
    assert (failed.state, failed.message) == (FAILED, "the cable was pulled")
    assert after(failed, Event(9, Kind.SOURCE, text="ended")) == failed


def test_counts_add_up_and_the_latency_is_the_newest() -> None:
    events = [Event(0, Kind.LATE, value=3), Event(1, Kind.LATE, value=4), Event(2, Kind.DROPPED, value=100)]
    latencies = [Event(3, Kind.LATENCY, value=110.0), Event(4, Kind.LATENCY, value=120.5)]
    result = status(*events, *latencies)
    assert (result.frames_skipped, result.lost, result.latency_ms) == (7, 100, 120.5)


def test_leads_go_off_and_come_back_in_their_order() -> None:
    off = [Event(0, Kind.LEAD_OFF, lead) for lead in ("V4", "I", "V4")]
    assert status(*off).leads_off == ("I", "V4")
    assert status(*off, Event(1, Kind.LEAD_BACK, "I")).leads_off == ("V4",)
    limb = [Event(0, Kind.LIMB_DISAGREE, "III", value=80.0)]
    assert status(*limb).limb_leads == ("III",)
    assert status(*limb, Event(1, Kind.LIMB_AGREE, "III")).limb_leads == ()


def test_a_heart_rate_is_that_of_the_last_beat_until_it_is_lost() -> None:
    beat = Event(100, Kind.BEAT, "II", value=70.0)
    assert (status(beat).heart_rate, status(beat).why_no_rate) == (70.0, "")
    unsure = status(beat, Event(200, Kind.BEAT, "II", "learning"))
    assert (unsure.heart_rate, unsure.why_no_rate) == (None, "learning")
    lost = status(beat, Event(2000, Kind.RATE_LOST, "II", "no beat for 3 s"))
    assert (lost.heart_rate, lost.why_no_rate) == (None, "no beat for 3 s")


def test_each_failure_stands_once() -> None:
    events = [Event(0, Kind.SINK_FAILED, text=text) for text in ("recorder: a", "recorder: b", "recorder: a")]
    assert status(*events).failures == ("recorder: a", "recorder: b")
    many = status(*(Event(0, Kind.SINK_FAILED, text=str(number)) for number in range(1000)))
    assert many.failures == tuple(str(number) for number in range(980, 1000))


def test_a_notice_stands_until_the_source_says_another_or_none() -> None:
    notices = [
        Event(0, Kind.NOTICE, text=text) for text in ("announced but sends nothing", "the clock cannot be asked")
    ]
    live = Event(1, Kind.SOURCE, text="live")
    assert status(notices[0]).notice == "announced but sends nothing"
    assert status(*notices, live).notice == "the clock cannot be asked"
    assert status(*notices, live, Event(2, Kind.NOTICE)) == Status("live")


@pytest.mark.parametrize("last", [Event(9, Kind.SOURCE, text="ended"), Event(9, Kind.FAILED, text="no")])
def test_at_the_end_a_notice_speaks_of_nothing_any_more(last: Event) -> None:
    ended = status(Event(0, Kind.NOTICE, text="connecting anew"), last)
    assert ended == status(last)
    assert ended.notice == ""


def test_faults_of_the_clock_are_counted_and_the_newest_stands() -> None:
    faults = [
        Event(100, Kind.CLOCK, text="5 samples came twice", value=5),
        Event(900, Kind.CLOCK, text="the clock jumped by -3600 s", value=-3600),
    ]
    assert status(*faults) == Status(clock="the clock jumped by -3600 s", clock_faults=2)


def test_the_time_of_any_sample_follows_from_the_newest_that_was_told() -> None:
    assert status().time_of(5) is None
    assert status().age_ms(1000.0, 5) is None
    told = status(Event(500, Kind.TIME, value=1000.0), Event(1000, Kind.TIME, value=1001.25))
    assert (told.time, told.time_index) == (1001.25, 1000)
    assert told.time_of(1000) == 1001.25
    assert told.time_of(500) == 1000.25
    assert told.time_of(1500) == 1002.25


def test_the_age_is_that_of_the_newest_settled_sample() -> None:
    told = status(Event(500, Kind.TIME, value=1000.0))
    assert told.age_ms(1000.12, 501) == pytest.approx(120)  # what is settled ends after sample 500
    assert told.age_ms(1000.12, 551) == pytest.approx(20)
    assert told.age_ms(999.0, 501) == pytest.approx(-1000)  # another host's clock
