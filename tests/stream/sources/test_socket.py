"""ZeroMQ in, over real sockets: each sample once and in its place, and everything else counted and said."""

import contextlib
import os
import re
import select
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from zmq import SocketType

from engine.errors import SourceError, UsageError
from stream import keys as keys_module
from stream import link as link_module
from stream.address import ZmqAddress, parse_source
from stream.channels import parse_map
from stream.items import Notice
from stream.keys import Access, new_key, revoke
from stream.sources import socket as module
from stream.sources.socket import Listener, SocketSource, open_socket
from stream.wire import Derived, encode
from tests.stream import hostile
from tests.stream.ends import LONGEST_S, PACKET, Device, Opening, Taking, free_endpoint, numbered, process, wait_for

Start = Callable[..., Opening]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits, but shorter."""
    monkeypatch.setattr(module, "TOLD_S", 0.2)
    monkeypatch.setattr(module, "ALONE_S", 0.3)
    for each in (module, keys_module):
        monkeypatch.setattr(each, "LONGEST_WAIT_S", 0.05)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `open_socket`; all that was opened is closed at the end."""
    openings: list[Opening] = []

    def start(address: str, access: Access | None = None, mapped: tuple[str, ...] = (), wanted: Any = None) -> Opening:
        opening = Opening(
            partial(open_socket, zmq_address(address), parse_map(mapped), wanted, access=access or Access())
        )
        openings.append(opening)
        return opening

    yield start
    for opening in openings:
        opening.end()


@pytest.fixture
def take() -> Iterator[Callable[[Any], Taking]]:
    takings: list[Taking] = []

    def take(source: Any) -> Taking:
        takings.append(Taking(source))
        return takings[-1]

    yield take
    for taking in takings:
        taking.end()


Take = Callable[[Any], Taking]


def zmq_address(text: str) -> ZmqAddress:
    address = parse_source(text)
    assert isinstance(address, ZmqAddress)
    return address


def heard(opening: Opening, device: Device) -> Any:
    """What was opened on a device that publishes until it is heard."""
    device.keep_sending(lambda: opening.is_done)
    return opening.result()


def assert_whole(numbers: np.ndarray, first: int | None = None) -> None:
    """Each sample once and in order."""
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)) + (numbers[0] if first is None else first))


