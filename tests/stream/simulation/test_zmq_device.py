"""Real ZeroMQ between two processes: what a plain socket receives is what the journal says, number for number."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zmq

from engine.errors import UsageError
from stream.address import ZmqAddress, parse_out
from stream.keys import Access, client_key, new_key, revoke
from stream.simulation import journal
from stream.simulation.device import Device, Faults, Unit
from stream.simulation.faults import Fate, deliveries
from stream.simulation.packets import packets
from stream.simulation.signal import Signal
from stream.simulation.socket import Socket
from stream.wire import SYNTHETIC, Samples, decode
from tests.stream.simulation.process import LONGEST_S, Simulated, simulated
from tests.stream.simulation.signals import Tones


@pytest.fixture
def place() -> str:
    """A place of this machine where nobody is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def subscriber(
    place: str, topic: str = "", keys: tuple[bytes, bytes, bytes] | None = None
) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.SUB) as made:
        made.linger = 0
        made.rcvhwm = 0
        if keys:
            made.curve_publickey, made.curve_secretkey, made.curve_serverkey = keys
        made.subscribe(topic)
        made.connect(f"tcp://{place}")
        yield made


@contextmanager
def puller(place: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.PULL) as made:
        made.linger = 0
        made.rcvhwm = 0
        made.bind(f"tcp://{place}")
        yield made


def receive(source: zmq.Socket[bytes], n: int) -> list[Samples]:
    """What comes, until there are so many messages."""
    found: list[Samples] = []
    deadline = time.monotonic() + LONGEST_S
    while len(found) < n:
        assert time.monotonic() < deadline, f"only {len(found)} messages came"
        if source.poll(200):
            message = decode(source.recv_multipart())
            assert isinstance(message, Samples)
            found.append(message)
    return found


def check(device: Simulated, received: list[Samples], *, session: int = 0) -> None:
    """All that came is what was sent in a session, from one packet on: in numbers, values and times."""
    sent = device.journal()
    of_it = sent.entries[sent.entries["session"] == session]
    went = sent.that_went()
    went = went[went["session"] == session]
    # Those of while it was unplugged belong to the session before.
    base, first_number = int(of_it["index"].min()), int(of_it["number"].min())
    first = [entry["number"] - first_number for entry in went].index(received[0].sequence)
    went = went[first : first + len(received)]
    assert len(went) == len(received) > 0
    assert [message.sequence for message in received] == (went["number"] - first_number).tolist()
    assert [message.index for message in received] == (went["index"] - base).tolist()
    assert [message.time for message in received] == went["stamps"][:, 0].tolist()
    values = np.concatenate([message.samples.T for message in received])
    assert np.array_equal(values, journal.values(went))
    assert np.array_equal(values[:, -1], journal.numbers(went) % sent.header.counter_modulus)
    assert len({message.session for message in received}) == 1
    first_message = received[0]
    assert first_message.leads == sent.header.channels
    assert (first_message.rate, first_message.flags) == (sent.header.rate, SYNTHETIC)


ALL_AT_ONCE = (
    *("--loss", 0.05, "--burst", "300ms@1s", "--duplicate", 0.1, "--reorder", 0.1, "--jitter", 15, "--noise", 20),
    *("--drift", -100, "--clock-reset", "1s", "--lead-off", "V4@1s:1s"),
)
COUNTED = ("--counter", "--journal-samples", "--wait", "--rate", 250, "--speed", 16)


@pytest.mark.parametrize(
    ("way", "options", "fates"),
    [
        ("", ("--burst-stamps", "0.56s"), ()),
        ("", ALL_AT_ONCE, (Fate.LOST, Fate.BURST, Fate.DUPLICATE, Fate.REORDERED)),
        ("?push", ALL_AT_ONCE, (Fate.LOST, Fate.BURST, Fate.DUPLICATE, Fate.REORDERED)),
    ],
    ids=["burst stamps", "all at once", "pushed"],
)
def test_what_arrives_is_what_was_sent(
    tmp_path: Path, place: str, way: str, options: tuple[object, ...], fates: tuple[Fate, ...]
) -> None:
    n = 10 if "--burst-stamps" in options else 150
    out = f"zmq+tcp://{place}/bed7{way}"
    with (
        (puller if way else subscriber)(place) as source,
        simulated(out, *COUNTED, *options, journal=tmp_path / "a.sent") as device,
    ):
        received = receive(source, n)
        assert device.end() == 128 + signal.SIGTERM
    check(device, received)
    assert {message.bed for message in received} == {"bed7"}
    assert {message.unit for message in received} == {"uV"}
    assert all(device.journal().that_were(fate).size for fate in fates)


