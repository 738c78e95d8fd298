"""A derived stream given on: item for item, its link supervised here, its source as the other end says."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.errors import SourceError
from engine.leads import LEADS, Origin
from stream.items import Block, Event, Gap, Item, Kind, Notice
from stream.relay import SENT_EACH_S, Relay
from stream.sinks.outbox import Direct
from stream.supervisor import LOST_S, STALE_PACKETS
from tests.stream.sinks.kept import Kept, Raising


def block(start: int, length: int = 40) -> Block:
    leads = np.full((len(LEADS), length), start, np.float32)
    return Block(start, leads, np.zeros_like(leads), np.full(leads.shape, Origin.MEASURED, np.uint8))


@dataclass
class Elsewhere:
    """A derived stream that sends these items, then waits for `go`, and ends as it is told."""

    items: Sequence[Item | Notice]
    name: str = "elsewhere"
    patient: bool = True
    error: Exception | None = None
    go: threading.Event = field(default_factory=threading.Event)
    heard: float = 0.0

    def arrivals(self, stop: threading.Event) -> Iterator[Item | Notice]:
        for item in self.items:
            self.heard += 1
            yield item
        while not (self.go.wait(0.02) or stop.is_set()):
            pass
        if self.error:
            raise self.error


SENT: list[Item | Notice] = [
    Event(0, Kind.SOURCE, text="live"),
    block(0),
    Event(40, Kind.LEAD_OFF, "V4"),
    Gap(40, 100),
    block(140),
]


def test_all_items_come_as_they_were_sent_and_the_end_is_told() -> None:
    kept, source, stop = Kept(), Elsewhere(SENT), threading.Event()
    source.go.set()
    relay = Relay(source, [Direct(kept, "kept")], stop)
    relay.start()
    relay.wait()
    assert kept.items == [*SENT, Event(180, Kind.SOURCE, text="ended")]
    assert kept.closed
    assert (relay.settled, relay.error, relay.failures) == (180, None, [])


def test_a_notice_and_an_error_are_told() -> None:
    kept, stop = Kept(), threading.Event()
    source = Elsewhere([Notice(1.0, "connection lost")], error=SourceError("gone; look there"))
    source.go.set()
    relay = Relay(source, [Direct(kept, "kept")], stop)
    relay.start()
    relay.wait()
    assert kept.items == [Event(0, Kind.NOTICE, text="connection lost"), Event(0, Kind.FAILED, text="gone; look there")]
    assert isinstance(relay.error, SourceError)


def test_a_link_that_is_silent_is_stale_then_lost_and_back_as_the_other_end_is() -> None:
    kept, stop = Kept(), threading.Event()
    source = Elsewhere([Event(0, Kind.SOURCE, text="no signal"), Gap(0, 40)])
    relay = Relay(source, [Direct(kept, "kept")], stop)
    relay._intake.start()
    deadline = time.monotonic() + 30
    while not relay.settled:
        assert time.monotonic() < deadline
        relay.tick(100.0)
    stale_s = STALE_PACKETS * SENT_EACH_S
    relay.tick(99.9 + stale_s)
    source.heard += 1  # the other end is there, though its source sends nothing
    relay.tick(100 + stale_s)
    assert len(kept.items) == 2
    relay.tick(100 + 2 * stale_s)
    relay.tick(101 + 2 * stale_s + LOST_S)
    said = [item.text for item in kept.items if isinstance(item, Event)]
    assert said == ["no signal", "stale", "lost"]
    source.heard += 1
    relay._intake._put(Gap(40, 40))
    relay.tick(120.0)
    assert kept.items[-1] == Event(80, Kind.SOURCE, text="no signal")
    relay._intake.stop()
    assert relay._intake.wait()


def test_once_the_other_end_said_that_it_ended_nothing_more_is_waited_for() -> None:
    kept, stop = Kept(), threading.Event()
    relay = Relay(Elsewhere([Gap(0, 40), Event(40, Kind.SOURCE, text="ended")]), [Direct(kept, "kept")], stop)
    relay._intake.start()
    deadline = time.monotonic() + 30
    while len(kept.items) < 2:
        assert time.monotonic() < deadline
        relay.tick(100.0)
    relay.tick(200.0)
    assert len(kept.items) == 2
    relay._intake.stop()
    assert relay._intake.wait()


def test_what_is_wrong_here_and_there_stands_side_by_side() -> None:
    sent: list[Item | Notice] = [
        Notice(0, "no way there"),
        Event(1_000_000, Kind.NOTICE, text="sensor off"),
        Notice(0, ""),
    ]
    kept, source, stop = Kept(), Elsewhere(sent), threading.Event()
    source.go.set()
    relay = Relay(source, [Direct(kept, "kept")], stop)
    relay.start()
    relay.wait()
    told = [(item.index, item.text) for item in kept.items if isinstance(item, Event)]
    assert told == [
        (0, "no way there"),
        (1_000_000, "no way there; sensor off"),
        (1_000_000, "sensor off"),
        (1_000_000, "ended"),
    ]


def test_a_sink_that_raises_holds_nobody() -> None:
    kept, source, stop = Kept(), Elsewhere(SENT), threading.Event()
    source.go.set()
    relay = Relay(source, [Direct(Raising(ValueError("no")), "raising"), Direct(kept, "kept")], stop)
    relay.start()
    relay.wait()
    assert [item for item in kept.items if isinstance(item, Block | Gap)] == [SENT[1], SENT[3], SENT[4]]
    assert len(relay.failures) == 1


def test_stop_ends_it() -> None:
    kept, stop = Kept(), threading.Event()
    relay = Relay(Elsewhere(SENT), [Direct(kept, "kept")], stop)
    relay.start()
    stop.set()
    relay.wait()
    assert kept.closed
