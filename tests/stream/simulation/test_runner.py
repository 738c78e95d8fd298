"""A run in this process: how it waits, how it ends, and what is there when it could not begin."""

import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import UsageError
from stream.address import ZmqAddress
from stream.keys import Access
from stream.simulation import journal
from stream.simulation.device import Device, Faults
from stream.simulation.journal import Journal
from stream.simulation.runner import Run
from stream.simulation.signal import Signal
from stream.simulation.socket import Socket
from tests.stream.simulation.signals import Tones


class SetBySignals(threading.Event):
    """A signal that sets an event for which its own thread just waits may never come back: it waits for the lock."""

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("waited for")


@pytest.fixture
def place() -> str:
    """A place of this machine where nobody is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


def make_run(
    place: str, path: Path, record: Tones | None = None, *, n_samples: int | None = None, wait: bool = False
) -> Run:
    device = Device("bed1", ("I", "II", "V4"), speed=10)
    return Run(
        Signal(record or Tones(), device.leads, device.rate),
        device,
        Faults(),
        Socket(device, ZmqAddress(place), Access()),
        to=place,
        record="tones",
        n_samples=n_samples,
        journal=Journal(path),
        wait=wait,
    )


def test_it_never_waits_for_what_a_signal_sets(tmp_path: Path, place: str) -> None:
    said: list[str] = []
    account = make_run(place, tmp_path / "a.sent", n_samples=1000).until(SetBySignals(), said.append)
    assert (account.packets, account.sent, account.samples) == (100, 100, 1000)
    assert said == [f"sending I, II, V4 of tones at 500 Hz to {place}; Ctrl-C ends it"]
    entries = journal.read(tmp_path / "a.sent").entries
    assert (entries["sent"] >= entries["due"]).all()
    assert entries["due"][-1] - entries["due"][0] == pytest.approx(0.02 * 99 / 10)


@pytest.mark.parametrize("wait", [True, False], ids=["waiting for a listener", "sending"])
def test_it_ends_soon_after_it_is_told(tmp_path: Path, place: str, wait: bool) -> None:
    stop, began = threading.Event(), threading.Event()
    run = make_run(place, tmp_path / "a.sent", wait=wait)
    thread = threading.Thread(target=run.until, args=(stop, lambda _: began.set()))
    thread.start()
    try:
        assert began.wait(30)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    if wait:
        assert not (tmp_path / "a.sent").exists()  # nobody has listened, so nothing has begun


def test_what_cannot_be_reached_leaves_nothing_behind(tmp_path: Path, place: str) -> None:
    (tmp_path / "a.sent").write_text("an older one")
    host, port = place.removeprefix("tcp://").split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        with pytest.raises(UsageError, match="address already in use"):
            make_run(place, tmp_path / "a.sent").until(threading.Event(), print)
    assert (tmp_path / "a.sent").read_text() == "an older one"
    again = make_run(place, tmp_path / "a.sent", n_samples=10)
    assert again.until(threading.Event(), print).sent == 1


def test_the_first_packet_is_not_late(tmp_path: Path, place: str) -> None:
    """What loads libraries and reads the record is done before it begins."""

    class Watched(Tones):
        def read(self, start: int, stop: int) -> NDArray[np.float32]:
            read.append(time.monotonic())
            return super().read(start, stop)

    read: list[float] = []
    run = make_run(place, tmp_path / "a.sent", Watched(n_samples=5000), n_samples=100)
    run.until(threading.Event(), print)
    assert len(read) == 1
    assert read[0] < journal.read(tmp_path / "a.sent").header.began
