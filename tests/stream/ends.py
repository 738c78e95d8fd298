"""Ends of ZeroMQ connections for tests: a device in this process, and devices and engines in processes of their own.

``python -m tests.stream.ends device|engine KIND ENDPOINT BED COUNT PACE_MS PACKET [KEY]`` sends COUNT messages, each of
PACKET samples (without end if COUNT is 0), and stays until it is killed.
"""

import contextlib
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from zmq import SocketType

from stream.address import ZmqAddress
from stream.items import Arrival, Block, Event, Gap, Item, Kind, Notice
from stream.keys import Access
from stream.sinks.socket import Publisher
from stream.wire import MOST_SESSION, About, Samples, encode
from tests.stream.hostile import block

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 20.0
"""How long a test waits for what has to come: long, as the machine may be busy."""
PACKET = 10
"""Samples in a message of a numbered device."""


def wait_for(what: Callable[[], Any], why: Callable[[], object] = lambda: "it did not come") -> Any:
    """Return what is true, as soon as it is; `why` says how it is if it never is."""
    deadline = time.monotonic() + LONGEST_S
    while not (found := what()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.005)
    return found


def free_endpoint() -> str:
    """A port of the loopback that nobody has: below those that the system gives away by itself."""
    while True:
        port = secrets.choice(range(20_000, 32_000))  # others do the same at this moment
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return f"tcp://127.0.0.1:{port}"


def numbered(bed: str, session: int, sequence: int, rate: float = 250, packet: int = PACKET) -> Samples:
    """The message of a device whose first channel is each sample's number, in uV."""
    numbers = np.arange(packet * sequence, packet * (sequence + 1), dtype=np.float32)
    return Samples(
        bed=bed,
        session=session,
        sequence=sequence,
        index=packet * sequence,
        rate=rate,
        leads=("I", "II", "V4"),
        unit="uV",
        samples=np.stack([numbers, -numbers, np.ones_like(numbers)]),
    )


class Device:
    """A socket that sends, in this process."""

    def __init__(
        self, kind: SocketType, endpoint: str, key: Path | None = None, bed: str = "bed7", session: int = 1
    ) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        self.socket.sndtimeo = round(1000 * LONGEST_S)
        self.bed = bed
        self.session = session
        self.sequence = 0
        Access(key=key).secure(self.socket, binds=False)
        if kind == SocketType.PUB:
            self.socket.bind(endpoint)
        else:
            self.socket.connect(endpoint)

    def send(self, count: int = 1, **changes: float) -> None:
        """Send the next messages."""
        for _ in range(count):
            message = numbered(self.bed, self.session, self.sequence, **changes)  # type: ignore[arg-type]
            self.socket.send_multipart(encode(message))
            self.sequence += 1

    def send_parts(self, parts: list[bytes]) -> None:
        """Send whatever it is."""
        self.socket.send_multipart(parts)

    def keep_sending(self, until: Callable[[], object]) -> None:
        """Send a message now and then until something is so: who publishes does not know when it is heard."""
        deadline = time.monotonic() + LONGEST_S
        while not until():
            assert time.monotonic() < deadline
            self.send()
            time.sleep(0.01)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close(0)
        self.context.term()


class Opening:
    """`open_socket` at work in a thread: its result, and what it said meanwhile."""

    def __init__(self, open_it: Callable[..., Any]) -> None:
        self.said: list[str] = []
        self.stop = threading.Event()
        self.opened: Any = None
        self.error: Exception | None = None
        self.is_done = False
        self._open_it = open_it
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.opened = self._open_it(stop=self.stop, say=self.said.append)
        except Exception as error:
            self.error = error
        self.is_done = True

    def result(self) -> Any:
        """What was opened; raises what was raised."""
        self._thread.join(LONGEST_S)
        assert self.is_done, self.said
        if self.error is not None:
            raise self.error
        return self.opened

    def end(self) -> None:
        """Stop, and close what was opened."""
        self.stop.set()
        self._thread.join(LONGEST_S)
        if self.opened is not None:
            self.opened.close()


class Taking:
    """A source at work in a thread, and all that came of it."""

    def __init__(self, source: Any, *, held: bool = False) -> None:
        self.came: list[Arrival | Notice | Item] = []
        self.go = threading.Event()
        if not held:
            self.go.set()
        self._source = source
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        for each in self._source.arrivals(self._stop):
            self.keep(each)
            self.go.wait(LONGEST_S)

    def keep(self, each: Arrival | Notice | Item) -> None:
        """Keep what came."""
        self.came.append(each)

    @property
    def arrivals(self) -> list[Arrival]:
        """Samples, as they came."""
        return [each for each in list(self.came) if isinstance(each, Arrival)]

    @property
    def texts(self) -> list[str]:
        """The notices."""
        return [each.text for each in list(self.came) if isinstance(each, Notice)]

    @property
    def items(self) -> list[Item]:
        """Items of a derived stream."""
        return [each for each in list(self.came) if isinstance(each, Block | Gap | Event)]

    def numbers(self, session: int | None = None) -> np.ndarray:
        """The numbers of a numbered device's samples."""
        kept = [each for each in self.arrivals if session is None or each.session == session]
        return np.concatenate([np.rint(1000 * each.samples[0]) for each in kept] or [np.zeros(0)])

    def end(self) -> None:
        """Stop; it ends soon."""
        self.go.set()
        self._stop.set()
        self._thread.join(LONGEST_S)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def process(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this module, killed at the end."""
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.stream.ends", *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def about(bed: str = "bed7") -> About:
    """Of the engine of these tests."""
    return About(bed=bed, name="a patient", leads_in=("I", "II", "V4"), rate=250, model="m", backend="onnx",
                 look_ahead_ms=98, synthetic=True)  # fmt: skip


def send_samples(kind: str, endpoint: str, bed: str, count: int, pace_s: float, packet: int, key: Path | None) -> None:
    """A device: numbered samples of a new session."""
    with Device(SocketType[kind], endpoint, key, bed, secrets.randbelow(MOST_SESSION)) as device:
        while not count or device.sequence < count:
            device.send(packet=packet)
            time.sleep(pace_s)
        print("sent", flush=True)
        threading.Event().wait()


def send_items(kind: str, endpoint: str, bed: str, count: int, pace_s: float, packet: int, keys: Path | None) -> None:
    """An engine: numbered blocks of a new session."""
    publisher = Publisher(ZmqAddress(endpoint, queued=kind == "PUSH"), about(bed), Access(keys=keys))
    number = 0
    while not count or number < count:
        publisher.push(block(packet * number, packet, tail=10, level=float(number % 1000)))
        if number % 10 == 0:
            publisher.push(Event(packet * number + 1, Kind.BEAT, "II", value=60.0))
        number += 1
        time.sleep(pace_s)
    publisher.close()
    print("sent", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    what, kind, endpoint, bed, count, pace_ms, packet, *rest = sys.argv[1:]
    send = {"device": send_samples, "engine": send_items}[what]
    send(kind, endpoint, bed, int(count), int(pace_ms) / 1000, int(packet), Path(rest[0]) if rest else None)
