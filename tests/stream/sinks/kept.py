"""Sinks for tests: one that keeps all, and ones that fail as sinks do."""

import threading

from stream.items import Block, Item


class Kept:
    """A sink that keeps every item."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.closed = 0

    def push(self, item: Item) -> None:
        self.items.append(item)

    def close(self) -> None:
        self.closed += 1

    @property
    def blocks(self) -> list[Block]:
        return [item for item in self.items if isinstance(item, Block)]


class Raising(Kept):
    """Raises at every block while `error` is set, at its end if `at_close`."""

    def __init__(self, error: Exception | None, at_close: bool = False) -> None:
        super().__init__()
        self.error = error
        self.at_close = at_close

    def push(self, item: Item) -> None:
        if self.error and isinstance(item, Block) and not self.at_close:
            raise self.error
        super().push(item)

    def close(self) -> None:
        super().close()
        if self.error and self.at_close:
            raise self.error


class Stalling(Kept):
    """Waits in `push`, or in `close`, until `go` is set; `stalls` is set as soon as it does."""

    def __init__(self, at_close: bool = False) -> None:
        super().__init__()
        self.go = threading.Event()
        self.stalls = threading.Event()
        self.at_close = at_close

    def push(self, item: Item) -> None:
        if not self.at_close and isinstance(item, Block):
            self._stall()
        super().push(item)

    def close(self) -> None:
        if self.at_close:
            self._stall()
        super().close()

    def _stall(self) -> None:
        self.stalls.set()
        self.go.wait(60)
