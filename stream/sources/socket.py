"""ZeroMQ in: a device's samples, or a stream that is derived already; what is neither is counted, and said."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import zmq
from zmq import SocketType

from engine.errors import SourceError
from stream import LONGEST_WAIT_S
from stream.address import ZmqAddress
from stream.channels import Assignment, Channel, choose
from stream.items import Arrival, Item, Notice
from stream.keys import Access
from stream.link import Link
from stream.sources.sequel import Sequel, Sessions
from stream.wire import MOST_MV, SYNTHETIC, About, Derived, Message, Samples, WireError, decode

LOWEST_RATE, HIGHEST_RATE = 100.0, 2000.0
ALONE_S = 1.0
"""Where no bed is named there is one only if no other is heard for so long."""
MOST_BEDS = 16
"""Beds that are told at most."""
MOST_CAME = 1000
"""Messages of a bed that are kept until it is known what it is: of one that sends samples none is lost."""
MOST_PARTS = 9
"""One more than any message has."""
AT_ONCE = 64
"""Messages taken before others get their turn."""
TOLD_S = 1.0
"""What is wrong is told at most so often, ..."""
QUIET_S = 10.0
"""... and holds until so long nothing more of it has happened."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, and when it came: seconds of this host's monotonic clock."""

    received: float
    message: Message


