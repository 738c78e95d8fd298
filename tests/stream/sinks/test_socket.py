"""ZeroMQ out, over real sockets: what is pushed arrives as it is, and what is lost is seen."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from engine.errors import SinkError, UsageError
from stream import keys as keys_module
from stream import link as link_module
from stream.address import ZmqAddress
from stream.items import Block, Event, Gap, Item, Kind, Why
from stream.keys import Access, new_key, revoke
from stream.sinks import socket as module
from stream.sinks.socket import Publisher
from stream.sources import socket as source_module
from stream.sources.socket import Listener, open_socket
from stream.wire import About, WireError
from tests.stream.ends import Opening, Taking, about, free_endpoint, process, wait_for
from tests.stream.hostile import block

Publish = Callable[..., Publisher]
Listen = Callable[..., tuple[Listener, Taking]]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Makes publishers at a port of the system's choice, who say often who they are; all are closed at the end."""
    monkeypatch.setattr(module, "ABOUT_S", 0.2)
    for each in (module, source_module, keys_module):
        monkeypatch.setattr(each, "LONGEST_WAIT_S", 0.05)
    made: list[Publisher] = []

    def publish(address: ZmqAddress | None = None, access: Access | None = None, **words: Any) -> Publisher:
        made.append(Publisher(address or ZmqAddress("tcp://127.0.0.1:0"), about(**words), access or Access()))
        return made[-1]

    yield publish
    for publisher in made:
        publisher.close()


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Opens listeners and takes what comes; all end at the end."""
    takings: list[Taking] = []

    def listen(where: str, key: Path | None = None, *, queued: bool = False, held: bool = False) -> Any:
        opening = opening_of(where, key, queued=queued)
        listener = opening.result()
        takings.append(Taking(listener, held=held))
        return listener, takings[-1]

    yield listen
    for taking in takings:
        taking.end()


def opening_of(where: str, key: Path | None = None, *, queued: bool = False) -> Opening:
    address = ZmqAddress(f"tcp://{where}", "bed7", queued)
    return Opening(partial(open_socket, address, (), None, access=Access(key=key)))


def runs(items: list[Item]) -> list[tuple[str, int, int]]:
    return [(type(item).__name__, item.start, item.end) for item in items if isinstance(item, Block | Gap)]


def assert_follows(items: list[Item]) -> None:
    """Blocks and gaps follow one another."""
    places = runs(items)
    assert all(before[2] == after[1] for before, after in pairwise(places))


def assert_numbered(items: list[Item], packet: int = 40) -> None:
    """Every block holds what the engine of these tests sends at its place."""
    for item in items:
        if isinstance(item, Block):
            np.testing.assert_array_equal(item.leads, np.float32(item.start // packet % 1000))


def push_until(publisher: Publisher, what: Callable[[], object], number: int = 0) -> int:
    """Push blocks until something is so; the number of the next."""
    while not what():
        publisher.push(block(40 * number, tail=10, level=float(number % 1000)))
        number += 1
        time.sleep(0.005)
        assert number < 10_000
    return number


def test_what_an_engine_in_another_process_sends_arrives(listen: Listen) -> None:
    endpoint = free_endpoint()
    with process("engine", "PUB", endpoint, "bed7", 0, 4, 40):
        listener, taking = listen(endpoint.removeprefix("tcp://"))
        wait_for(lambda: len(taking.items) > 100)
        taking.end()
    items = taking.items
    blocks = [item for item in items if isinstance(item, Block)]
    assert runs(items) == [("Block", start, start + 40) for start in range(blocks[0].start, blocks[-1].end, 40)]
    assert_numbered(items)
    for each in blocks:
        np.testing.assert_array_equal(each.interval, np.full((12, 40), 0.1, np.float32))
        np.testing.assert_array_equal(each.origin, np.full((12, 40), 3))
        assert each.tail is not None
        assert each.tail.leads.shape == each.tail.interval.shape == each.tail.origin.shape == (12, 10)
        assert each.truth is None
    beats = [item for item in items if isinstance(item, Event)]
    assert {beat.index % 400 for beat in beats} == {1}
    assert {(beat.kind, beat.lead, beat.value) for beat in beats} == {(Kind.BEAT, "II", 60.0)}
    assert (listener.about.model, listener.about.look_ahead_ms, listener.refused) == ("m", 98, 0)


def test_an_engine_that_is_killed_and_comes_back_goes_on_behind_what_was(listen: Listen) -> None:
    endpoint = free_endpoint()
    with process("engine", "PUB", endpoint, "bed7", 0, 4, 40):
        _, taking = listen(endpoint.removeprefix("tcp://"))
        wait_for(lambda: len(runs(taking.items)) > 10)
    wait_for(lambda: taking.texts and "is lost; trying again" in taking.texts[-1])
    before = len(runs(taking.items))
    with process("engine", "PUB", endpoint, "bed7", 0, 4, 40):
        wait_for(lambda: len(runs(taking.items)) > before + 10)
        wait_for(lambda: taking.texts[-1] == "")
        taking.end()
    items = taking.items
    assert_follows(items)
    anew = [item for item in items if isinstance(item, Event) and item.kind is Kind.CLOCK]
    assert [event.text for event in anew] == ["the stream began anew at the other end"]
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.start == anew[0].index
    assert 0.05 < gap.length / 500 < 30


def test_all_kinds_of_items_pass_in_order(publish: Publish, listen: Listen) -> None:
    endpoint = free_endpoint()
    opening = opening_of(endpoint.removeprefix("tcp://"), queued=True)
    publisher = publish(ZmqAddress(endpoint, queued=True))
    sent: list[Item] = [
        Event(0, Kind.SOURCE, text="live"),
        block(0),
        Event(3, Kind.NOTICE, text="a notice\nof two lines"),
        Gap(40, 10**9, Why.NO_SIGNAL),
        block(10**9 + 40, tail=50),
        *(Event(10**9 + 50, kind, "V4", "lost", 1.5) for kind in Kind),
    ]
    for item in sent:
        publisher.push(item)
    taking = Taking(opening.result())
    wait_for(lambda: len(taking.items) >= len(sent))
    taking.end()
    assert len(taking.items) == len(sent)
    for got, item in zip(taking.items, sent, strict=True):
        if isinstance(item, Block):
            assert isinstance(got, Block)
            assert (got.start, got.end, got.tail is None) == (item.start, item.end, item.tail is None)
        elif isinstance(item, Event) and "\n" in item.text:
            assert got == Event(3, Kind.NOTICE, text="a notice of two lines")
        else:
            assert got == item


def test_a_long_block_comes_in_several_messages_and_the_truth_stays(publish: Publish, listen: Listen) -> None:
    publisher = publish()
    _, taking = listen(publisher.where)
    number = push_until(publisher, lambda: taking.items)
    long = np.arange(12 * 12_345, dtype=np.float32).reshape(12, -1) % 100
    tail = block(0, tail=7).tail
    publisher.push(Block(40 * number, long, long, np.ones_like(long, np.uint8), truth=long, tail=tail))
    wait_for(lambda: taking.items[-1:] and isinstance(taking.items[-1], Block) and taking.items[-1].end > 12_345)
    pieces = [item for item in taking.items if isinstance(item, Block) and item.start >= 40 * number]
    assert [piece.leads.shape[1] for piece in pieces] == [5000, 5000, 2345]
    np.testing.assert_array_equal(np.concatenate([piece.leads for piece in pieces], axis=1), long)
    assert [piece.tail is not None for piece in pieces] == [False, False, True]
    assert all(piece.truth is None for piece in pieces)


def test_who_joins_late_is_told_what_holds(publish: Publish, listen: Listen) -> None:
    publisher = publish()
    off = Event(10, Kind.LEAD_OFF, "V4", "flat")
    for item in (block(0), Event(5, Kind.SOURCE, text="live"), off, block(40), Event(60, Kind.LEAD_OFF, "V5", "x"),
                 Event(70, Kind.LEAD_BACK, "V5")):  # fmt: skip
        publisher.push(item)
    listener, taking = listen(publisher.where)
    wait_for(lambda: len(taking.items) == 2, lambda: taking.items)
    push_until(publisher, lambda: len(taking.items) > 4, 2)
    assert taking.items[:2] == [Event(80, Kind.SOURCE, text="live"), Event(80, Kind.LEAD_OFF, "V4", "flat")]
    assert_follows(taking.items)
    assert listener.about.settled == 80


def test_a_silent_stream_says_who_it_is_each_second(publish: Publish) -> None:
    publisher = publish()
    opening = opening_of(publisher.where)
    listener = opening.result()
    assert listener.about.leads_in == ("I", "II", "V4")
    listener.close()


def test_who_does_not_keep_up_has_gaps_and_is_told_so(
    publish: Publish, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SENT", "RECEIVED"):
        monkeypatch.setattr(link_module, name, 5)
    publisher = publish()
    _, taking = listen(publisher.where, held=True)
    number = 0
    while not taking.came:
        publisher.push(block(40 * number, level=number))
        number += 1
        time.sleep(0.005)
    began = time.monotonic()
    start = 40 * number
    for _ in range(200):  # 100 MB: no buffer of a socket holds that
        publisher.push(block(start, 5000, level=0))
        start += 5000
    assert time.monotonic() - began < 10
    taking.go.set()
    while not (taking.items and taking.items[-1].end == start if isinstance(taking.items[-1], Block) else False):
        publisher.push(block(start, 40, level=0))
        start += 40
        time.sleep(0.02)
    items = taking.items
    assert_follows(items)
    assert any(isinstance(item, Gap) for item in items)
    told = [item for item in items if isinstance(item, Event)]
    assert told
    assert all(event.kind is Kind.DROPPED and "got lost on the way" in event.text for event in told)
    lost = sum(item.length for item in items if isinstance(item, Gap))
    assert sum(event.value or 0 for event in told) == lost / 2  # at the source's rate


def test_what_nobody_takes_is_lost_and_said_and_does_not_hold(
    publish: Publish, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SENT", 5)
    monkeypatch.setattr(module, "NO_ROOM_S", 0.3)
    endpoint = free_endpoint()
    publisher = publish(ZmqAddress(endpoint, queued=True))
    where = endpoint.removeprefix("tcp://")
    failures = []
    began = time.monotonic()
    for number in range(50):
        try:
            publisher.push(block(40 * number, level=number))
        except SinkError as error:
            failures.append(str(error))
    assert time.monotonic() - began < 5
    assert set(failures) == {f"what is sent is lost: nothing listens at {where}; trying again"}
    opening = opening_of(where, queued=True)
    taking = Taking(opening.result())

    def push(number: int) -> bool:
        try:
            publisher.push(block(40 * number, level=number))
        except SinkError:
            return False
        return True

    number = 50
    while not push(number):
        number += 1
        time.sleep(0.01)
    wait_for(lambda: any(end == 40 * (number + 1) for _, _, end in runs(taking.items)))
    taking.end()
    assert_follows(taking.items)
    assert_numbered(taking.items)
    assert runs(taking.items)[0][1] == 0
    assert any(isinstance(item, Gap) for item in taking.items)


def test_what_was_pushed_last_still_arrives(publish: Publish, listen: Listen) -> None:
    publisher = publish()
    _, taking = listen(publisher.where)
    number = push_until(publisher, lambda: taking.items)
    for last in range(number, number + 100):
        publisher.push(block(40 * last, level=float(last)))
    publisher.close()
    wait_for(lambda: runs(taking.items)[-1][2] == 40 * (number + 100))
    assert_follows(taking.items)


def test_the_end_does_not_wait_for_who_does_not_listen(publish: Publish) -> None:
    publisher = publish(ZmqAddress(free_endpoint(), queued=True))
    for number in range(100):
        publisher.push(block(40 * number))
    began = time.monotonic()
    publisher.close()
    assert time.monotonic() - began < 2
    publisher.close()


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keys, looked at often."""
    monkeypatch.setattr(keys_module, "LOOKS_S", 0.05)
    return tmp_path / "keys"


