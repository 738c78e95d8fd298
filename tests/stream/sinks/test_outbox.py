"""The way to a sink: in order, never raising, never waiting but where it says so, and what was lost is said."""

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from engine.errors import SinkError
from stream.items import Block, Event, Gap, Item, Kind
from stream.sinks import outbox as outboxes
from stream.sinks.outbox import Direct, Outbox, Outlet
from tests.stream.sinks.kept import Kept, Raising, Stalling

NEVER = threading.Event()


def block(start: int, length: int = 100) -> Block:
    leads = np.full((12, length), start, np.float32)
    return Block(start, leads, leads, leads.astype(np.uint8))


def some_items(count: int) -> list[Item]:
    items: list[Item] = []
    for number in range(count):
        items += [block(200 * number), Event(200 * number, Kind.BEAT), Gap(200 * number + 100, 100)]
    return items


def send(outlet: Outlet, items: Sequence[Item], stop: threading.Event = NEVER) -> None:
    for item in items:
        outlet.push(item, stop)


def end(outlet: Outlet) -> list[str]:
    outlet.close()
    outlet.wait(NEVER)
    return outlet.failures()


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    sink = Stalling()
    yield sink
    sink.go.set()


@pytest.mark.parametrize("way", [Direct, Outbox])
def test_all_comes_in_order_and_is_closed_once(way: type[Direct] | type[Outbox]) -> None:
    kept = Kept()
    outlet = way(kept, "kept")
    items = some_items(20)
    send(outlet, items)
    assert end(outlet) == []
    assert kept.items == items
    assert kept.closed == 1


def test_a_stall_loses_nothing_that_fits(stalling: Stalling) -> None:
    outlet = Outbox(stalling, "recorder")
    items = some_items(45)  # 4,500 samples and 90 more
    began = time.monotonic()
    send(outlet, items)
    assert time.monotonic() - began < 0.5
    assert stalling.stalls.wait(10)
    stalling.go.set()
    assert end(outlet) == []
    assert stalling.items == items


def test_what_does_not_fit_is_lost_and_said(stalling: Stalling) -> None:
    outlet = Outbox(stalling, "recorder", capacity=1000)
    send(outlet, [block(0)])
    assert stalling.stalls.wait(10)
    send(outlet, [block(100 * number) for number in range(1, 25)])
    assert outlet.failures() == ["recorder: does not keep up; from 2.0 s on samples are lost"]
    stalling.go.set()
    deadline = time.monotonic() + 10
    while outlet._items:
        assert time.monotonic() < deadline
    send(outlet, [block(2500)])
    assert end(outlet) == ["recorder: 3.0 s from 2.0 s on were lost"]
    assert [item.start for item in stalling.blocks] == [*range(0, 1000, 100), 2500]


def test_events_find_room_where_samples_do_not(stalling: Stalling) -> None:
    outlet = Outbox(stalling, "recorder", capacity=1000)
    send(outlet, [block(0)])
    assert stalling.stalls.wait(10)
    send(outlet, [block(100 * number) for number in range(1, 20)])
    events: list[Item] = [Event(2000, Kind.LEAD_OFF, "V4"), Gap(2000, 500), Event(2500, Kind.BEAT)]
    send(outlet, events)
    stalling.go.set()
    end(outlet)
    assert stalling.items[-3:] == events


def test_what_is_left_of_a_run_that_ends_finds_room(stalling: Stalling) -> None:
    outlet = Outbox(stalling, "recorder", patient=True, capacity=300)
    stop = threading.Event()
    stop.set()
    items: list[Item] = [block(100 * number) for number in range(20)]
    send(outlet, items, stop)
    stalling.go.set()
    assert end(outlet) == []
    assert stalling.items == items


def test_nothing_comes_after_the_end(stalling: Stalling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "CLOSING_S", 0.2)
    outlet = Outbox(stalling, "recorder", patient=True, capacity=100)
    send(outlet, [block(0)])
    outlet.close()
    outlet.wait(NEVER)
    began = time.monotonic()
    send(outlet, [block(100), Event(100, Kind.SINK_FAILED)])
    assert time.monotonic() - began < 1


