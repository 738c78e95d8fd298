"""A stream that was derived elsewhere, given on to sinks as it comes: nothing is estimated twice."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from engine.errors import EcgStreamError
from stream import LONGEST_WAIT_S
from stream.items import Block, Event, Gap, Item, Kind, Notice
from stream.sinks.outbox import Outlet
from stream.sources.intake import Intake, Sending
from stream.supervisor import State, Supervisor

SENT_EACH_S = 1.0
"""The other end says each second that it is there, whatever its source does."""
MOST_FAILURES = 100
"""The first so many are kept for the end."""


class Derived(Sending[Item | Notice], Protocol):
    """Something that sends the items of a derived stream, in the order that `stream.items.Item` tells.

    Attributes
    ----------
    heard : float
        When anything of it came last, also what holds no items: seconds of this host's monotonic clock.
    """

    heard: float


class Relay:
    """Gives the items of a derived stream to sinks until it ends, or until `stop` is set.

    What the other end says of its source passes on. When nothing comes from the other end itself that is *stale* and
    then *lost* here, and once it is back what the other end said last is said again.

    Parameters
    ----------
    source : Derived
        Sends the items.
    outlets : sequence of Outlet
        Get each of them, in order, and are closed at the end.
    stop : Event
        Ends the relay early.

    Attributes
    ----------
    began, settled : int
        Index from which on, and up to which, all has come.
    error : Exception or None
        What ended the stream, if not its own end.
    failures : list of str
        What went wrong with the sinks, a line each.
    """

    def __init__(self, source: Derived, outlets: Sequence[Outlet], stop: threading.Event) -> None:
        self.began: int | None = None
        self.settled = 0
        self.error: Exception | None = None
        self.failures: list[str] = []
        self._source = source
        self._stop = stop
        self._heard = threading.Event()
        self._intake: Intake[Item | Notice] = Intake(source, self._heard.set)
        self._outlets = outlets
        self._supervisor = Supervisor()
        self._heard_at = source.heard
        self._state: str = State.SEARCHING  # as the other end said last
        self._notices = {"here": "", "there": ""}
        self._told = 0
        self._thread = threading.Thread(target=self._work, name="relay")

    def start(self) -> None:
        """Begin; returns at once."""
        self._intake.start()
        self._thread.start()

    def wait(self) -> None:
        """Return when all threads have ended."""
        self._thread.join()
        if not self._intake.wait():
            self.failures.append("source: did not end")

    def tick(self, now: float) -> bool:
        """Give on what has come; whether more may come."""
        is_last = self._intake.is_over()
        arrivals, _ = self._intake.take()
        before = self._supervisor.state
        for each in arrivals:
            self._take(each)
        if self._source.heard != self._heard_at:
            self._heard_at = self._source.heard
            self._supervisor.arrived(now, packet_s=SENT_EACH_S, signal=True)
        else:
            self._supervisor.passed(now)
        state = self._supervisor.state
        was_away = before in (State.STALE, State.LOST)
        if self._state == State.ENDED:
            return not is_last  # nothing more is waited for
        if state is not before and state in (State.STALE, State.LOST):
            self._say(Kind.SOURCE, state)
        elif was_away and state in (State.LIVE, State.BACK):
            self._say(Kind.SOURCE, self._state)
        return not is_last

    def _take(self, item: Item | Notice) -> None:
        if isinstance(item, Notice):
            self._notices["here"] = item.text
            self._say(Kind.NOTICE, self._notice)
            return
        if isinstance(item, Block | Gap):
            self.began = item.start if self.began is None else self.began
            self.settled = item.end
        else:
            self._told = max(self._told, item.index)
            if item.kind is Kind.SOURCE:
                self._state = item.text
            elif item.kind is Kind.NOTICE:
                self._notices["there"] = item.text
                item = replace(item, text=self._notice)
        self._give(item)

    @property
    def _notice(self) -> str:
        """What is wrong with the way here, and what the other end says of its source."""
        return "; ".join(text for text in self._notices.values() if text)

    def _say(self, kind: Kind, text: str) -> None:
        self._give(Event(max(self.settled, self._told), kind, text=text))

    def _give(self, item: Item) -> None:
        for outlet in self._outlets:
            outlet.push(item, self._stop)
        for text in self._failed():
            for outlet in self._outlets:
                outlet.push(Event(max(self.settled, self._told), Kind.SINK_FAILED, text=text), self._stop)

    def _failed(self) -> list[str]:
        texts = [text for outlet in self._outlets for text in outlet.failures()]
        self.failures = (self.failures + texts)[:MOST_FAILURES]
        return texts

    def _work(self) -> None:
        more = True
        while more and not self._stop.is_set():
            self._heard.wait(LONGEST_WAIT_S)
            self._heard.clear()
            more = self.tick(time.monotonic())
        self._intake.stop()
        self.error = self._intake.error
        if self.error is not None:
            self._say(Kind.FAILED, _line(self.error))
        else:
            self._say(Kind.SOURCE, State.ENDED)
        for outlet in self._outlets:
            outlet.close()
        for outlet in self._outlets:
            outlet.wait(self._stop)
        self._failed()


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, EcgStreamError) else f"{type(error).__name__}: {error}"
