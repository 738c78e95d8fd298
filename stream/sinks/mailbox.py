"""Where results go: the protocol of a sink, and the mailbox that hands blocks to another thread."""

import threading
from collections import deque
from typing import Protocol

from stream.items import Block, Status


class Sink(Protocol):
    """Something that takes settled blocks, in order, each once."""

    def push(self, block: Block) -> None:
        """Take the next block."""

    def close(self) -> None:
        """Finish: everything pushed so far is kept."""


class Mailbox:
    """A sink that a slower thread empties: when it is full the oldest block is dropped and counted.

    Parameters
    ----------
    capacity : int
        Blocks held at most.
    """

    def __init__(self, capacity: int = 256) -> None:
        self._blocks: deque[Block] = deque()
        self._capacity = capacity
        self._lock = threading.Lock()
        self._status = Status("searching")
        self.dropped = 0

    def push(self, block: Block) -> None:
        """Take the next block, dropping the oldest when full."""
        with self._lock:
            if len(self._blocks) == self._capacity:
                self._blocks.popleft()
                self.dropped += 1
            self._blocks.append(block)

    def close(self) -> None:
        """Nothing to finish: what is held can still be drained."""

    def drain(self) -> list[Block]:
        """All blocks since the last call, oldest first."""
        with self._lock:
            blocks = list(self._blocks)
            self._blocks.clear()
        return blocks

    @property
    def status(self) -> Status:
        """The newest status of the bed."""
        with self._lock:
            return self._status

    @status.setter
    def status(self, status: Status) -> None:
        with self._lock:
            self._status = status