@pytest.mark.parametrize("way", ["", "?push"])
def test_unplugged_it_comes_back_in_another_session_that_counts_anew(tmp_path: Path, place: str, way: str) -> None:
    out = f"zmq+tcp://{place}/bed7{way}"
    with (
        (puller if way else subscriber)(place) as source,
        simulated(out, *COUNTED, "--unplug", "1s:4s", "--unplug", "2m:1s", journal=tmp_path / "a.sent") as device,
    ):
        first, second = receive(source, 50), receive(source, 50)
        device.end()
    assert "at 1.0 s unplugged" in device.said
    assert "at 5.0 s plugged in again" in device.said
    assert first[0].index == first[0].sequence == 0
    assert first[-1].session != second[0].session
    check(device, first)
    check(device, second, session=1)
    assert device.journal().that_were(Fate.UNPLUGGED)["number"].tolist() == list(range(50, 250))


def test_only_who_asks_for_the_bed_is_waited_for(tmp_path: Path, place: str) -> None:
    options = ("--wait", "--journal-samples", "--counter")
    with simulated(
        f"zmq+tcp://{place.replace('127.0.0.1', 'localhost')}/bed7", *options, journal=tmp_path / "a.sent"
    ) as device:
        with subscriber(place, "bed8") as source:
            assert not source.poll(300)
        assert not device.journal_path.exists()
        with subscriber(place, "bed7") as source:
            received = receive(source, 10)
        assert received[0].index == 0
        device.end()
        check(device, received)


def test_what_nobody_takes_is_held_until_there_is_no_room(place: str) -> None:
    device = Device("bed7", ("I", "II", "V4"), unit=Unit.MV, packet=500)
    made = deliveries(packets(Signal(Tones(), device.leads, 500), device), device, Faults(), epoch=0.0)
    address = parse_out(f"zmq+tcp://{place}?push")
    assert isinstance(address, ZmqAddress)
    sender = Socket(device, address, Access())
    sender.open()
    try:
        held = 0
        while sender.has_room():
            sender.send(next(made))
            held += 1
        assert held >= 1000
        with puller(place) as source:
            received = receive(source, held)
        assert [message.sequence for message in received] == list(range(held))
        assert sender.has_room()
    finally:
        sender.close()


def test_with_keys_only_who_is_listed_gets_it_and_no_longer_than_that(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "keys"
    key = client_key(new_key(folder, "desk", ()))
    stranger = zmq.curve_keypair()
    out, options = f"zmq+tcp://{place}/bed7", ("--keys", folder, *COUNTED)
    with simulated(out, *options, journal=tmp_path / "a.sent") as device:
        with subscriber(place) as source, subscriber(place, keys=(*stranger, key.server.encode())) as other:
            assert not source.poll(200)
            assert not other.poll(200)
        assert not device.journal_path.exists()  # nobody that counts has listened
        with subscriber(place, keys=(key.public.encode(), key.secret.encode(), key.server.encode())) as source:
            received = receive(source, 20)
            revoke(folder, "desk")
            deadline = time.monotonic() + LONGEST_S
            while source.poll(1000):
                source.recv_multipart()
                assert time.monotonic() < deadline
            assert device.process.poll() is None
        device.end()
    check(device, received)


def test_it_is_not_open_to_the_network_without_being_told(tmp_path: Path) -> None:
    address = parse_out("zmq+tcp://0.0.0.0:5999")
    assert isinstance(address, ZmqAddress)
    with pytest.raises(UsageError, match="write --insecure"):
        Socket(Device("bed7", ("I",)), address, Access())


def test_raw_counts_name_no_unit(tmp_path: Path, place: str) -> None:
    options = ("--unit", "none", "--wait")
    with (
        subscriber(place) as source,
        simulated(f"zmq+tcp://{place}", *options, journal=tmp_path / "a.sent"),
    ):
        (message,) = receive(source, 1)
    assert (message.unit, message.bed, message.leads) == ("", "synthetic", ("I", "II", "V4"))
