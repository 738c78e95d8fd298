"""From `show` to its return: it ends when it should, says what went wrong, and leaves nothing behind."""

import signal
import threading
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
from gui.page import PageBox
from gui.theme import LIGHT
from stream.items import Block, Event, Gap, Kind
from stream.sinks.mailbox import Mailbox
from stream.supervisor import State
from tests.gui.pages import beat, info, inked, pixels, source, stream, twelve

PATIENCE_S = 30
ENDED = source(State.ENDED)
FAILED = Event(0, Kind.FAILED, text="the cable is out")


class Watched(Mailbox):
    """Tells others when the window has emptied it, and from then on what to do in the window's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.emptied = threading.Semaphore(0)
        self._times = 0
        self._then: dict[int, Callable[[], None]] = {}

    def after(self, times: int, then: Callable[[], None]) -> None:
        """Do this once the window has looked so often."""
        self._then[times] = then

    def drain(self) -> list[Block | Gap]:
        self._times += 1
        if self._times in self._then:
            QTimer.singleShot(0, self._then[self._times])
        self.emptied.release()
        return super().drain()


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
def mailbox() -> Watched:
    return Watched()


@contextmanager
def working(work: Callable[[], None]) -> Iterator[None]:
    """A thread beside the window's, joined at the end."""
    thread = threading.Thread(target=work, name="engine")
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=PATIENCE_S)
        assert not thread.is_alive()


def streaming(mailbox: Watched, stop: threading.Event, last: Event) -> Callable[[], None]:
    """What the engine's thread does: one item after another, each once the window has looked, and one at the end."""

    def run() -> None:
        items = stream(twelve(1, 800, gaps=1), [40] * 19)
        for item in (source(State.LIVE), *items, beat(70), last):
            mailbox.push(item)
            while not mailbox.emptied.acquire(timeout=0.05):
                if stop.is_set():
                    return

    return run


@pytest.mark.parametrize("last", [ENDED, FAILED], ids=["ended", "failed"])
def test_with_a_snapshot_it_closes_at_the_end(
    mailbox: Watched, stop: threading.Event, tmp_path: Path, last: Event
) -> None:
    path = tmp_path / "page.png"
    with working(streaming(mailbox, stop, last)):
        show(info(), mailbox, stop, path)
    assert stop.is_set()
    assert mailbox.drain() == []
    picture = pixels(QImage(str(path)))
    assert picture.shape[0] >= 640
    assert inked(picture, LIGHT.measured).sum() > 500
    assert inked(picture, LIGHT.estimated).sum() > 500
    assert inked(picture, LIGHT.warning).any() == (last is FAILED)


SEARCH = info(record="lsl://Polar-patch", leads_in=())


def once_seen(mailbox: Watched, then: Callable[[], None]) -> Callable[[], None]:
    """What the search's thread does: when the window has looked a few times, something is found."""

    def run() -> None:
        for _ in range(3):
            assert mailbox.emptied.acquire(timeout=PATIENCE_S)
        then()

    return run


def test_it_opens_before_the_source_is_found(mailbox: Watched, stop: threading.Event, tmp_path: Path) -> None:
    box, path, seen = PageBox(SEARCH), tmp_path / "page.png", []

    def look() -> None:
        [window] = windows()
        seen.append((window.search.isVisible(), window.search.notice.text(), window.panel.state.text()))

    def found() -> None:
        box.page = info(record="Polar-patch")
        streaming(mailbox, stop, ENDED)()

    mailbox.push(Event(0, Kind.NOTICE, text="is the device on?"))
    mailbox.after(2, look)
    with working(once_seen(mailbox, found)):
        show(box, mailbox, stop, path)
    assert seen == [(True, "is the device on?", "Searching")]
    picture = pixels(QImage(str(path)))
    assert inked(picture, LIGHT.measured).sum() > 500
    assert inked(picture, LIGHT.estimated).sum() > 500


def test_a_search_that_fails_closes_it_with_a_snapshot(mailbox: Watched, stop: threading.Event, tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    with working(once_seen(mailbox, lambda: mailbox.push(FAILED))):
        show(PageBox(SEARCH), mailbox, stop, path)
    assert stop.is_set()
    assert inked(pixels(QImage(str(path))), LIGHT.warning).any()


def test_without_one_it_stays_until_it_is_closed(mailbox: Watched, stop: threading.Event) -> None:
    words = []

    def close() -> None:
        [window] = windows()
        words.append(window.panel.state.text())
        window.close()

    mailbox.push(twelve(2, 400))
    mailbox.push(ENDED)
    mailbox.after(5, close)
    show(info(), mailbox, stop)
    assert stop.is_set()
    assert words == ["Ended"]


def test_closing_the_window_ends_the_run(mailbox: Watched, stop: threading.Event) -> None:
    def close_it() -> None:
        windows()[0].close()

    mailbox.after(5, close_it)
    with working(streaming(mailbox, stop, ENDED)):
        show(info(), mailbox, stop)
        assert stop.is_set()


def test_stop_from_another_thread_closes_the_window(mailbox: Watched, stop: threading.Event) -> None:
    def interrupt() -> None:
        assert mailbox.emptied.acquire(timeout=PATIENCE_S)
        stop.set()

    with working(interrupt):
        show(info(), mailbox, stop)
    assert stop.is_set()


def test_a_picture_that_cannot_be_written_is_an_error(mailbox: Watched, stop: threading.Event, tmp_path: Path) -> None:
    mailbox.push(ENDED)
    with pytest.raises(SinkError, match="cannot write the picture"):
        show(info(), mailbox, stop, tmp_path / "no such folder" / "page.png")
    assert stop.is_set()


def test_an_error_while_painting_is_raised(mailbox: Watched, stop: threading.Event) -> None:
    eleven = np.zeros((11, 40), np.float32)
    mailbox.push(Block(0, eleven, eleven, eleven.astype(np.uint8)))
    with pytest.raises(ValueError, match="shape"):
        show(info(), mailbox, stop)
    assert stop.is_set()


class Broken(Exception):
    """Something that nobody thought of."""


def test_an_error_in_any_slot_is_raised(mailbox: Watched, stop: threading.Event) -> None:
    def fail() -> None:
        raise Broken

    mailbox.after(3, fail)
    with pytest.raises(Broken):
        show(info(), mailbox, stop)
    assert stop.is_set()


def test_an_error_before_the_loop_begins_is_raised(mailbox: Watched, stop: threading.Event) -> None:
    class Unreadable(Mailbox):
        def drain(self) -> list[Block | Gap]:
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
def test_ctrl_c_ends_it(mailbox: Watched, stop: threading.Event) -> None:
    mailbox.after(3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        show(info(), mailbox, stop)
    assert stop.is_set()


def test_the_hook_for_errors_is_given_back(
    mailbox: Watched, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
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


def test_it_can_be_shown_twice(mailbox: Watched, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        mailbox.push(twelve(3, 300))
        mailbox.push(ENDED)
        show(info(), mailbox, threading.Event(), tmp_path / name)
        assert (tmp_path / name).is_file()


def test_without_a_screen_it_says_what_to_type(
    mailbox: Watched, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"--headless, or set QT_QPA_PLATFORM=offscreen"):
        show(info(), mailbox, stop)
    monkeypatch.setenv("DISPLAY", "")
    with pytest.raises(UsageError):
        require_screen()
    monkeypatch.setenv("DISPLAY", ":29999")
    with pytest.raises(UsageError, match=r"DISPLAY=:29999 does not answer; .*--headless"):
        show(info(), mailbox, stop)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    require_screen()