def test_without_a_listed_key_nothing_is_heard(publish: Publish, listen: Listen, keys: Path) -> None:
    good = new_key(keys, "desk", ())
    publisher = publish(access=Access(keys=keys))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, context.socket(zmq.SUB) as plain, context.socket(zmq.SUB) as strange:
        public, secret = zmq.curve_keypair()
        strange.curve_publickey, strange.curve_secretkey = public, secret
        strange.curve_serverkey = keys_module.server_pair(keys).public.encode()
        for socket in (plain, strange):
            socket.linger = 0
            socket.subscribe(b"")
            socket.connect(f"tcp://{publisher.where}")
        listener, taking = listen(publisher.where, good)
        push_until(publisher, lambda: len(taking.items) > 200)
        assert plain.poll(0) == strange.poll(0) == 0
    assert listener.refused == 0
    assert_follows(taking.items)


def test_a_revoked_listener_is_put_out_and_the_others_come_back(publish: Publish, listen: Listen, keys: Path) -> None:
    good, gone = new_key(keys, "good", ()), new_key(keys, "gone", ())
    publisher = publish(access=Access(keys=keys))
    _, kept = listen(publisher.where, good)
    _, out = listen(publisher.where, gone)
    number = push_until(publisher, lambda: kept.items and out.items)
    revoke(keys, "gone")
    refusal = f"{publisher.where} refused the key {gone}; ask for one there: ecgstream keys new NAME"
    number = push_until(publisher, lambda: refusal in out.texts, number)
    ended, goes_on = len(out.items), len(kept.items)
    push_until(publisher, lambda: len(kept.items) > goes_on + 50, number)
    assert len(out.items) == ended
    assert_follows(kept.items)
    assert_numbered(kept.items)


