"""A sink that another thread empties when it has time: a screen's."""

import threading
from collections import deque
from dataclasses import replace

from stream.items import Block, Event, Gap, Item
from stream.status import Status, after


class Mailbox:
    """Holds what came since it was last emptied; when it is full the oldest is dropped and counted.

    Parameters
    ----------
    capacity : int
        Blocks and gaps held at most. Events are told by `status` at once, whatever is dropped.

    Attributes
    ----------
    dropped : int
        Blocks and gaps that were dropped.
    """

    def __init__(self, capacity: int = 256) -> None:
        self.dropped = 0
        self._items: deque[Block | Gap] = deque()
        self._capacity = capacity
        self._lock = threading.Lock()
        self._status = Status()

    def push(self, item: Item) -> None:
        """Take the next item, dropping the oldest when full."""
        with self._lock:
            self._status = after(self._status, item)
            if isinstance(item, Event):
                return
            if len(self._items) == self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)

    def close(self) -> None:
        """Nothing to finish: what is held can still be drained."""

    def drain(self) -> list[Block | Gap]:
        """All blocks and gaps since the last call, oldest first."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
        return items

    @property
    def status(self) -> Status:
        """How the bed is doing by its newest item."""
        with self._lock:
            return replace(self._status, dropped=self.dropped)