def test_a_device_that_publishes_in_another_process(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    with process("device", "PUB", endpoint, "bed7", 0, 4, PACKET):
        source = start(f"zmq+{endpoint}/bed7").result()
        assert isinstance(source, SocketSource)
        assert (source.name, source.rate, source.leads, source.patient) == ("bed7", 250, ("I", "II", "V4"), False)
        taking = take(source)
        wait_for(lambda: len(taking.arrivals) > 100)
        taking.end()
    assert_whole(taking.numbers())
    for arrival in taking.arrivals:
        assert arrival.index == round(1000 * float(arrival.samples[0, 0]))
        np.testing.assert_allclose(arrival.samples[1], -arrival.samples[0])
        assert np.isnan(arrival.samples[2]).all()
        np.testing.assert_allclose(arrival.samples[9], 0.001)
    received = [arrival.received for arrival in taking.arrivals]
    assert received == sorted(received)
    assert source.refused == 0
    assert len({arrival.session for arrival in taking.arrivals}) == 1


def test_a_slow_reader_loses_nothing_of_what_is_pushed(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}/bed7?pull")
    packet = 400
    with process("device", "PUSH", endpoint, "bed7", 10_000, 0, packet) as device:
        source = opening.result()
        assert source.patient
        assert device.stdout is not None
        taking = Taking(source, held=True)
        try:
            wait_for(lambda: taking.came)
            # The queues of both ends are full, and the device waits.
            assert select.select([device.stdout], [], [], 0.5)[0] == []
            assert len(taking.came) == 1
            taking.go.set()
            wait_for(lambda: len(taking.came) >= 10_000)
            assert select.select([device.stdout], [], [], LONGEST_S)[0] != []
        finally:
            taking.end()
    assert [arrival.index for arrival in taking.arrivals] == list(range(0, 10_000 * packet, packet))
    for arrival in taking.arrivals:
        assert arrival.index is not None
        np.testing.assert_allclose(1000 * arrival.samples[0], arrival.index + np.arange(packet), rtol=1e-6)


def test_a_device_that_is_killed_and_comes_back(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    with process("device", "PUB", endpoint, "bed7", 0, 4, PACKET):
        taking = take(start(f"zmq+{endpoint}/bed7").result())
        wait_for(lambda: len(taking.arrivals) > 10)
    where = endpoint.removeprefix("tcp://")
    wait_for(lambda: taking.texts == [f"the connection to {where} is lost; trying again"], lambda: taking.texts)
    before = len(taking.arrivals)
    with process("device", "PUB", endpoint, "bed7", 0, 4, PACKET):
        wait_for(lambda: len(taking.arrivals) > before + 10)
        wait_for(lambda: taking.texts[1:] == [""], lambda: taking.texts)
        taking.end()
    sessions = list(dict.fromkeys(arrival.session for arrival in taking.arrivals))
    assert len(sessions) == 2
    for session in sessions:
        assert_whole(taking.numbers(session))


def test_a_device_that_hangs_is_told_and_goes_on(start: Start, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine still answers for TCP, as it does when a cable is pulled: only the heartbeats tell."""
    monkeypatch.setattr(link_module, "HEARTBEAT_MS", 100)
    monkeypatch.setattr(link_module, "SILENT_MS", 400)
    endpoint = free_endpoint()
    where = endpoint.removeprefix("tcp://")
    with process("device", "PUB", endpoint, "bed7", 0, 4, PACKET) as device:
        taking = take(start(f"zmq+{endpoint}/bed7").result())
        wait_for(lambda: len(taking.arrivals) > 10)
        device.send_signal(signal.SIGSTOP)
        wait_for(lambda: taking.texts == [f"the connection to {where} is lost; trying again"], lambda: taking.texts)
        before = len(taking.arrivals)
        device.send_signal(signal.SIGCONT)
        wait_for(lambda: len(taking.arrivals) > before + 10)
        wait_for(lambda: taking.texts[1:] == [""], lambda: taking.texts)
        taking.end()
    assert len({arrival.session for arrival in taking.arrivals}) == 1
    indices = [arrival.index or 0 for arrival in taking.arrivals]
    assert indices == sorted(set(indices))


def test_it_ends_soon_and_leaves_nothing(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    process_id = Path(f"/proc/{os.getpid()}/fd")
    with Device(SocketType.PUB, endpoint) as device:
        before = len(list(process_id.iterdir()))
        for _ in range(3):
            opening = start(f"zmq+{endpoint}/bed7")
            taking = take(heard(opening, device))
            taking.end()
        wait_for(lambda: len(list(process_id.iterdir())) <= before + 1)


def test_the_one_bed_that_there_is_is_taken_with_all_that_came_meanwhile(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}?pull")
    with Device(SocketType.PUSH, endpoint) as device:
        device.keep_sending(lambda: opening.is_done)
        taking = take(opening.result())
        device.send(5)
        wait_for(lambda: len(taking.arrivals) == device.sequence)
    assert_whole(taking.numbers(), 0)
    assert device.sequence > 10


@pytest.mark.parametrize("query", ["", "?pull"])
def test_of_several_beds_one_has_to_be_named(start: Start, query: str) -> None:
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}{query}")
    with Device(SocketType.PUSH if query else SocketType.PUB, endpoint) as device:

        def send_both() -> bool:
            for device.bed in ("ward 1", "ward 2"):
                device.send()
            return opening.is_done

        device.keep_sending(send_both)
    words = f"several beds at .*: ward 1, ward 2; write for example zmq+{endpoint}/ward%201{query}"
    with pytest.raises(SourceError, match=words.replace("+", r"\+").replace("?", r"\?") + "$"):
        opening.result()


def test_another_beds_messages_are_not_taken(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}/bed7?pull")
    with Device(SocketType.PUSH, endpoint, bed="bed77") as other, Device(SocketType.PUSH, endpoint) as device:
        other.send(5)
        device.send(1)
        taking = take(opening.result())
        for _ in range(20):
            other.send()
            device.send()
        wait_for(lambda: len(taking.arrivals) == 21)
    assert_whole(taking.numbers(), 0)
    assert taking.texts == []


def test_while_it_waits_it_says_why(start: Start) -> None:
    endpoint = free_endpoint()
    where = endpoint.removeprefix("tcp://")
    opening = start(f"zmq+{endpoint}/bed7")
    wait_for(lambda: opening.said == [f"nothing listens at {where}; trying again"], lambda: opening.said)
    with Device(SocketType.PUB, endpoint, bed="bed8") as device:
        says = f"connected to {where}, nothing comes from bed bed7 yet; beds heard: bed8"
        device.keep_sending(lambda: says in opening.said)
        device.bed = "bed7"
        heard(opening, device)
    assert opening.said[-1] == ""
    assert len(opening.said) == len(set(opening.said))


def test_a_name_that_nobody_has_is_said(start: Start) -> None:
    opening = start("zmq+tcp://no-such-machine.invalid:5555/bed7")
    says = "no-such-machine.invalid:5555 does not answer; is its name right, and is it on?"
    wait_for(lambda: opening.said == [says], lambda: opening.said)


def test_a_bound_end_says_that_it_listens_and_what_it_refuses(start: Start) -> None:
    endpoint = free_endpoint()
    where = endpoint.removeprefix("tcp://")
    opening = start(f"zmq+{endpoint}/bed7?pull")
    with Device(SocketType.PUSH, endpoint) as device:
        wait_for(lambda: opening.said == [f"listening at {where}, nothing comes from bed bed7 yet"])
        device.send_parts([b"one"])
        wait_for(
            lambda: opening.said[-1].endswith("yet; 1 message refused: a message of 1 parts"), lambda: opening.said
        )


def test_a_wait_ends_with_the_run(start: Start) -> None:
    for address in (f"zmq+{free_endpoint()}/bed7", f"zmq+{free_endpoint()}?pull"):
        opening = start(address)
        opening.stop.set()
        assert opening.result() is None


@pytest.mark.parametrize(
    ("change", "mapped", "words"),
    [
        ({"rate": 50}, (), "bed bed7 at .* sends at 50 Hz; 100 to 2000 Hz can be used"),
        ({"rate": 2001}, (), "sends at 2001 Hz"),
        ({}, ("V4=II",), "channels .* are both II"),
        ({}, ("A=V1",), "there is no channel 'A'"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(
    start: Start, change: dict[str, Any], mapped: tuple[str, ...], words: str
) -> None:
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}/bed7?pull", mapped=mapped)
    with Device(SocketType.PUSH, endpoint) as device:
        device.send(1, **change)
        with pytest.raises(SourceError, match=words):
            opening.result()


def test_leads_are_chosen_and_mapped(start: Start, take: Take) -> None:
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}/bed7?pull", mapped=("V4=V5:2mV", "2=III"), wanted=("I", "III", "V5"))
    with Device(SocketType.PUSH, endpoint) as device:
        device.send(2)
        taking = take(opening.result())
        wait_for(lambda: len(taking.arrivals) == 2)
    samples = taking.arrivals[1].samples
    np.testing.assert_allclose(samples[[0, 2]], [0.001 * np.arange(10, 20), -0.001 * np.arange(10, 20)])
    np.testing.assert_allclose(samples[10], 2)
    assert np.isnan(samples[[1, 3, 4, 5, 6, 7, 8, 9, 11]]).all()


@pytest.fixture
def pulled(start: Start, take: Take) -> Iterator[tuple[Device, Taking, SocketSource]]:
    """A device that pushes, with its first message taken."""
    endpoint = free_endpoint()
    opening = start(f"zmq+{endpoint}/bed7?pull")
    with Device(SocketType.PUSH, endpoint) as device:
        device.send()
        source = opening.result()
        yield device, take(source), source


Pulled = tuple[Device, Taking, SocketSource]


def test_what_is_refused_is_counted_and_said_and_the_rest_goes_on(
    pulled: Pulled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S", 1.0)
    device, taking, source = pulled
    spoiled = [b"bed7", *encode(numbered("bed7", 1, 1))[1:]]
    spoiled[2] = spoiled[2][:-1]
    for _ in range(3):
        device.send_parts(spoiled)
        device.send()
    says = "3 messages refused: parts of 119 bytes where 120 are said"
    wait_for(lambda: taking.texts[-1:] == [says], lambda: taking.texts)
    wait_for(lambda: taking.texts[-1:] == [""])
    assert source.refused == 3
    assert_whole(taking.numbers(), 0)
    assert len(taking.arrivals) == 4
    times = [each.received for each in taking.came if isinstance(each, Notice)]
    assert all(np.diff(times) >= module.TOLD_S)


@pytest.mark.parametrize("session", [1, 2])
def test_a_bed_that_sends_something_else_now_is_refused(pulled: Pulled, session: int) -> None:
    device, taking, source = pulled
    device.session = session
    device.send(rate=500)
    now, before = (f"I, II, V4 in uV at {rate} Hz" for rate in (500, 250))
    says = f"1 message refused: bed bed7 sends {now} now, and sent {before}; start here anew"
    wait_for(lambda: taking.texts == [says], lambda: taking.texts)
    device.session = 1
    device.send()
    wait_for(lambda: len(taking.arrivals) == 2)
    assert source.refused == 1


def test_a_device_does_not_become_derived(pulled: Pulled) -> None:
    device, taking, source = pulled
    device.send_parts(encode(Derived(bed="bed7", session=1, sequence=1, item=hostile.block())))
    wait_for(lambda: source.refused == 1)
    wait_for(lambda: taking.texts)
    assert "sends samples, and this is derived" in taking.texts[0]


def test_of_two_senders_the_later_is_taken(pulled: Pulled) -> None:
    device, taking, source = pulled
    device.session, device.sequence = 2, 0
    device.send(2)
    device.session, device.sequence = 1, 1
    device.send(3)
    device.session, device.sequence = 2, 2
    device.send(2)
    wait_for(lambda: len(taking.arrivals) == 5)
    assert [(arrival.session, arrival.index) for arrival in taking.arrivals] == [
        (1, 0), (2, 0), (2, 10), (2, 20), (2, 30),
    ]  # fmt: skip
    assert source.refused == 3


def test_what_no_heart_makes_is_not_known(pulled: Pulled) -> None:
    device, taking, _ = pulled
    values = np.array([[np.inf, 1, 2], [np.nan, 2, 2], [1e9, -1e9, 3e38]], np.float32)
    message = numbered("bed7", 1, 1)
    parts = encode(type(message)(**{name: getattr(message, name) for name in message.__slots__} | {"samples": values}))
    device.send_parts(parts)
    wait_for(lambda: len(taking.arrivals) == 2)
    samples = taking.arrivals[1].samples[[0, 1, 9]]
    np.testing.assert_array_equal(np.isfinite(samples), [[False, True, True], [False, True, True], [False] * 3])


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keys, looked at often."""
    monkeypatch.setattr(keys_module, "LOOKS_S", 0.05)
    return tmp_path / "keys"


def test_with_keys_a_listed_device_is_taken_and_no_other(start: Start, take: Take, keys: Path, tmp_path: Path) -> None:
    endpoint = free_endpoint()
    good = new_key(keys, "patch7", ("bed7", "bed9"))
    strange = new_key(tmp_path / "elsewhere", "patch7", ())
    strange.write_text(strange.read_text().replace(keys_module.client_key(strange).server, server_of(good)))
    opening = start(f"zmq+{endpoint}/bed7?pull", Access(keys=keys))
    with (
        Device(SocketType.PUSH, endpoint) as open_one,
        Device(SocketType.PUSH, endpoint, strange) as unlisted,
        Device(SocketType.PUSH, endpoint, good) as device,
    ):
        for each in (open_one, unlisted):
            with contextlib.suppress(zmq.Again):  # it may have been refused by now
                each.socket.send_multipart(encode(numbered("bed7", 1, 0)), zmq.NOBLOCK)
        wait_for(lambda: opening.said and "connections refused: " in opening.said[-1], lambda: opening.said)
        assert not opening.is_done
        device.send()
        source = opening.result()
        taking = take(source)
        device.send(5)
        device.bed, device.sequence = "bed8", 0
        device.send(4)
        wait_for(lambda: source.refused == 4)
        wait_for(lambda: len(taking.arrivals) == 6)
        says = "4 messages refused: the key patch7 is not for bed bed8"
        wait_for(lambda: any(says in text for text in taking.texts), lambda: taking.texts)
    assert_whole(taking.numbers(), 0)


def server_of(path: Path) -> str:
    return keys_module.client_key(path).server


def test_a_revoked_device_is_put_out_while_it_sends(start: Start, take: Take, keys: Path) -> None:
    endpoint = free_endpoint()
    good, other = new_key(keys, "good", ("bed7",)), new_key(keys, "other", ("bed7", "bed8"))
    opening = start(f"zmq+{endpoint}/bed7?pull", Access(keys=keys))
    with Device(SocketType.PUSH, endpoint, good) as device, Device(SocketType.PUSH, endpoint, other) as revoked:
        device.send()
        source = opening.result()
        taking = take(source)
        revoked.bed = "bed9"
        revoked.send()
        wait_for(lambda: source.refused == 1)  # it is let in, though not with this bed
        revoke(keys, "other")
        revoked.bed = "bed8"
        revoked.keep_sending(lambda: source.refused > 1)
        refused, revoked.bed = source.refused, "bed7"
        revoked.send(5)
        wait_for(lambda: source.refused >= refused + 5)
        device.send(5)
        wait_for(lambda: len(taking.arrivals) == 6)
        wait_for(lambda: any("its key is not listed any more" in text for text in taking.texts), lambda: taking.texts)
    assert_whole(taking.numbers(), 0)


def test_a_garbled_list_takes_nothing_and_says_so_until_it_is_mended(start: Start, take: Take, keys: Path) -> None:
    endpoint = free_endpoint()
    good = new_key(keys, "good", ("bed7",))
    opening = start(f"zmq+{endpoint}/bed7?pull", Access(keys=keys))
    with Device(SocketType.PUSH, endpoint, good) as device:
        device.send()
        source = opening.result()
        taking = take(source)
        garbled = keys / "allowed" / "other.key"
        garbled.write_text("{")
        device.keep_sending(lambda: source.refused > 3)
        wait_for(lambda: any("nobody is let in: " in text and "other.key" in text for text in taking.texts))
        garbled.unlink()
        before = len(taking.arrivals)
        device.keep_sending(lambda: len(taking.arrivals) > before + 3)


def test_a_listener_is_told_why_it_is_not_let_in(start: Start, tmp_path: Path, keys: Path) -> None:
    good = new_key(keys, "desk", ())
    other = new_key(tmp_path / "elsewhere", "desk", ())
    unlisted = new_key(keys, "gone", ())
    revoke(keys, "gone")
    server = link_module.Link(ZmqAddress("tcp://127.0.0.1:0"), SocketType.PUB, Access(keys=keys))
    plain = link_module.Link(ZmqAddress("tcp://127.0.0.1:0"), SocketType.PUB, Access())
    try:
        for at, key, words in (
            (server, None, "lets in nobody without a key; ask for one there .*--key FILE"),
            (server, unlisted, f"refused the key {unlisted}; ask for one there: ecgstream keys new NAME"),
            (plain, good, "uses no keys; leave out --key"),
        ):
            with pytest.raises(SourceError, match=f"{at.where} {words}"):
                start(f"zmq+tcp://{at.where}/bed7", Access(key=key)).result()
        opening = start(f"zmq+tcp://{server.where}/bed7", Access(key=other))
        says = f"{server.where} does not take this connection; was the key {other} made there?"
        wait_for(lambda: says in opening.said, lambda: opening.said)
    finally:
        server.close()
        plain.close()


def test_what_is_there_but_speaks_something_else_is_said(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"127.0.0.1:{server.getsockname()[1]}"
        opening = start(f"zmq+tcp://{where}/bed7")
        server.settimeout(30)
        for _ in range(4):
            with server.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
            if opening.said:
                break
        says = f"{where} does not answer as it should; is the port right?"
        wait_for(lambda: any(text.startswith(says) for text in opening.said), lambda: opening.said)


def test_a_place_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    def refused(endpoint: str, access: Access | None = None) -> str:
        with pytest.raises(UsageError) as caught:
            Opening(
                partial(open_socket, ZmqAddress(endpoint, queued=True), (), None, access=access or Access())
            ).result()
        return str(caught.value)

    endpoint = free_endpoint()
    taken = link_module.Link(ZmqAddress(endpoint), SocketType.PULL, Access())
    where = endpoint.removeprefix("tcp://")
    assert refused(endpoint) == (
        f"cannot listen at {where}: another program listens there already; stop it, or choose another port"
    )
    taken.close()
    assert "this machine has no such address" in refused("tcp://192.0.2.1:5555", Access(insecure=True))
    assert "or write --insecure" in refused("tcp://0.0.0.0:5555")
    assert "there are no keys in" in refused(endpoint, Access(keys=tmp_path / "none"))
    assert "there is no such folder" in refused(f"ipc://{tmp_path}/none/x")
    assert "the path is too long" in refused(f"ipc:///tmp/{'x' * 200}")
    precious = tmp_path / "precious"
    precious.write_text("a file")
    assert re.search("there is a file of that name", refused(f"ipc://{precious}"))
    assert precious.read_text() == "a file"


def test_a_socket_file_is_taken_when_nobody_listens_at_it_any_more(tmp_path_factory: pytest.TempPathFactory) -> None:
    endpoint = f"ipc://{tmp_path_factory.mktemp('s')}/x"
    with process("device", "PUB", endpoint, "bed7", 0, 10, PACKET):
        wait_for(lambda: Path(endpoint.removeprefix("ipc://")).is_socket())
        with pytest.raises(UsageError, match="another program listens there already"):
            link_module.Link(ZmqAddress(endpoint), SocketType.PULL, Access())
    assert Path(endpoint.removeprefix("ipc://")).is_socket()
    link_module.Link(ZmqAddress(endpoint), SocketType.PULL, Access()).close()


def test_localhost_and_other_loopbacks_can_be_bound() -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        try:
            link_module.Link(ZmqAddress(f"tcp://{host}:0"), SocketType.PULL, Access()).close()
        except UsageError:
            if host != "[::1]" or Path("/proc/net/if_inet6").exists():
                raise


def test_a_message_of_many_parts_costs_no_more_than_a_few(pulled: Pulled) -> None:
    device, taking, source = pulled
    device.send_parts([b"bed7"] * 100_000)
    device.send(3)
    wait_for(lambda: len(taking.arrivals) == 4)
    assert source.refused == 1
    assert zmq.zmq_version_info() >= (4, 3)


def test_a_derived_stream_is_a_listener(start: Start) -> None:
    endpoint = free_endpoint()
    with process("engine", "PUB", endpoint, "bed7", 0, 20, 40):
        opened = start(f"zmq+{endpoint}").result()
    assert isinstance(opened, Listener)
    assert (opened.name, opened.about.leads_in, opened.about.synthetic) == ("a patient", ("I", "II", "V4"), True)
