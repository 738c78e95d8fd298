"""Where results go: the protocol of a sink."""

from typing import Protocol

from stream.items import Item


class Sink(Protocol):
    """Something that takes a bed's items, in order, each once."""

    def push(self, item: Item) -> None:
        """Take the next item."""

    def close(self) -> None:
        """Finish: everything pushed so far is kept."""
