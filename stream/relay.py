"""A stream that was derived elsewhere, given on to sinks as it comes: nothing is estimated twice."""

import threading
import time
from collections.abc import Sequence

from engine.errors import EcgStreamError
from stream import LONGEST_WAIT_S
from stream.items import Block, Event, Gap, Item, Kind, Notice
from stream.sinks.outbox import Outlet
from stream.sources.intake import Intake, Sending
from stream.supervisor import State, Supervisor


class Relay:
    """Gives the items of a derived stream to sinks until it ends, or until `stop` is set.

    What the other end says of its source passes on. When nothing comes from the other end itself that is *stale* and
    then *lost* here, and once it is back what the other end said last is said again.

    Parameters
    ----------
    source : Sending
        Sends the items.
    outlets : sequence of Outlet
        Get each of them, in order, and are closed at the end.
    stop : Event
        Ends the relay early.

    Attributes
    ----------
    settled : int
        Index up to which all has come.
    error : Exception or None
        What ended the stream, if not its own end.
    failures : list of str
        What went wrong with the sinks, a line each.
    """

    def __init__(self, source: Sending[Item | Notice], outlets: Sequence[Outlet], stop: threading.Event) -> None:
        self.settled = 0
        self.error: Exception | None = None
        self.failures: list[str] = []
        self._stop = stop
        self._heard = threading.Event()
        self._intake: Intake[Item | Notice] = Intake(source, self._heard.set)
        self._outlets = outlets
        self._supervisor = Supervisor()
        self._told: str = State.SEARCHING
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
        if any(not isinstance(each, Notice) for each in arrivals):
            self._supervisor.arrived(now, packet_s=0.0, signal=True)
        else:
            self._supervisor.passed(now)
        state = self._supervisor.state
        if state is not before and state in (State.STALE, State.LOST):
            self._give(Event(self.settled, Kind.SOURCE, text=state))
        elif before in (State.STALE, State.LOST) and state in (State.LIVE, State.BACK):
            self._give(Event(self.settled, Kind.SOURCE, text=self._told))
        return not is_last

    def _take(self, item: Item | Notice) -> None:
        if isinstance(item, Notice):
            self._give(Event(self.settled, Kind.NOTICE, text=item.text))
            return
        if isinstance(item, Block | Gap):
            self.settled = item.end
        elif item.kind is Kind.SOURCE:
            self._told = item.text
        self._give(item)

    def _give(self, item: Item) -> None:
        for outlet in self._outlets:
            outlet.push(item, self._stop)
        for text in [text for outlet in self._outlets for text in outlet.failures()]:
            self.failures.append(text)
            for outlet in self._outlets:
                outlet.push(Event(self.settled, Kind.SINK_FAILED, text=text), self._stop)

    def _work(self) -> None:
        more = True
        while more and not self._stop.is_set():
            self._heard.wait(LONGEST_WAIT_S)
            self._heard.clear()
            more = self.tick(time.monotonic())
        self._intake.stop()
        self.error = self._intake.error
        self._give(
            Event(self.settled, Kind.SOURCE, text=State.ENDED)
            if self.error is None
            else Event(self.settled, Kind.FAILED, text=_line(self.error))
        )
        for outlet in self._outlets:
            outlet.close()
        for outlet in self._outlets:
            outlet.wait(self._stop)
        self.failures += [text for outlet in self._outlets for text in outlet.failures()]


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, EcgStreamError) else f"{type(error).__name__}: {error}"
