"""A derived stream put together again from its messages: in order, though some were lost and its sender began anew."""

from collections import deque
from dataclasses import replace

from engine.leads import RATE
from stream.items import Block, Event, Gap, Item, Kind
from stream.standing import Standing
from stream.wire import About, Derived, WireError

NEAR = 60 * RATE
"""An event that speaks of an index further off is none: a beat, the latest of all, is told some seconds later."""
SESSIONS = 16
"""Earlier sessions that are remembered."""


class Sessions:
    """Which sender of a bed counts: the one that began last.

    Attributes
    ----------
    newest : int or None
        Its session.
    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self._earlier: deque[int] = deque(maxlen=SESSIONS)

    def take(self, session: int) -> bool:
        """Take the session of the next message; whether it is another than before.

        Raises
        ------
        WireError
            If another sender has begun since: of two that send at the same time there would be no order.
        """
        if session == self.newest:
            return False
        if session in self._earlier:
            raise WireError("two send it, and the one that began earlier goes on")
        if self.newest is not None:
            self._earlier.append(self.newest)
        self.newest = session
        return True


class Sequel:
    """Makes items of messages, in the order that `stream.items.Item` tells.

    It begins where its first block or gap does. What was lost on the way is a gap. When the sender begins anew its
    indices do, too: here they go on behind the newest, with a gap as long as nothing came.

    Parameters
    ----------
    about : About
        What the stream has said of itself.

    Attributes
    ----------
    about : About
        What it said last.
    end : int or None
        Index after the newest block or gap.
    """

    def __init__(self, about: About) -> None:
        self.about = about
        self.end: int | None = None
        self._begin = 0
        self._sessions = Sessions()
        self._shift: int | None = 0
        self._sequence: int | None = None
        self._missed = 0
        self._moved = 0.0
        self._standing = Standing()

    def take(self, message: About | Derived, received: float) -> list[Item]:
        """The items of the next message.

        Parameters
        ----------
        message : About or Derived
            Of this bed.
        received : float
            When it came: seconds of one monotonic clock.

        Raises
        ------
        WireError
            If it has no place in the stream.
        """
        items: list[Item] = []
        if self._sessions.take(message.session):
            self._sequence = None
            self._missed = 0
            if self.end is not None:
                self._shift = None
                items.append(Event(self.end, Kind.CLOCK, text="the stream began anew at the other end"))
        if self._sequence is not None:
            self._missed += max(0, message.sequence - self._sequence - 1)
        self._sequence = message.sequence
        if isinstance(message, About):
            self.about = message
            self._place(message.settled, received)
            index = message.settled if self.end is None else self.end
            return items + list(self._standing.missing(message.standing, index))
        if isinstance(message.item, Event):
            return items + self._event(message.item)
        return items + self._run(message.item, received)

    def _place(self, index: int, received: float) -> int:
        """The index here of one there."""
        if self._shift is None:
            assert self.end is not None
            passed = max(0, round((received - self._moved) * RATE))
            self._shift = self.end + passed - index
        return index + self._shift

    def _run(self, item: Block | Gap, received: float) -> list[Item]:
        start = self._place(item.start, received)
        items: list[Item] = []
        if self.end is None:
            self._begin = start
        elif start < self.end:
            raise WireError("samples that were there already")
        elif start > self.end:
            items.append(Gap(self.end, start - self.end))
            if self._missed:
                words = "message" if self._missed == 1 else "messages"
                lost = (start - self.end) * self.about.rate / RATE
                items.append(
                    Event(start, Kind.DROPPED, text=f"{self._missed} {words} got lost on the way", value=round(lost))
                )
        items.append(replace(item, start=start))
        self.end = start + (item.end - item.start)
        self._missed, self._moved = 0, received
        return items

    def _event(self, event: Event) -> list[Item]:
        if self._shift is None:
            return []  # its place is not known yet; what holds is told again with the next `About`
        index = event.index + self._shift
        if self.end is not None:
            if abs(index - self.end) > NEAR and not self._missed:
                raise WireError("an event far from its time")
            if index > self.end:  # what it speaks of was lost: it is told at the end of what there is
                if event.kind is Kind.TIME:
                    return []
                index = self.end
            if index < self._begin and event.kind in (Kind.BEAT, Kind.TIME):
                return []
            index = max(index, self._begin)
        self._standing.take(event)
        return [replace(event, index=index)]
