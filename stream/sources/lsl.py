"""LSL streams as sources: found by what people type, taken up again by themselves when they come back."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from stream.address import LslAddress
from stream.channels import Assignment, Choice, Refused, listed
from stream.items import Arrival, Notice
from stream.sources.announced import ANNOUNCED, Search, streams
from stream.sources.connection import Connection, Lost
from stream.sources.description import Described, address_of, is_meant, successor

__all__ = ["Described", "Inlet", "find", "streams"]

FOUND_S = 1.2
"""So long is looked for a second stream that an address may mean: LSL asks about once a second."""
SAID_S = 2.0
"""What is waited for is said after so long."""
MOST_SAID = 4
"""So many streams that cannot be used are named."""
HINT = "is the device's program running in this network, and UDP port 16571 open?"
LOOKED_S = 0.1
"""How often is looked for what people mean."""
SILENT_S = 1.0
"""A stream that sends nothing for so long is looked after; or for three of its packets, if that is longer."""
SILENT_PACKETS = 3
LONGEST_PACKET_S = 10.0
"""A longer silence is none between packets."""
UNHEARD_S = 2.0
"""So long at first, while it is not known how long its packets are."""
UNSEEN_S = 1.3
"""A stream that has not answered for so long is not announced."""
SEEN_S = 0.5
"""One that is announced and has sent nothing for so long is worth a word: what was held up has not come by then."""
ANEW_S, LONGEST_ANEW_S = 1.0, 4.0
"""It is connected to anew after so long, then after twice as long, ... One that had not been announced sooner."""
REFUSED_S = 0.4
"""A stream that refuses a connection is tried again after so long."""
FEW_S, PAUSE_S = 0.01, 0.008
"""Where less than this has come, the next pull waits a little: a sample at a time would cost too much."""


def find(
    address: LslAddress,
    assignments: Sequence[Assignment],
    wanted: tuple[str, ...] | None,
    stop: threading.Event,
    say: Callable[[str], None],
) -> "Inlet | None":
    """Wait for the one usable stream that an address means.

    Parameters
    ----------
    address : LslAddress
        What people typed; an empty one means whatever is usable.
    assignments : sequence of Assignment
        What they say of its channels.
    wanted : tuple of str or None
        The leads that are the input; see `stream.channels.choose`.
    stop : Event
        Ends the wait.
    say : callable
        Told why it takes so long, and again when that changes.

    Returns
    -------
    Inlet or None
        None if it was stopped.

    Raises
    ------
    SourceError
        If the stream cannot be used, with what to type; or if there are several.
    """
    search, began, said = Search(), time.monotonic(), ""
    with ANNOUNCED.looking():
        while not stop.is_set():
            search.look()
            waited = time.monotonic() - began
            if waited >= FOUND_S and not search.asked:
                chosen = _chosen(address, assignments, wanted, list(search.streams.values()))
                if chosen is not None:
                    stream, choice = chosen
                    others = frozenset(search.streams) - {stream.uid}
                    return Inlet(stream, choice, search.infos[stream.uid], others=others)
            text = _awaited(address, assignments, wanted, list(search.streams.values()))
            if waited >= SAID_S and text != said:
                said = text
                say(text)
            stop.wait(LOOKED_S)
    return None


def _chosen(
    address: LslAddress, assignments: Sequence[Assignment], wanted: tuple[str, ...] | None, found: Sequence[Described]
) -> tuple[Described, Choice] | None:
    """The stream that is meant, if there is one.

    Raises
    ------
    SourceError
        If there are several, or it cannot be used.
    """
    usable, refused = _sorted(address, assignments, wanted, found)
    if len(usable) == 1:
        return usable[0]
    if usable:
        among = [stream for stream, _ in _sorted(LslAddress(), assignments, wanted, found)[0]]
        told = "; ".join(_told(stream, among) for stream, _ in usable)
        raise SourceError(f"{len(usable)} streams can be meant: {told}")
    final = [why for stream, why in refused if stream.answers]  # what does not answer yet may do so
    if final and address != LslAddress():
        raise final[0] if len(final) == 1 else SourceError("; ".join(str(why) for why in final))
    return None


def _sorted(
    address: LslAddress, assignments: Sequence[Assignment], wanted: tuple[str, ...] | None, found: Sequence[Described]
) -> tuple[list[tuple[Described, Choice]], list[tuple[Described, Refused]]]:
    """The streams that may be meant: those that can be used, and why the others cannot."""
    usable, refused = [], []
    for stream in found:
        if is_meant(address, stream):
            try:
                usable.append((stream, stream.choose(assignments, wanted)))
            except Refused as why:
                refused.append((stream, why))
    return usable, refused


def _told(stream: Described, among: Sequence[Described]) -> str:
    """One of several streams, and what to type for it."""
    address = address_of(stream, among)
    words = f"{stream.name} ({stream.type or 'no type'}, {stream.rate:g} Hz, {stream.host or 'host unknown'})"
    return f"{words}: type {address}" if address else f"{words}: another one is alike, stop one of the two"


def _awaited(
    address: LslAddress, assignments: Sequence[Assignment], wanted: tuple[str, ...] | None, found: Sequence[Described]
) -> str:
    """Why there is no stream yet."""
    _, refused = _sorted(address, assignments, wanted, found)
    if refused:
        whys = [str(why) for _, why in refused]
        more = f"; and {len(whys) - MOST_SAID} more" if len(whys) > MOST_SAID else ""
        return f"no stream can be used yet; {'; '.join(whys[:MOST_SAID])}{more}"
    what = "no LSL stream is announced yet" if address == LslAddress() else f"no stream {address} is announced yet"
    names = sorted({stream.name for stream in found})
    return "; ".join((what, *([f"found {', '.join(names)}"] if names else []), HINT))


class Inlet:
    """A source that takes an LSL stream; when that is lost it looks for it, and takes it up again.

    Parameters
    ----------
    stream : Described
        The stream.
    choice : Choice
        Its channels that are the input.
    info : pylsl.StreamInfo
        To connect to it.
    others : collection of str
        Uids of streams that are other devices, whatever they are called.

    Attributes
    ----------
    synthetic : bool
        Whether it says that nobody is recorded.
    """

    patient = False
    recorded = False

    def __init__(self, stream: Described, choice: Choice, info: Any, *, others: Collection[str] = ()) -> None:
        self.name = stream.name
        self.rate = stream.rate
        self.leads = choice.leads
        self.synthetic = stream.synthetic
        self.stream = stream
        self._choice = choice
        self._info = info
        self._others = frozenset(others)

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival | Notice]:
        """See `Source.arrivals`; it ends when it is stopped."""
        taking = _Taking(self.stream, self._choice, self._info, self._others)
        try:
            while not stop.is_set():
                yield from taking.step()
        finally:
            taking.end()


class _Taking:
    """The connections of an inlet, one after the other."""

    def __init__(self, stream: Described, choice: Choice, info: Any, others: frozenset[str]) -> None:
        self._stream = stream
        self._choice = choice
        self._others = others
        self._session = -1
        self._heard = time.monotonic()
        self._packet_s = 0.0
        self._alive: float | None = None
        self._notice = ""
        self._looking_since: float | None = None
        self._seen_since: float | None = None
        self._refused: dict[str, str] = {}
        self._connection: Connection | None = None
        self._is_checked = False
        self._connect(stream.uid, info)
        self._anew_s = ANEW_S

    def step(self) -> Iterator[Arrival | Notice]:
        """What there is to tell; after at most `LONGEST_WAIT_S`."""
        pulled = None
        if self._connection is None:
            time.sleep(LOOKED_S)
        else:
            try:
                pulled = self._connection.pull()
                self._check(self._connection)
            except Lost:
                self._disconnect()
        now = time.monotonic()
        if pulled is not None and self._connection is not None:
            yield from self._arrived(self._connection, *pulled, now)
        elif self._connection is None or now - self._heard > self._patience:
            yield from self._say(self._mend(now), now)

    def end(self) -> None:
        """Let go of everything."""
        self._disconnect()
        self._look(False)

    def _arrived(
        self, connection: Connection, samples: NDArray[Any], stamps: NDArray[np.float64], now: float
    ) -> Iterator[Arrival | Notice]:
        offset = connection.clock.offset()
        self._look(False)
        self._seen_since, self._anew_s = None, ANEW_S
        # As long as what came at once, or as it took to come; a longer silence is soon forgotten.
        waited = min(now - self._heard, LONGEST_PACKET_S) if self._packet_s else 0.0
        self._packet_s = max(len(stamps) / self._stream.rate, waited, 0.9 * self._packet_s)
        self._heard = now
        self._alive = self._alive if offset is None else now - offset
        yield from self._say(connection.clock.trouble, now)
        yield Arrival(now, self._choice.place(samples), stamps=stamps, session=self._session, offset=offset)
        if len(stamps) < FEW_S * self._stream.rate:
            time.sleep(PAUSE_S)

    @property
    def _patience(self) -> float:
        """How long nothing may come before it is looked after, s."""
        return max(SILENT_S, SILENT_PACKETS * self._packet_s) if self._packet_s else UNHEARD_S

    def _mend(self, now: float) -> str:
        """Connect to the stream again where that may help; what is the matter, for people."""
        self._look(True)
        name, called = self._stream.name, ANNOUNCED.called(self._stream.name, self._stream.type)
        self._refused = {uid: why for uid, why in self._refused.items() if any(each.uid == uid for each in called)}
        found = successor(self._stream, called, others={*self._others, *self._refused}, alive=self._alive)
        found = found or next((each for each in called if each.uid == self._stream.uid), None)
        if found is None:
            self._seen_since = None
            return self._unseen(called, now)
        if found.uid != self._uid or self._connection is None:  # it has begun anew, or ended
            if now - self._tried > REFUSED_S:
                self._connect(found.uid, ANNOUNCED.infos().get(found.uid))
                self._anew_s = ANEW_S
            return self._notice
        if self._seen_since is None:
            self._seen_since = now
        silent = now - max(self._seen_since, self._tried)
        if silent > self._anew_s:
            self._anew_s = min(2 * self._anew_s, LONGEST_ANEW_S)
            self._connect(found.uid, ANNOUNCED.infos().get(found.uid))
        if silent < SEEN_S:
            return self._notice
        if self._is_checked and self._anew_s > 2 * ANEW_S:
            return f"{name} is connected but sends nothing: is its sensor on, and in reach of it?"
        return f"{name} is announced but sends nothing: connecting anew"

    def _unseen(self, called: Sequence[Described], now: float) -> str:
        """The stream is not announced: what is the matter."""
        name = self._stream.name
        if self._looking_since is None or now - self._looking_since < UNSEEN_S:
            return self._notice
        self._anew_s = SEEN_S
        if self._refused:
            return next(iter(self._refused.values()))
        if others := [each.source_id or "none" for each in called if each.uid != self._stream.uid]:
            return (
                f"{name} is no longer announced, but another one of this name is (source id {', '.join(others)}): "
                "if it is the same device, start again"
            )
        return f"{name} is no longer announced: is it off or out of reach?"

    def _connect(self, uid: str, info: Any) -> None:
        self._disconnect()
        self._uid, self._tried, self._is_checked = uid, time.monotonic(), False
        if info is None:  # it has just gone
            return
        with suppress(Lost):
            self._connection = Connection(info)
            self._session += 1

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check(self, connection: Connection) -> None:
        """Take up the stream that is connected, unless it has become another one."""
        told = connection.told
        if self._is_checked or told is None:
            return
        if told.is_like(self._stream):
            self._stream, self._is_checked = told, True
            return
        self._disconnect()
        what = f"{told.rate:g} Hz; {listed(told.channels)}"
        self._refused[self._uid] = (
            f"{told.name} is back with other channels or another rate ({what}): start again to take it so"
        )

    def _look(self, wanted: bool) -> None:
        """Look for streams on the network, or no more."""
        if wanted and self._looking_since is None:
            self._looking_since = time.monotonic()
            ANNOUNCED.begin()
        elif not wanted and self._looking_since is not None:
            self._looking_since = None
            ANNOUNCED.end()

    def _say(self, text: str, now: float) -> Iterator[Notice]:
        if text != self._notice:
            self._notice = text
            yield Notice(now, text)
