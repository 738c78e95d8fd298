"""The application: opens the monitor on a running stream and returns when its window is closed."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pyqtgraph as pg
from PyQt6.QtCore import QEventLoop, QTimer
from PyQt6.QtGui import QGuiApplication

from gui.display import require_screen
from gui.monitor import Monitor
from gui.page import PageBox, PageInfo
from stream.sinks.mailbox import Mailbox
from stream.status import FAILED
from stream.supervisor import State

__all__ = ["require_screen", "show"]

POLL_MS = 33
"""About thirty times a second; each time the interpreter also gets to run its signal handlers."""


def show(page: PageInfo | PageBox, mailbox: Mailbox, stop: threading.Event, snapshot: Path | None = None) -> None:
    """Show a stream until its window is closed, then set `stop`.

    The window stays open when the stream has ended. Where nobody can close it (on Qt's ``offscreen`` platform), or with
    a `snapshot` wanted, it closes by itself then; it also closes, picture taken, when `stop` is set by another thread.

    Parameters
    ----------
    page : PageInfo or PageBox
        The run, or where another thread puts it once the source is found.
    mailbox : Mailbox
        Where its blocks, its gaps and its status come from.
    stop : Event
        Ends the run.
    snapshot : Path or None
        Where a picture of the window is saved at the end, as PNG.

    Raises
    ------
    UsageError
        If there is no screen.
    SinkError
        If the picture cannot be written.
    Exception
        Whatever else went wrong in the window.
    """
    require_screen()
    pg.mkQApp("ecgstream")
    closes_itself = snapshot is not None or QGuiApplication.platformName() == "offscreen"
    loop = QEventLoop()
    monitor = Monitor(page, mailbox)
    monitor.closed.connect(loop.quit)

    def tick() -> None:
        status = monitor.poll()
        if stop.is_set() or (closes_itself and status.state in (State.ENDED, FAILED)):
            if snapshot is not None:
                monitor.save_picture(snapshot)
            monitor.close()

    timer = QTimer()
    timer.timeout.connect(tick)
    with errors_raised(loop):
        monitor.show()
        timer.start(POLL_MS)
        loop.exec()
        timer.stop()
        stop.set()
        monitor.close()
        monitor.deleteLater()


@contextmanager
def errors_raised(loop: QEventLoop) -> Iterator[None]:
    """End the loop on the first error in a slot or an event handler, and raise it at the end of the block.

    Such an error cannot pass through Qt: it goes to `sys.excepthook`, and where that is Python's own, Qt aborts.
    """
    errors: list[BaseException] = []

    def keep(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        errors.append(error)
        QTimer.singleShot(0, loop.quit)  # not at once: the loop may not have begun

    before, sys.excepthook = sys.excepthook, keep
    try:
        yield
    finally:
        sys.excepthook = before
    if errors:
        raise errors[0]