def test_a_source_that_can_wait_does(stalling: Stalling) -> None:
    outlet = Outbox(stalling, "recorder", patient=True, capacity=300)
    items: list[Item] = [block(100 * number) for number in range(30)]
    sender = threading.Thread(target=send, args=(outlet, items))
    sender.start()
    assert stalling.stalls.wait(10)
    stalling.go.set()
    sender.join(timeout=20)
    assert not sender.is_alive()
    assert end(outlet) == []
    assert stalling.items == items


def test_nobody_waits_for_a_sink_that_hangs(stalling: Stalling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "HUNG_S", 0.2)
    outlet = Outbox(stalling, "recorder", patient=True, capacity=300)
    send(outlet, [block(100 * number) for number in range(30)])
    assert outlet.failures() == ["recorder: does not keep up; from 0.6 s on samples are lost"]


def test_a_stop_ends_the_wait(stalling: Stalling) -> None:
    outlet = Outbox(stalling, "recorder", patient=True, capacity=300)
    stop = threading.Event()
    sender = threading.Thread(target=send, args=(outlet, [block(100 * number) for number in range(30)], stop))
    sender.start()
    assert stalling.stalls.wait(10)
    stop.set()
    sender.join(timeout=5)
    assert not sender.is_alive()


def test_a_full_disk_is_said_once_and_what_comes_when_it_has_room_is_written() -> None:
    sink = Raising(SinkError("cannot write r.hea: No space left on device"))
    outlet = Outbox(sink, "recorder")
    send(outlet, [block(100 * number) for number in range(5)])
    deadline = time.monotonic() + 10
    while outlet._items:
        assert time.monotonic() < deadline
    assert outlet.failures() == ["recorder: cannot write r.hea: No space left on device"]
    sink.error = None
    send(outlet, [block(500)])
    assert end(outlet) == []
    assert [item.start for item in sink.blocks] == [500]


@pytest.mark.parametrize("way", [Direct, Outbox])
def test_a_sink_that_raises_anything_else_gets_no_more(way: type[Direct] | type[Outbox]) -> None:
    sink = Raising(ValueError("a bug\nof two lines"))
    outlet = way(sink, "screen")
    send(outlet, [block(0), block(100)])
    assert end(outlet) == ["screen: a bug"]
    assert sink.items == []
    assert sink.closed == 1


@pytest.mark.parametrize("way", [Direct, Outbox])
def test_a_failure_at_the_end_is_said(way: type[Direct] | type[Outbox]) -> None:
    sink = Raising(SinkError(""), at_close=True)
    outlet = way(sink, "recorder")
    send(outlet, [block(0)])
    assert end(outlet) == ["recorder: SinkError"]
    assert len(sink.items) == 1


@pytest.mark.parametrize("hurried", [False, True])
def test_the_end_waits_only_so_long_for_a_sink_that_hangs(monkeypatch: pytest.MonkeyPatch, hurried: bool) -> None:
    monkeypatch.setattr(outboxes, "CLOSING_S", 0.3)
    sink = Stalling(at_close=True)
    outlet = Outbox(sink, "recorder")
    send(outlet, [block(0)])
    outlet.close()
    stop = threading.Event()
    if hurried:
        stop.set()
    began = time.monotonic()
    outlet.wait(stop)
    assert 0.25 < time.monotonic() - began < 2
    assert outlet.failures() == ["recorder: did not end; what it had not written is lost"]
    sink.go.set()


def test_the_end_waits_for_a_sink_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "CLOSING_S", 0.3)

    class Slow(Kept):
        def push(self, item: Item) -> None:
            time.sleep(0.1)
            super().push(item)

    slow = Slow()
    outlet = Outbox(slow, "recorder")
    send(outlet, [block(100 * number) for number in range(10)])
    assert end(outlet) == []
    assert len(slow.items) == 10
