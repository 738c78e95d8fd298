import pytest

from engine.errors import UsageError
from stream.address import LslAddress, ZmqAddress, parse_out, parse_source

SOURCES = [
    ("lsl://Polar", LslAddress(name="Polar")),
    ("lsl://My%20patch", LslAddress(name="My patch")),
    ("lsl://My patch", LslAddress(name="My patch")),
    ("lsl://", LslAddress()),
    ("lsl://?source_id=H10-1", LslAddress(source_id="H10-1")),
    ("lsl://?type=ECG&name=X", LslAddress(name="X", type="ECG")),
    ("zmq+tcp://10.0.0.7:5555", ZmqAddress("tcp://10.0.0.7:5555")),
    ("zmq+tcp://ward-pc:5555/bed%207", ZmqAddress("tcp://ward-pc:5555", "bed 7")),
    ("zmq+tcp://[::1]:5555/a", ZmqAddress("tcp://[::1]:5555", "a")),
    ("zmq+tcp://127.0.0.1:5555?pull", ZmqAddress("tcp://127.0.0.1:5555", queued=True)),
    ("zmq+tcp://127.0.0.1:5555/a?pull", ZmqAddress("tcp://127.0.0.1:5555", "a", queued=True)),
    ("zmq+ipc:///tmp/x/y", ZmqAddress("ipc:///tmp/x/y")),
    ("zmq+ipc:///tmp/x?bed=7&pull", ZmqAddress("ipc:///tmp/x", "7", queued=True)),
]


@pytest.mark.parametrize(("text", "address"), SOURCES)
def test_a_source_is_taken_apart(text: str, address: LslAddress | ZmqAddress) -> None:
    assert parse_source(text) == address


@pytest.mark.parametrize(("text", "address"), SOURCES)
def test_what_is_said_of_an_address_is_one(text: str, address: LslAddress | ZmqAddress) -> None:
    again = parse_source(str(address))
    assert str(again) == str(address)
    if isinstance(address, LslAddress):
        assert again == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("polar", "is no address"),
        ("udp://1.2.3.4:5", "is no address"),
        ("lsl://?host=x", "has no host"),
        ("zmq+tcp://127.0.0.1", "host and port"),
        ("zmq+tcp://:5555", "host and port"),
        ("zmq+tcp://h:70000", "host and port"),
        ("zmq+tcp://h:1?push", "push means nothing"),
        ("zmq+ipc://", "no path"),
        ("", "is no address"),
    ],
)
def test_what_means_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_source(text)


def test_an_output_has_a_name_and_pushes() -> None:
    assert parse_out("lsl://Twelve") == LslAddress(name="Twelve")
    assert parse_out("zmq+tcp://127.0.0.1:5555?push") == ZmqAddress("tcp://127.0.0.1:5555", queued=True)
    for text in ("lsl://", "lsl://?type=ECG", "zmq+tcp://127.0.0.1:1?pull"):
        with pytest.raises(UsageError):
            parse_out(text)


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://localhost:1", True),
        ("tcp://[::1]:1", True),
        ("ipc:///tmp/x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://*:1", False),
        ("tcp://10.0.0.1:1", False),
        ("tcp://127.0.0.1.evil.example:1", False),
    ],
)
def test_what_only_this_machine_reaches(endpoint: str, local: bool) -> None:
    assert ZmqAddress(endpoint).is_local is local
