"""The way to a sink: whatever the sink does, whoever sends goes on, and what was lost is said."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from engine.errors import SinkError
from engine.leads import RATE
from stream import LONGEST_WAIT_S
from stream.items import Block, Event, Item
from stream.sinks import Sink

CAPACITY = 10 * RATE
"""Samples held at most: ten seconds of a stream."""
MOST_ITEMS = 10_000
"""Items held at most: events and gaps weigh nothing, but there may be many."""
HUNG_S = 10.0
"""A sink that takes nothing for so long is not waited for any more."""
CLOSING_S = 3.0
"""How long the end of a run waits for a sink that does nothing."""
ANEW_S = 60.0
"""The same failure after so long a time without is a new one."""


class Outlet(Protocol):
    """What a bed's items are given to. It never raises, and waits only where it says so."""

    def push(self, item: Item, stop: threading.Event) -> None:
        """Take the next item; where it has to wait it does so no longer than until `stop` is set."""

    def close(self) -> None:
        """Nothing more will come."""

    def wait(self, stop: threading.Event) -> None:
        """Return when the sink is closed, or shows that it never will be; soon, when `stop` is set."""

    def failures(self) -> list[str]:
        """What went wrong since the last call, a line each."""


class Direct:
    """The way to a sink that only counts or hands over: it is pushed to at once. Once it has failed it gets no more.

    Parameters
    ----------
    sink : Sink
        Where items go.
    name : str
        Of the sink, for people.
    """

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink = sink
        self._name = name
        self._failures: list[str] = []
        self._broken = False

    def push(self, item: Item, stop: threading.Event) -> None:
        """See `Outlet.push`; it does not wait."""
        if not self._broken:
            self._try(partial(self._sink.push, item))

    def close(self) -> None:
        """See `Outlet.close`."""
        self._try(self._sink.close)

    def wait(self, stop: threading.Event) -> None:
        """See `Outlet.wait`; there is nothing to wait for."""

    def failures(self) -> list[str]:
        """See `Outlet.failures`."""
        failures, self._failures = self._failures, []
        return failures

    def _try(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # whatever it is, it is this sink's own
            self._broken = True
            self._failures.append(_line(self._name, error))


class Outbox:
    """The way to a sink that writes: a bounded queue, and a thread of the sink's own.

    Where the queue is full, what comes is lost, and said, but for a source that can wait: then whoever sends waits
    until there is room. After a `SinkError` the sink gets what comes next, as the disk may have room again; after any
    other error it gets nothing more.

    Parameters
    ----------
    sink : Sink
        Where items go; only the outbox's thread touches it.
    name : str
        Of the sink, for people.
    patient : bool
        Whether whoever sends can wait.
    capacity : int
        Samples held at most.
    """

    def __init__(self, sink: Sink, name: str, *, patient: bool = False, capacity: int = CAPACITY) -> None:
        self._sink = sink
        self._name = name
        self._patient = patient
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._weight = 0
        self._closing = False
        self._failures: list[str] = []
        self._newest_failure = ("", 0.0)
        self._lost_from: int | None = None
        self._lost = 0
        self._moved = time.monotonic()
        self._changed = threading.Condition()
        # A daemon: a sink that hangs for good must not hold the program.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def push(self, item: Item, stop: threading.Event) -> None:
        """See `Outlet.push`."""
        weight = _weight(item)
        with self._changed:
            if self._closing:
                return
            while self._patient and not self._fits(weight) and not stop.is_set() and not self._hangs(HUNG_S):
                self._changed.wait(LONGEST_WAIT_S)
            is_last = self._patient and stop.is_set()  # what is left of a run that ends finds room
            if not is_last and (not self._fits(weight) or (isinstance(item, Block) and self._is_losing())):
                self._lose(item)
                return
            if not self._items:
                self._moved = time.monotonic()
            self._items.append(item)
            self._weight += weight
            self._changed.notify_all()

    def close(self) -> None:
        """See `Outlet.close`."""
        with self._changed:
            self._found_room()
            self._closing = True
            self._moved = time.monotonic()
            self._changed.notify_all()

    def wait(self, stop: threading.Event) -> None:
        """See `Outlet.wait`."""
        began = time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.02)
            is_over = stop.is_set() and time.monotonic() - began > CLOSING_S
            if self._thread.is_alive() and (is_over or self._hangs(CLOSING_S)):
                self._fail("did not end; what it had not written is lost")
                return

    def failures(self) -> list[str]:
        """See `Outlet.failures`."""
        with self._changed:
            failures, self._failures = self._failures, []
        return failures

    def _fits(self, weight: int) -> bool:
        return not self._items or (self._weight + weight <= self._capacity and len(self._items) < MOST_ITEMS)

    def _is_losing(self) -> bool:
        """Whether samples are lost: from when the queue was full until half of it is free, so that gaps are few."""
        if self._lost_from is not None and self._weight <= self._capacity / 2:
            self._found_room()
        return self._lost_from is not None

    def _hangs(self, seconds: float) -> bool:
        return time.monotonic() - self._moved > seconds

    def _lose(self, item: Item) -> None:
        if self._lost_from is None:
            self._lost_from, self._lost = item.index if isinstance(item, Event) else item.start, 0
            self._fail(f"does not keep up; from {self._lost_from / RATE:.1f} s on samples are lost")
        self._lost += _weight(item)

    def _found_room(self) -> None:
        if self._lost_from is not None:
            self._fail(f"{self._lost / RATE:.1f} s from {self._lost_from / RATE:.1f} s on were lost")
            self._lost_from = None

    def _fail(self, words: str) -> None:
        with self._changed:
            self._failures.append(f"{self._name}: {words}")

    def _next(self) -> Item | None:
        """The next item, or None when there will be none."""
        with self._changed:
            while not self._items:
                if self._closing:
                    return None
                self._changed.wait(LONGEST_WAIT_S)
            return self._items[0]

    def _done(self) -> None:
        """The oldest item is with the sink: only now is its place free."""
        with self._changed:
            self._weight -= _weight(self._items.popleft())
            self._moved = time.monotonic()
            self._changed.notify_all()

    def _work(self) -> None:
        broken = False
        while (item := self._next()) is not None:
            if not broken:
                broken = not self._try(partial(self._sink.push, item))
            self._done()
        self._try(self._sink.close)

    def _try(self, do: Callable[[], None]) -> bool:
        """Whether the sink can still be given something; what goes on failing in the same way is said once."""
        try:
            do()
        except Exception as error:  # whatever it is, it is this sink's own
            line, now = _line(self._name, error), time.monotonic()
            before, when = self._newest_failure
            if line != before or now - when > ANEW_S:
                with self._changed:
                    self._failures.append(line)
            self._newest_failure = line, now
            return isinstance(error, SinkError)
        return True


def _weight(item: Item) -> int:
    return int(item.leads.shape[1]) if isinstance(item, Block) else 0


def _line(name: str, error: Exception) -> str:
    return f"{name}: {(str(error) or type(error).__name__).splitlines()[0]}"
