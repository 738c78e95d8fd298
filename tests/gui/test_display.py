"""A screen is asked for before Qt is, which ends the process where there is none."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.errors import UsageError
from gui.display import answers, require_screen

NAMES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
FIRST_PORT = 6000
"""Of an X server that is asked over TCP."""


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> str:
    """The one that the tests run on; nothing else is set."""
    display = os.environ["DISPLAY"]
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return display


@contextmanager
def hanging_up() -> Iterator[str]:
    """A display whose server takes everybody and lets nobody in."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port > FIRST_PORT

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up, name="server")
        thread.start()
        yield f"127.0.0.1:{port - FIRST_PORT}"
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_the_screen_that_is_there_answers(screen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(screen)
    monkeypatch.setenv("DISPLAY", screen)
    require_screen()
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    require_screen()


def test_a_screen_that_lets_nobody_in_does_not_answer() -> None:
    with hanging_up() as display:
        assert not answers(display)


@pytest.mark.parametrize("display", [":29999", "unix:29999", "localhost:59000", "garbage", ":", ""])
def test_a_screen_that_is_not_there_does_not_answer(display: str) -> None:
    assert not answers(display)


def test_a_screen_that_is_not_there_is_an_error_that_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":29999")
    with pytest.raises(UsageError, match=r"DISPLAY=:29999 does not answer; .* add --headless"):
        require_screen()
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb:some=thing")
    with pytest.raises(UsageError, match="does not answer"):
        require_screen()
    monkeypatch.delenv("DISPLAY")
    with pytest.raises(UsageError, match="DISPLAY names no screen"):
        require_screen()


@pytest.mark.parametrize("other", [("QT_QPA_PLATFORM", "offscreen"), ("WAYLAND_DISPLAY", "wayland-0")])
def test_where_qt_opens_another_one_it_is_not_asked(monkeypatch: pytest.MonkeyPatch, other: tuple[str, str]) -> None:
    monkeypatch.setenv("DISPLAY", ":29999")
    monkeypatch.setenv(*other)
    require_screen()


def test_asking_costs_next_to_nothing(screen: str) -> None:
    costs_s = []
    for _ in range(5):
        before = time.thread_time()
        assert answers(screen)
        costs_s.append(time.thread_time() - before)
    assert min(costs_s) < 0.01
