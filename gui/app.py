"""The application: opens the monitor on a running stream and returns when its window is closed."""

import os
import sys
import threading
from pathlib import Path

import pyqtgraph as pg
from PyQt6.QtCore import QEventLoop, QTimer
from PyQt6.QtGui import QGuiApplication

from engine.errors import UsageError
from gui.monitor import Monitor
from gui.page import PageInfo
from stream.sinks import Mailbox

POLL_MS = 33
"""About thirty times a second; each time the interpreter also gets to run its signal handlers."""


def show(page: PageInfo, mailbox: Mailbox, stop: threading.Event, snapshot: Path | None = None) -> None:
    """Show a stream until its window is closed, then set `stop`.

    The window stays open when the stream has ended. Where nobody can close it (on Qt's ``offscreen`` platform), or with
    a `snapshot` wanted, it closes by itself then; it also closes when `stop` is set by another thread.

    Parameters
    ----------
    page : PageInfo
        The run.
    mailbox : Mailbox
        Where its blocks and its status come from.
    stop : Event
        Ends the run.
    snapshot : Path or None
        Where a picture of the window is saved at the end of the stream, as PNG.

    Raises
    ------
    UsageError
        If there is no screen.
    SinkError
        If the picture cannot be written.
    """
    require_screen()
    pg.mkQApp("ecgstream")
    closes_itself = snapshot is not None or QGuiApplication.platformName() == "offscreen"
    monitor = Monitor(page, mailbox)
    loop = QEventLoop()
    monitor.closed.connect(loop.quit)
    timer = QTimer()
    failures: list[Exception] = []

    def tick() -> None:
        try:
            status = monitor.poll()
            if closes_itself and status.state in ("ended", "failed"):
                if snapshot is not None:
                    monitor.save_picture(snapshot)
                monitor.close()
            elif stop.is_set():
                monitor.close()
        except Exception as error:  # Qt aborts the process on what leaves a slot; it is raised below instead
            failures.append(error)
            monitor.close()

    timer.timeout.connect(tick)
    monitor.show()
    timer.start(POLL_MS)
    try:
        loop.exec()
    finally:
        timer.stop()
        stop.set()
        monitor.close()
        monitor.deleteLater()
    if failures:
        raise failures[0]


def require_screen() -> None:
    """Refuse to start without a screen: Qt would end the process.

    Raises
    ------
    UsageError
        If there is none.
    """
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in names):
        raise UsageError("there is no screen to open a window on; add --headless, or set QT_QPA_PLATFORM=offscreen")
