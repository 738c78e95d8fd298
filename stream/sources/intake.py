"""A source's own thread and its bounded queue: what comes is there to be taken, whoever is busy."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from stream import LONGEST_WAIT_S
from stream.items import Arrival

CAPACITY = 256
"""Arrivals: five seconds of a device that sends every 20 ms."""
LONGEST_END_S = 3.0
"""How long the end of a run waits for a source that does not stop."""


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Sending(Protocol[T_co]):
    """What of a source, or of a derived stream, an intake needs: see `stream.sources.Source`."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def patient(self) -> bool:
        """Whether it can wait."""

    def arrivals(self, stop: threading.Event) -> Iterator[T_co]:
        """What comes, as it comes."""


class Intake(Generic[T]):
    """Runs a source in a thread of its own and holds what came.

    When the queue is full a patient source waits; of any other the oldest is dropped and counted.

    Parameters
    ----------
    source : Sending
        Whose arrivals.
    heard : callable
        Called, from the source's thread, when there is something to take or the source has ended.
    capacity : int
        Arrivals held at most.

    Attributes
    ----------
    error : Exception or None
        What ended the source, if not its own end or `stop`.
    """

    def __init__(self, source: Sending[T], heard: Callable[[], None], *, capacity: int = CAPACITY) -> None:
        self.error: Exception | None = None
        self._source = source
        self._heard = heard
        self._capacity = capacity
        self._held: deque[T] = deque()
        self._dropped = 0
        self._ended = False
        self._stop = threading.Event()
        self._room = threading.Condition()
        # A daemon: a source that hangs for good (a dead network drive) must not hold the program.
        self._thread = threading.Thread(target=self._work, name=f"source {source.name}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Make the thread end soon; what is held can still be taken."""
        self._stop.set()

    def wait(self) -> bool:
        """Return when the thread has ended, or is waited for in vain; whether it has."""
        if self._thread.ident is not None:
            self._thread.join(LONGEST_END_S)
        return not self._thread.is_alive()

    def is_over(self) -> bool:
        """Whether the source has ended and nothing is left to take."""
        with self._room:
            return self._ended and not self._held

    def is_heard(self) -> bool:
        """Whether there is something to take, or an end to be told."""
        with self._room:
            return bool(self._held) or self._ended

    def take(self, most: int | None = None) -> tuple[list[T], int]:
        """The oldest arrivals, all if `most` is not given; and how many samples were dropped since the last call."""
        with self._room:
            count = len(self._held) if most is None else min(most, len(self._held))
            taken = [self._held.popleft() for _ in range(count)]
            dropped, self._dropped = self._dropped, 0
            self._room.notify()
        return taken, dropped

    def _work(self) -> None:
        try:
            for arrival in self._source.arrivals(self._stop):
                if not self._put(arrival):
                    break
        except Exception as error:  # told where the arrivals are taken
            self.error = error
        with self._room:
            self._ended = True
        self._heard()

    def _put(self, arrival: T) -> bool:
        """Hold an arrival; False if `stop` was set before there was room."""
        with self._room:
            while self._source.patient and len(self._held) >= self._capacity:
                if self._stop.is_set():
                    return False
                self._room.wait(LONGEST_WAIT_S)
            if len(self._held) >= self._capacity:
                oldest = self._held.popleft()
                self._dropped += oldest.samples.shape[1] if isinstance(oldest, Arrival) else 0
            self._held.append(arrival)
        self._heard()
        return not self._stop.is_set()
