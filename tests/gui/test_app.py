"""From `show` to its return: it ends when it should, says what went wrong, and leaves nothing behind."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from engine.errors import SinkError, UsageError
from gui.app import require_screen, show
from gui.monitor import Monitor
from gui.theme import LIGHT
from stream.items import Block, Status
from stream.sinks.mailbox import Mailbox
from tests.gui.pages import cut, info, inked, pixels, twelve


def windows() -> list[Monitor]:
    """The monitors that are open."""
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Monitor) and widget.isVisible()]


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield
    assert windows() == []


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@contextmanager
def working(work: Callable[[], None]) -> Iterator[None]:
    """A thread beside the window's, joined at the end."""
    thread = threading.Thread(target=work, name="engine")
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=10)
        assert not thread.is_alive()


def streaming(mailbox: Mailbox, stop: threading.Event, state: str, message: str = "") -> Callable[[], None]:
    """What the engine's thread does: blocks, one after the other, and the state at their end."""

    def stream() -> None:
        for block in cut(twelve(1, 800), [40] * 19):
            mailbox.push(block)
            mailbox.status = Status("live", latency_ms=100, heart_rate=70)
            if stop.wait(0.01):
                return
        mailbox.status = Status(state, message=message, heart_rate=70)

    return stream


@pytest.mark.parametrize(("state", "message"), [("ended", ""), ("failed", "the cable is out")])
def test_with_a_snapshot_it_closes_at_the_end(
    mailbox: Mailbox, stop: threading.Event, tmp_path: Path, state: str, message: str
) -> None:
    path = tmp_path / "page.png"
    with working(streaming(mailbox, stop, state, message)):
        show(info(), mailbox, stop, path)
    assert stop.is_set()
    assert mailbox.drain() == []
    picture = pixels(QImage(str(path)))
    assert picture.shape[0] >= 640
    assert inked(picture, LIGHT.measured).sum() > 500
    assert inked(picture, LIGHT.estimated).sum() > 500
    assert inked(picture, LIGHT.warning).any() == (state == "failed")


def test_without_one_it_stays_until_it_is_closed(mailbox: Mailbox, stop: threading.Event) -> None:
    stayed_s = []

    def close_later() -> None:
        began = time.monotonic()

        def close() -> None:
            [window] = windows()
            stayed_s.append(time.monotonic() - began)
            assert window.panel.state.text() == "Ended"
            window.close()

        QTimer.singleShot(400, close)

    mailbox.push(twelve(2, 400))
    mailbox.status = Status("ended")
    QTimer.singleShot(0, close_later)
    show(info(), mailbox, stop)
    assert stop.is_set()
    assert stayed_s[0] >= 0.39


def test_closing_the_window_ends_the_run(mailbox: Mailbox, stop: threading.Event) -> None:
    QTimer.singleShot(200, lambda: windows()[0].close())
    with working(streaming(mailbox, stop, "ended")):
        show(info(), mailbox, stop)
        assert stop.is_set()


def test_stop_from_another_thread_closes_the_window(mailbox: Mailbox, stop: threading.Event) -> None:
    def interrupt() -> None:
        time.sleep(0.2)
        stop.set()

    with working(interrupt):
        began = time.monotonic()
        show(info(), mailbox, stop)
    assert 0.15 < time.monotonic() - began < 5


def test_a_picture_that_cannot_be_written_is_an_error(mailbox: Mailbox, stop: threading.Event, tmp_path: Path) -> None:
    mailbox.status = Status("ended")
    with pytest.raises(SinkError, match="cannot write the picture"):
        show(info(), mailbox, stop, tmp_path / "no such folder" / "page.png")
    assert stop.is_set()


def test_an_error_while_painting_is_raised(mailbox: Mailbox, stop: threading.Event) -> None:
    eleven = Block(0, *(np.zeros((11, 40), kind) for kind in (np.float32, np.float32, np.uint8)))
    mailbox.push(eleven)
    with pytest.raises(ValueError, match="shape"):
        show(info(), mailbox, stop)
    assert stop.is_set()


class Broken(Exception):
    """Something that nobody thought of."""


def test_an_error_in_any_slot_is_raised(mailbox: Mailbox, stop: threading.Event) -> None:
    def fail() -> None:
        raise Broken

    QTimer.singleShot(100, fail)
    with pytest.raises(Broken):
        show(info(), mailbox, stop)
    assert stop.is_set()


def test_an_error_before_the_loop_begins_is_raised(mailbox: Mailbox, stop: threading.Event) -> None:
    class Unreadable(Mailbox):
        def drain(self) -> list[Block]:
            raise Broken

    with pytest.raises(Broken):
        show(info(), Unreadable(), stop)
    assert stop.is_set()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as Python has it: what runs in the background starts with it switched off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_it(mailbox: Mailbox, stop: threading.Event) -> None:
    QTimer.singleShot(100, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        show(info(), mailbox, stop)
    assert stop.is_set()


def test_the_hook_for_errors_is_given_back(
    mailbox: Mailbox, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, _error, _trace: seen.append(kind))
    stop.set()
    show(info(), mailbox, stop)

    def fail() -> None:
        raise Broken

    QTimer.singleShot(0, fail)
    QApplication.processEvents()
    assert seen == [Broken]


def test_it_can_be_shown_twice(mailbox: Mailbox, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        mailbox.push(twelve(3, 300))
        mailbox.status = Status("ended")
        show(info(), mailbox, threading.Event(), tmp_path / name)
        assert (tmp_path / name).is_file()


def test_without_a_screen_it_says_what_to_type(
    mailbox: Mailbox, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"--headless, or set QT_QPA_PLATFORM=offscreen"):
        show(info(), mailbox, stop)
    monkeypatch.setenv("DISPLAY", "")
    with pytest.raises(UsageError):
        require_screen()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    require_screen()
