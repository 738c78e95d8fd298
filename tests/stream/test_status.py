"""What a status bar says follows from the stream, item by item."""

import numpy as np

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
    assert status(Event(0, Kind.CLOCK, text="5 samples came twice")) == Status()
