"""ZeroMQ out: a bed's items for whoever listens, with who they are of told each second."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator

import msgspec
import zmq
from zmq import SocketType

from engine.errors import SinkError, UsageError
from engine.leads import RATE
from stream import LONGEST_WAIT_S
from stream.address import ZmqAddress
from stream.items import Block, Event, Item
from stream.keys import Access
from stream.link import Link
from stream.standing import Standing
from stream.wire import MOST_NAME, MOST_SESSION, About, Derived, WireError, encode, printable

ABOUT_S = 1.0
"""How often a stream says who it is."""
NO_ROOM_S = 1.0
"""How long what is pushed waits for room, until there has been none for so long."""
LINGER_MS = 500
"""How long the end waits for what has not gone out yet."""
MOST_COLUMNS = 10 * RATE
"""Of a block in one message; a longer one becomes several."""


class Publisher:
    """A sink that sends a bed's items: to all who listen (PUB, bound), or to one who takes all (PUSH, connected).

    Who listens and does not keep up misses messages, and sees it by their sequence. Whoever takes all makes this wait;
    what there is no room for then is lost, and said.

    Parameters
    ----------
    address : ZmqAddress
        Where.
    about : About
        Who it is; its session, sequence and what changes while it runs are filled in here.
    access : Access
        The keys.

    Raises
    ------
    UsageError
        If it cannot be bound, or its keys cannot be read.
    """

    def __init__(self, address: ZmqAddress, about: About, access: Access) -> None:
        self._about = msgspec.structs.replace(
            about,
            bed=_name(address.bed or about.bed),
            name=_name(about.name),
            model=_name(about.model),
            backend=_name(about.backend),
            session=secrets.randbelow(MOST_SESSION),
        )
        encode(self._about)  # what cannot be sent is found before anything is
        self._sequence = 0
        self._settled = about.settled
        self._standing = Standing()
        self._is_full = False
        self._problem = ""
        self._gone = 0
        self._link = Link(address, SocketType.PUSH if address.queued else SocketType.PUB, access)
        self._lock = threading.Lock()  # of all of this: messages go out in the order of their sequence
        self._tell()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"publisher {self.where}", daemon=True)
        self._thread.start()

    @property
    def where(self) -> str:
        """Where it sends from, or to."""
        return self._link.where

    def push(self, item: Item) -> None:
        """Send the next item.

        Raises
        ------
        SinkError
            If it is lost because nobody takes it, or if nobody is let in.
        """
        with self._lock:
            for piece in _pieces(item):
                if isinstance(piece, Event):
                    self._standing.take(piece)
                else:
                    self._settled = piece.end
                self._send(self._next(piece))
            if self._problem:
                raise SinkError(self._problem)

    def close(self) -> None:
        """Send what there is still to send, if it goes within half a second."""
        self._stop.set()
        self._thread.join()
        self._link.close(LINGER_MS)

    def _next(self, item: Item | None) -> list[bytes]:
        """The parts of the next message: of an item, or of who this is."""
        about, sequence = self._about, self._sequence
        self._sequence += 1
        try:
            if item is None:
                changes = {"sequence": sequence, "settled": self._settled, "standing": self._standing.events}
                return encode(msgspec.structs.replace(about, **changes))
            return encode(Derived(bed=about.bed, session=about.session, sequence=sequence, item=item))
        except WireError as error:
            raise SinkError(f"cannot send to {self.where}: {error}") from None

    def _send(self, parts: list[bytes]) -> None:
        """Send a message; where all have to be taken wait for room, but not for each message once that was in vain."""
        deadline = time.monotonic() + (0.0 if self._is_full else NO_ROOM_S)
        while not self._try(parts):
            self._link.watch()
            if time.monotonic() >= deadline:
                self._is_full = True
                why = self._problem or self._link.trouble or f"{self.where} takes nothing; look at what runs there"
                raise SinkError(f"what is sent is lost: {why}")
            self._link.socket.poll(round(1000 * LONGEST_WAIT_S), zmq.POLLOUT)
        self._is_full = False

    def _try(self, parts: list[bytes]) -> bool:
        try:
            self._link.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError:
            if self._link.socket.closed:  # it could not be bound anew
                raise SinkError(f"what is sent is lost: {self._problem}") from None
            raise
        return True

    def _work(self) -> None:
        """Each second say who this is; and see who has to go."""
        told = time.monotonic()
        while not self._stop.wait(LONGEST_WAIT_S):
            with self._lock:
                self._watch()
                if time.monotonic() - told >= ABOUT_S:
                    told = time.monotonic()
                    self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(SinkError):  # the next one comes in a second
            self._try(self._next(None))

    def _watch(self) -> None:
        """Whoever has a key that is not listed any more goes: the end is bound anew, and the others come back."""
        self._link.watch()
        gate = self._link.gate
        if gate is None:
            return
        gone, self._problem = gate.gone, gate.problem
        if gone != self._gone:
            try:
                self._link.renew()
                self._gone = gone
            except UsageError as error:
                self._problem = str(error)


def _name(text: str) -> str:
    return printable(text)[:MOST_NAME]


def _pieces(item: Item) -> Iterator[Item]:
    """A long block in several; the truth stays here."""
    if not isinstance(item, Block):
        yield item
        return
    for at in range(0, item.leads.shape[1], MOST_COLUMNS):
        columns = slice(at, at + MOST_COLUMNS)
        yield Block(
            item.start + at,
            item.leads[:, columns],
            item.interval[:, columns],
            item.origin[:, columns],
            tail=item.tail if at + MOST_COLUMNS >= item.leads.shape[1] else None,
        )