def test_while_the_list_cannot_be_read_nobody_listens_and_it_is_said(
    publish: Publish, listen: Listen, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "AGAIN_S", 0.2)
    good = new_key(keys, "good", ())
    publisher = publish(access=Access(keys=keys))
    _, taking = listen(publisher.where, good)
    number = push_until(publisher, lambda: taking.items)
    garbled = keys / "allowed" / "garbled.key"
    garbled.write_text("{")

    def fails() -> bool:
        nonlocal number
        number += 1
        try:
            publisher.push(block(40 * number, level=float(number % 1000)))
        except SinkError as error:
            return "nobody is let in: " in str(error) and "garbled.key" in str(error)
        return False

    wait_for(fails)
    wait_for(lambda: any("refused the key" in text for text in taking.texts))
    garbled.unlink()
    before = len(taking.items)
    wait_for(lambda: not fails() and len(taking.items) > before + 3)
    assert_follows(taking.items)


def test_a_place_that_cannot_be_had_and_a_stream_without_a_name_are_refused(publish: Publish) -> None:
    publisher = publish()
    with pytest.raises(UsageError, match="another program listens there already"):
        publish(ZmqAddress(f"tcp://{publisher.where}"))
    with pytest.raises(UsageError, match="or write --insecure"):
        publish(ZmqAddress("tcp://0.0.0.0:5555"))
    with pytest.raises(WireError, match="bed"):
        publish(bed="")
    with pytest.raises(WireError, match="rate"):
        Publisher(ZmqAddress("tcp://127.0.0.1:0"), About(bed="b", name="b", leads_in=(), rate=0), Access())


def test_names_that_are_long_or_odd_are_sent_as_they_can_be(publish: Publish, listen: Listen) -> None:
    publisher = publish(ZmqAddress("tcp://127.0.0.1:0", "bed7"), bed="another\n" + "x" * 100)
    listener, _ = listen(publisher.where)
    assert listener.about.bed == "bed7"