class Refusals:
    """Counts what was refused, and says so while it goes on.

    Parameters
    ----------
    noun : str
        What is refused: ``message``.
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._count = 0
        self._why = ""
        self._newest = 0.0

    def add(self, why: str, now: float, count: int = 1) -> None:
        """Count what was refused, with the reason of the newest."""
        self._count, self._why, self._newest = self._count + count, why, now

    def text(self, now: float) -> str:
        """One line for people; empty when none was refused lately."""
        if self._count and now - self._newest >= QUIET_S:
            self._count = 0
        if not self._count:
            return ""
        return f"{self._count} {self._noun}{'' if self._count == 1 else 's'} refused: {self._why}"


class Ear:
    """The end where messages come.

    Parameters
    ----------
    address : ZmqAddress
        Where: PULL is bound there, SUB connects.
    access : Access
        The keys.

    Attributes
    ----------
    link : Link
        The connection.
    refused : int
        Messages that were none, or came with a key that is not for them.

    Raises
    ------
    UsageError
        If it cannot be bound, or its keys cannot be read.
    """

    def __init__(self, address: ZmqAddress, access: Access) -> None:
        self.link = Link(address, SocketType.PULL if address.queued else SocketType.SUB, access)
        self.refused = 0
        self._queued = address.queued
        self._messages = Refusals("message")
        self._connections = Refusals("connection")
        self._connections_refused = 0
        self._told = ""
        self._told_at = -TOLD_S
        self._poller = zmq.Poller()
        self._poller.register(self.link.socket, zmq.POLLIN)
        if self.link.monitor is not None:
            self._poller.register(self.link.monitor, zmq.POLLIN)
        if not self._queued:
            self.link.socket.subscribe(b"")

    def only(self, bed: str) -> None:
        """Hear no other beds any more, where that can be left to the other end."""
        if not self._queued:
            self.link.socket.subscribe(bed.encode())
            self.link.socket.unsubscribe(b"")

    def hear(self) -> list[Heard]:
        """The messages that have come, once some have or a short while has passed."""
        self._poller.poll(round(1000 * LONGEST_WAIT_S))
        self.link.watch()
        now = time.monotonic()
        if new := self.link.refused - self._connections_refused:
            self._connections_refused += new
            self._connections.add(self.link.why_refused, now, new)
        heard = []
        for _ in range(AT_ONCE):
            try:
                parts, user = self._parts()
            except zmq.Again:
                break
            try:
                if why := self._why_not(user, parts[0]):
                    raise WireError(why)
                heard.append(Heard(now, decode(parts)))
            except WireError as error:
                self.refuse(str(error))
        return heard

    def refuse(self, why: str) -> None:
        """Count a message that cannot be taken."""
        self.refused += 1
        self._messages.add(why, time.monotonic())

    def troubles(self) -> str:
        """What is wrong at present, in one line for people; empty if nothing is."""
        now = time.monotonic()
        problem = self.link.gate.problem if self.link.gate is not None else ""
        texts = (self.link.trouble, problem, self._connections.text(now), self._messages.text(now))
        return "; ".join(text for text in texts if text)

    def notice(self) -> Notice | None:
        """What is wrong, where that has changed since it was told, and there was time to read it."""
        now = time.monotonic()
        text = self.troubles()
        if text == self._told or now - self._told_at < TOLD_S:
            return None
        self._told, self._told_at = text, now
        return Notice(now, text)

    def close(self) -> None:
        """Hear nothing any more."""
        self.link.close()

    def _parts(self) -> tuple[list[bytes], str]:
        """The parts of a message, no more than one may have; and whose key it came with."""
        frame = self.link.socket.recv(zmq.NOBLOCK, copy=False)
        user = "" if self.link.gate is None else _user(frame)
        parts = [frame.bytes]
        while frame.more:
            frame = self.link.socket.recv(copy=False)
            if len(parts) < MOST_PARTS:
                parts.append(frame.bytes)
        return parts, user

    def _why_not(self, user: str, topic: bytes) -> str:
        gate = self.link.gate
        return "" if gate is None else gate.why_not(user, topic.decode(errors="replace"))


def _user(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def open_socket(
    address: ZmqAddress,
    assignments: Sequence[Assignment],
    wanted: tuple[str, ...] | None,
    *,
    access: Access,
    stop: threading.Event,
    say: Callable[[str], None],
) -> "SocketSource | Listener | None":
    """Wait for a bed's first message, which tells whether it sends samples or is derived already.

    Parameters
    ----------
    address : ZmqAddress
        Where; if it names no bed there has to be one only.
    assignments, wanted
        As for `stream.channels.choose`; they are not asked where the stream is derived already.
    access : Access
        The keys.
    stop : Event
        Ends the wait.
    say : callable
        Is told why it waits, in one line for people, when that has changed.

    Returns
    -------
    SocketSource, Listener or None
        None if `stop` was set.

    Raises
    ------
    UsageError
        If the place cannot be bound, or the keys cannot be read.
    SourceError
        If the other end refuses the key, there are several beds and none is named, or its samples cannot be used.
    """
    ear = Ear(address, access)
    try:
        opened = _Search(address, ear, say).run(assignments, wanted, stop)
    except BaseException:
        ear.close()
        raise
    if opened is None:
        ear.close()
    return opened


class _Search:
    """Waits for a bed, and says why."""

    def __init__(self, address: ZmqAddress, ear: Ear, say: Callable[[str], None]) -> None:
        self._address = address
        self._ear = ear
        self._say = say
        self._said = ""
        self._began = time.monotonic()
        self._first_at: float | None = None
        self._others: set[str] = set()
        self._came: dict[str, deque[Heard]] = {}

    def run(
        self, assignments: Sequence[Assignment], wanted: tuple[str, ...] | None, stop: threading.Event
    ) -> "SocketSource | Listener | None":
        while not stop.is_set():
            for heard in self._ear.hear():
                self._take(heard)
            if self._ear.link.refusal:
                raise SourceError(self._ear.link.refusal)
            if (bed := self._bed()) is not None and (opened := self._open(bed, assignments, wanted)) is not None:
                self._ear.only(bed)
                self._tell("")
                return opened
            self._tell(self._why())
        return None

    def _take(self, heard: Heard) -> None:
        bed = heard.message.bed
        if self._address.bed and bed != self._address.bed:
            if len(self._others) < MOST_BEDS:
                self._others.add(bed)
            return
        self._first_at = self._first_at or heard.received
        if bed in self._came or len(self._came) < MOST_BEDS:
            self._came.setdefault(bed, deque(maxlen=MOST_CAME)).append(heard)

    def _bed(self) -> str | None:
        """The bed, once it has been heard and is known to be the one."""
        if self._address.bed:
            return self._address.bed if self._came else None
        if self._first_at is None or time.monotonic() - self._first_at < ALONE_S:
            return None
        beds = sorted(self._came)
        if len(beds) > 1:
            one = ZmqAddress(self._address.endpoint, quote(beds[0]))
            pull = f"{'&' if '?' in str(one) else '?'}pull" if self._address.queued else ""
            raise SourceError(
                f"there are several beds at {self._ear.link.where}: {', '.join(beds)}; write for example {one}{pull}"
            )
        return beds[0]

    def _open(
        self, bed: str, assignments: Sequence[Assignment], wanted: tuple[str, ...] | None
    ) -> "SocketSource | Listener | None":
        came = self._came[bed]
        first = came[0].message
        if isinstance(first, Samples):
            return SocketSource(self._ear, first, came, assignments, wanted, patient=self._address.queued)
        about = next((heard.message for heard in came if isinstance(heard.message, About)), None)
        return None if about is None else Listener(self._ear, about, came)

    def _why(self) -> str:
        troubles = self._ear.troubles()
        if self._ear.link.trouble:
            return troubles
        if time.monotonic() - self._began < ALONE_S or self._came:
            return self._said
        link = self._ear.link
        if not link.is_bound and not link.is_connected:
            return f"{link.where} does not answer; is its name right, and is it on?"
        what = f"nothing comes from bed {self._address.bed} yet" if self._address.bed else "nothing comes yet"
        where = f"{'listening at' if link.is_bound else 'connected to'} {link.where}"
        beds = f"; beds heard: {', '.join(sorted(self._others))}" if self._others else ""
        return f"{where}, {what}{beds}" + (f"; {troubles}" if troubles else "")

    def _tell(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._say(text)


class SocketSource:
    """A device's samples as they come: `stream.sources.Source`.

    Attributes
    ----------
    synthetic : bool
        Whether they are said to be no person's.
    """

    recorded = False

    def __init__(
        self,
        ear: Ear,
        first: Samples,
        came: Iterable[Heard],
        assignments: Sequence[Assignment],
        wanted: tuple[str, ...] | None,
        *,
        patient: bool,
    ) -> None:
        what = f"bed {first.bed} at {ear.link.where}"
        if not LOWEST_RATE <= first.rate <= HIGHEST_RATE:
            raise SourceError(
                f"{what} sends at {first.rate:g} Hz; {LOWEST_RATE:g} to {HIGHEST_RATE:g} Hz can be used, "
                "so set the device to a rate between"
            )
        self._choice = choose([Channel(label, first.unit) for label in first.leads], assignments, wanted, what)
        self.name = first.bed
        self.rate = first.rate
        self.leads = self._choice.leads
        self.patient = patient
        self.synthetic = bool(first.flags & SYNTHETIC)
        self._ear = ear
        self._came = came
        self._form = _form(first)
        self._sessions = Sessions()

    @property
    def refused(self) -> int:
        """Messages that could not be taken so far."""
        return self._ear.refused

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival | Notice]:
        """See `stream.sources.Source.arrivals`."""
        for each in _messages(self._ear, self.name, self._came, stop):
            if isinstance(each, Notice):
                yield each
                continue
            try:
                arrival = self._arrival(each)
            except WireError as error:
                self._ear.refuse(str(error))
            else:
                yield arrival

    def close(self) -> None:
        """End the connection, where `arrivals` is never asked for."""
        self._ear.close()

    def _arrival(self, heard: Heard) -> Arrival:
        message = heard.message
        if not isinstance(message, Samples):
            raise WireError(f"bed {self.name} sends samples, and this is derived from such")
        if (form := _form(message)) != self._form:
            raise WireError(f"bed {self.name} sends {form} now, and sent {self._form}; start here anew")
        self._sessions.take(message.session)
        samples = self._choice.place(message.samples.T)
        with np.errstate(invalid="ignore"):
            samples[np.abs(samples) > MOST_MV] = np.nan
        n = samples.shape[1]
        stamps = message.time + np.arange(n) / self.rate if message.time else None
        return Arrival(heard.received, samples, message.index, stamps=stamps, session=message.session)


class Listener:
    """A stream that was derived elsewhere: its items in the order that `stream.items.Item` tells.

    Attributes
    ----------
    patient : bool
        It waits for room: what is lost meanwhile is lost at the sender's, and becomes a gap here.
    heard : float
        When a message of it came last, whether it held items or not: seconds of this host's monotonic clock.
    """

    patient = True

    def __init__(self, ear: Ear, about: About, came: Iterable[Heard]) -> None:
        self.name = about.name or about.bed
        self._bed = about.bed
        self._ear = ear
        self._came = came
        self._sequel = Sequel(about)
        self.heard = 0.0

    @property
    def about(self) -> About:
        """What the stream said last of itself."""
        return self._sequel.about

    @property
    def refused(self) -> int:
        """Messages that could not be taken so far."""
        return self._ear.refused

    def arrivals(self, stop: threading.Event) -> Iterator[Item | Notice]:
        """What comes, as it comes, until soon after `stop` is set."""
        for each in _messages(self._ear, self._bed, self._came, stop):
            if isinstance(each, Notice):
                yield each
                continue
            try:
                if not isinstance(each.message, About | Derived):
                    raise WireError(f"bed {self._bed} is derived, and these are samples")
                items = self._sequel.take(each.message, each.received)
                self.heard = each.received
            except WireError as error:
                self._ear.refuse(str(error))
            else:
                yield from items

    def close(self) -> None:
        """End the connection, where `arrivals` is never asked for."""
        self._ear.close()


def _form(samples: Samples) -> str:
    """What must not change while a bed is watched, in words."""
    return f"{', '.join(samples.leads)} in {samples.unit or 'no unit'} at {samples.rate:g} Hz"


def _messages(ear: Ear, bed: str, came: Iterable[Heard], stop: threading.Event) -> Iterator[Heard | Notice]:
    """What has come from a bed and what comes, with what is wrong between; the connection ends with it."""
    try:
        yield from came
        while not stop.is_set():
            for heard in ear.hear():
                if heard.message.bed == bed:
                    yield heard
            if (notice := ear.notice()) is not None:
                yield notice
    finally:
        ear.close()
