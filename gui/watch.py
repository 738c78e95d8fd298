"""What a screen times itself: for how long nothing has come, how old the newest sample is, and when it was taken."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from stream.status import Status

CLOCK_FAULT_S = 10.0
"""So long it stands beside the page that the source's clock went wrong."""
AGE_EVERY_S = 1.0


@dataclass(frozen=True)
class Times:
    """What a screen has timed.

    Attributes
    ----------
    silent_s : int
        Whole seconds since any lead was known, or since the page began.
    age_ms : float or None
        How old the newest settled sample was when it came, by this host's clock; the median of a second.
    of_day : str
        When the newest settled sample was taken, as ``14:03:27`` of this place; empty where that is not known.
    clock_fault : bool
        Whether the source's clock went wrong just now.
    """

    silent_s: int = 0
    age_ms: float | None = None
    of_day: str = ""
    clock_fault: bool = False


class Watch:
    """Times what comes to a screen.

    Parameters
    ----------
    monotonic, unix : callable
        This host's clocks, s.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, unix: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._unix = unix
        self._clock_faults = 0
        self._clock_fault_until = 0.0
        self.restart()

    def restart(self) -> None:
        """Time another stream."""
        self._known = self._aged = self._monotonic()
        self._ages: list[float] = []
        self._age_ms: float | None = None

    def read(self, status: Status, settled: int, *, came: bool) -> Times:
        """The times at present.

        Parameters
        ----------
        status : Status
            The newest.
        settled : int
            Sample index after the newest settled sample; 0 where there is none yet.
        came : bool
            Whether anything known has come since the last time.
        """
        now = self._monotonic()
        if came:
            self._known = now
            age = status.age_ms(self._unix(), settled)
            self._ages += [] if age is None else [age]
        if now >= self._aged + AGE_EVERY_S and self._ages:
            self._aged, self._age_ms, self._ages = now, median(self._ages), []
        if status.clock_faults > self._clock_faults:
            self._clock_fault_until = now + CLOCK_FAULT_S
        self._clock_faults = status.clock_faults
        return Times(
            int(now - self._known),
            self._age_ms,
            of_day(status.time_of(settled - 1)) if settled else "",
            now < self._clock_fault_until,
        )


def of_day(unix: float | None) -> str:
    """A Unix time as ``14:03:27`` of this place; empty for none, and for what is none."""
    try:
        return "" if unix is None else time.strftime("%H:%M:%S", time.localtime(unix))
    except (ValueError, OverflowError, OSError):  # the clock of another host can say anything
        return ""


def duration(seconds: int) -> str:
    """Seconds in words that stay on a line: ``7 s``, ``2 min 5 s``, ``3 h 10 min``."""
    words = f"{seconds} s"
    if seconds >= 60:
        words = f"{seconds // 60} min {seconds % 60} s"
    if seconds >= 3600:
        words = f"{seconds // 3600} h {seconds // 60 % 60} min"
    return words.replace(" ", "\N{NO-BREAK SPACE}")
