"""Ctrl-C and a polite kill: a run ends where it stands, whole, and the exit code says why."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Which signal asked for an end, if any.

    Attributes
    ----------
    exit_code : int or None
        128 and the signal's number: 130 after Ctrl-C; None if nothing asked.
    """

    def __init__(self) -> None:
        self.exit_code: int | None = None


@contextmanager
def interruptible(stop: threading.Event) -> Iterator[Interruption]:
    """While within, a signal sets `stop`; a second one ends the program at once."""
    interruption = Interruption()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        interruption.exit_code = 128 + number
        signal.signal(number, signal.SIG_DFL)
        # In a thread: whoever is interrupted may be just within `stop.wait` and hold the lock that `set` needs.
        threading.Thread(target=stop.set, daemon=True).start()

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
