"""What ZeroMQ carries: a message as its parts and back, every field checked; ``docs/wire.md`` says it for people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, assert_never

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from engine.leads import LEADS, RATE, Origin
from stream.items import Block, Event, Gap, Kind, Tail, Why, lock
from stream.supervisor import State

VERSION = 1
"""Of the messages. A later one may add fields without another number, as fields that are not known are passed over."""

MOST_BYTES = 2**20
"""Of one part."""
MOST_HEADER_BYTES = 2**17
MOST_S = 60
"""Of samples in a message."""
MOST_CHANNELS = 64
MOST_NAME = 64
"""Characters of a bed, a lead, a unit, ..."""
MOST_TEXT = 500
"""Characters of what an event says; what is longer is sent shorter."""
MOST_INDEX = 2**53
"""An index any language can hold, whatever it makes of numbers: 570,000 years at 500 Hz."""
MOST_SESSION = 2**63 - 1
"""The largest session and sequence."""
MOST_MV = 1e4
"""Ten volts: a derived sample beyond is none."""
MOST_STANDING = 100
"""Events that an `About` repeats."""

SYNTHETIC = 1
"""A flag of `Samples`: they are no person's, but a simulator's or a record's."""

_OF_A_LEAD = (Kind.LEAD_OFF, Kind.LEAD_BACK, Kind.LIMB_DISAGREE, Kind.LIMB_AGREE)
_WITH_A_VALUE = (Kind.TIME, Kind.LATENCY)
_STATES = frozenset(State)
_LEAD_NAMES = frozenset((*LEADS, ""))
_BLOCK_PARTS = 3
"""Of a block, and again of its tail: leads, half-widths, origins."""


class WireError(ValueError):
    """A message is not what it should be; in few words, what is wrong with it."""


_Count = Annotated[int, Meta(ge=0, le=MOST_SESSION)]
_Index = Annotated[int, Meta(ge=0, le=MOST_INDEX)]
_Length = Annotated[int, Meta(ge=1, le=MOST_INDEX)]
_Name = Annotated[str, Meta(max_length=MOST_NAME)]
_BedName = Annotated[str, Meta(min_length=1, max_length=MOST_NAME)]
_Names = Annotated[tuple[_Name, ...], Meta(min_length=1, max_length=MOST_CHANNELS)]
_Hertz = Annotated[float, Meta(ge=1, le=1e5)]
_Seconds = Annotated[float, Meta(ge=0, le=1e11)]
_Text = Annotated[str, Meta(max_length=MOST_TEXT)]


class _Header(Struct, frozen=True, kw_only=True, tag_field="type"):
    bed: _BedName
    session: _Count
    sequence: _Count
    version: Annotated[int, Meta(ge=0, le=MOST_SESSION)]


class _Samples(_Header, frozen=True, kw_only=True, tag="samples"):
    index: _Index
    count: _Length
    rate: _Hertz
    leads: _Names
    unit: _Name
    time: _Seconds = 0.0
    flags: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0


class _Block(_Header, frozen=True, kw_only=True, tag="block"):
    start: _Index
    count: _Length
    tail: Annotated[int, Meta(ge=0, le=MOST_S * RATE)] = 0


class _Gap(_Header, frozen=True, kw_only=True, tag="gap"):
    start: _Index
    length: _Length
    why: Why = Why.MISSING


class _Event(_Header, frozen=True, kw_only=True, tag="event"):
    index: _Index
    kind: Kind
    lead: _Name = ""
    text: _Text = ""
    value: float | None = None


class About(_Header, frozen=True, kw_only=True, tag="about"):
    """What a derived stream says of itself, at its start and then each second.

    Attributes
    ----------
    bed : str
        Whose it is: the topic of its messages.
    session : int
        A random number of the sender's run.
    sequence : int
        Which message of the bed it is, from 0 with each session.
    name : str
        What people call the stream.
    leads_in : tuple of str
        The measured leads.
    rate : float
        The source's samples per second; what is derived has 500.
    model, backend : str
        What estimates.
    look_ahead_ms : float
        How long an estimate waits for later samples.
    synthetic : bool
        Whether it is no person's, but a simulator's or a record's.
    settled : int
        Sample index (500 Hz) after the newest block or gap that was sent.
    standing : tuple of Event
        What has been said and still holds: for who joins late, or has lost a message.
    version : int
        Of the messages.
    """

    session: _Count = 0
    sequence: _Count = 0
    version: Annotated[int, Meta(ge=0, le=MOST_SESSION)] = VERSION
    name: _Name
    leads_in: Annotated[tuple[_Name, ...], Meta(max_length=len(LEADS))]
    rate: _Hertz
    model: _Name = ""
    backend: _Name = ""
    look_ahead_ms: Annotated[float, Meta(ge=0, le=1e4)] = 0.0
    synthetic: bool = False
    settled: _Index = 0
    standing: Annotated[tuple[Event, ...], Meta(max_length=MOST_STANDING)] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """A device's samples.

    Attributes
    ----------
    bed : str
        Whose they are: the topic.
    session : int
        A random number of the sender's run; with another one the index may begin anew.
    sequence : int
        Which message of the bed it is, from 0 with each session.
    index : int
        Sample index (at the device's rate, from the session's start) of the first column.
    rate : float
        Samples per second.
    leads : tuple of str
        What the device calls its channels.
    unit : str
        What a number is in, as the device spells it: ``mV``, ``uV``, ...; empty if it is not known.
    samples : ndarray, (channels, n) float32
        NaN where nothing was measured.
    time : float
        When the first column was taken: Unix time in s by the sender's clock, 0 if not known.
    flags : int
        `SYNTHETIC`, or 0; other bits are passed over.
    """

    bed: str
    session: int
    sequence: int
    index: int
    rate: float
    leads: tuple[str, ...]
    unit: str
    samples: NDArray[np.float32]
    time: float = 0.0
    flags: int = 0

    def __post_init__(self) -> None:
        lock(self, "samples")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Derived:
    """An item of a derived stream.

    Attributes
    ----------
    bed, session, sequence
        As of `Samples`.
    item : Block, Gap or Event
        Without the truth.
    """

    bed: str
    session: int
    sequence: int
    item: Block | Gap | Event


Message = Samples | About | Derived

_encoder = msgspec.msgpack.Encoder()
_AnyHeader = _Samples | _Block | _Gap | _Event | About
_decoder: msgspec.msgpack.Decoder[_AnyHeader] = msgspec.msgpack.Decoder(_AnyHeader)


def encode(message: Message) -> list[bytes]:
    """The parts of a message.

    Raises
    ------
    WireError
        If it cannot be sent as it stands: whoever gets it would refuse it.
    """
    match message:
        case About():
            standing = tuple(_cleaned(event) for event in message.standing)
            header: _Header = msgspec.structs.replace(message, standing=standing)
            payload: list[bytes] = []
        case Samples():
            header, payload = _encode_samples(message)
        case Derived():
            header, payload = _encode_item(message)
        case _:
            assert_never(message)
    packed = _encoder.encode(header)
    _check(_read(packed), [len(part) for part in payload])
    if max(map(len, payload), default=0) > MOST_BYTES:
        raise WireError(f"more than {MOST_BYTES} bytes at once")
    return [header.bed.encode(), packed, *payload]


def decode(parts: Sequence[bytes]) -> Message:
    """The message of these parts.

    Raises
    ------
    WireError
        If it is none, whatever it is; nothing else is ever raised.
    """
    if not 2 <= len(parts) <= 2 + 2 * _BLOCK_PARTS:
        raise WireError(f"a message of {len(parts)} parts")
    if max(map(len, parts)) > MOST_BYTES:
        raise WireError(f"a part of more than {MOST_BYTES} bytes")
    topic, packed, *payload = parts
    header = _read(packed)
    if topic != header.bed.encode():
        raise WireError("its topic is not its bed")
    _check(header, [len(part) for part in payload])
    match header:
        case About():
            return header
        case _Samples():
            return Samples(
                bed=header.bed,
                session=header.session,
                sequence=header.sequence,
                index=header.index,
                rate=header.rate,
                leads=header.leads,
                unit=header.unit,
                samples=_floats(payload[0], len(header.leads)),
                time=header.time,
                flags=header.flags,
            )
        case _Block():
            item: Block | Gap | Event = _block(header, payload)
        case _Gap():
            item = Gap(header.start, header.length, header.why)
        case _Event():
            item = Event(header.index, header.kind, header.lead, header.text, header.value)
        case _:
            assert_never(header)
    return Derived(bed=header.bed, session=header.session, sequence=header.sequence, item=item)


def _encode_samples(message: Samples) -> tuple[_Header, list[bytes]]:
    if message.samples.ndim != 2 or message.samples.shape[0] != len(message.leads):
        raise WireError(f"{len(message.leads)} leads, but samples of shape {message.samples.shape}")
    header = _Samples(
        version=VERSION,
        bed=message.bed,
        session=message.session,
        sequence=message.sequence,
        index=message.index,
        count=message.samples.shape[1],
        rate=message.rate,
        leads=message.leads,
        unit=message.unit,
        time=message.time,
        flags=message.flags,
    )
    return header, [_raw(message.samples)]


def _encode_item(message: Derived) -> tuple[_Header, list[bytes]]:
    common: dict[str, Any] = {
        "version": VERSION,
        "bed": message.bed,
        "session": message.session,
        "sequence": message.sequence,
    }
    item = message.item
    match item:
        case Block():
            pieces: list[Block | Tail] = [item] if item.tail is None else [item, item.tail]
            payload = [part for each in pieces for part in (_raw(each.leads), _raw(each.interval), _bytes(each.origin))]
            tail = 0 if item.tail is None else item.tail.leads.shape[1]
            return _Block(start=item.start, count=item.leads.shape[1], tail=tail, **common), payload
        case Gap():
            return _Gap(start=item.start, length=item.length, why=item.why, **common), []
        case Event():
            said = _cleaned(item)
            return (
                _Event(index=said.index, kind=said.kind, lead=said.lead, text=said.text, value=said.value, **common),
                [],
            )
        case _:
            assert_never(item)


def _raw(array: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(array, "<f4").tobytes()


def _bytes(array: NDArray[np.uint8]) -> bytes:
    return np.ascontiguousarray(array, np.uint8).tobytes()


def _cleaned(event: Event) -> Event:
    """The same event with a text that can be sent: short, on one line, and nothing in it that a terminal obeys."""
    text = printable(event.text)
    text = text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
    value = event.value if event.value is None or math.isfinite(event.value) else None
    return Event(event.index, event.kind, event.lead, text, value)


def printable(text: str) -> str:
    """The text with a blank for each character that is not for reading."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _read(packed: bytes) -> _AnyHeader:
    """The header, each of its fields in its own bounds."""
    if len(packed) > MOST_HEADER_BYTES:
        raise WireError(f"a header of {len(packed)} bytes")
    try:
        header = _decoder.decode(packed)
    except msgspec.ValidationError as error:
        # The sender's own words may stand in it.
        raise WireError(f"header: {printable(str(error))[:100]}") from None
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError):
        raise WireError("its header is no msgpack") from None
    if header.version != VERSION:
        raise WireError(f"version {header.version}; here it is {VERSION}")
    return header


def _check(header: _AnyHeader, sizes: list[int]) -> None:
    """What fields have to do with one another, and with the sizes of what follows."""
    names: tuple[str, ...] = (header.bed,)
    expected: list[int] = []
    match header:
        case _Samples():
            names = (*names, header.unit, *header.leads)
            expected = [4 * len(header.leads) * header.count]
            _check_length(header.count, header.rate)
            _check_end(header.index, header.count)
        case _Block():
            columns = [header.count, header.tail] if header.tail else [header.count]
            expected = [size * len(LEADS) * count for count in columns for size in (4, 4, 1)]
            _check_length(header.count, RATE)
            _check_end(header.start, header.count + header.tail)
        case _Gap():
            _check_end(header.start, header.length)
        case _Event():
            _check_event(Event(header.index, header.kind, header.lead, header.text, header.value))
        case About():
            names = (*names, header.name, header.model, header.backend)
            if not _LEAD_NAMES.issuperset(header.leads_in) or "" in header.leads_in:
                raise WireError("a lead that there is not")
            for event in header.standing:
                _check_event(event)
        case _:
            assert_never(header)
    if not all(name.isprintable() for name in names):
        raise WireError("a name that cannot be read")
    if sizes != expected:
        raise WireError(f"parts of {_listed(sizes)} bytes where {_listed(expected)} are said")


def _check_length(count: int, rate: float) -> None:
    if count > MOST_S * rate:
        raise WireError(f"more than {MOST_S} s at once")


def _check_end(start: int, length: int) -> None:
    if start + length > MOST_INDEX:
        raise WireError("an index beyond 2^53")


def _check_event(event: Event) -> None:
    """An event as whoever gets it may rely on: a screen and a recorder do."""
    value = event.value
    if not 0 <= event.index <= MOST_INDEX:
        raise WireError("an event at an index beyond 2^53")
    if event.lead not in _LEAD_NAMES or (event.kind in _OF_A_LEAD and not event.lead):
        raise WireError("an event of a lead that there is not")
    if not event.text.isprintable() or len(event.text) > MOST_TEXT:
        raise WireError("an event whose text cannot be read")
    if event.kind is Kind.SOURCE and event.text not in _STATES:
        raise WireError("an event of a state that there is not")
    if value is None and event.kind in _WITH_A_VALUE:
        raise WireError("an event without its value")
    least = -MOST_INDEX if event.kind is Kind.CLOCK else 0  # only a clock steps back
    if value is not None and not least <= value <= MOST_INDEX:  # also what is not a number
        raise WireError("an event with a value out of range")


def _listed(sizes: list[int]) -> str:
    return " + ".join(str(size) for size in sizes) or "no"


def _floats(part: bytes, rows: int) -> NDArray[np.float32]:
    """The samples of a part, in its own memory where it can be; an infinity is not known."""
    samples = np.frombuffer(part, "<f4").astype(np.float32, copy=False).reshape(rows, -1)
    infinite = np.isinf(samples)
    return np.where(infinite, np.float32(np.nan), samples) if infinite.any() else samples


def _block(header: _Block, payload: list[bytes]) -> Block:
    leads, interval, origin = _columns(payload[:_BLOCK_PARTS])
    tail = Tail(*_columns(payload[_BLOCK_PARTS:])) if header.tail else None
    return Block(header.start, leads, interval, origin, tail=tail)


def _columns(payload: list[bytes]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    leads = _floats(payload[0], len(LEADS))
    interval = np.frombuffer(payload[1], "<f4").astype(np.float32, copy=False).reshape(len(LEADS), -1)
    origin = np.frombuffer(payload[2], np.uint8).reshape(len(LEADS), -1)
    if origin.max() > max(Origin):
        raise WireError("an origin that there is not")
    with np.errstate(invalid="ignore"):
        if (interval < 0).any() or np.isinf(interval).any():
            raise WireError("a half-width that is none")
        beyond = np.abs(leads) > MOST_MV
    return (np.where(beyond, np.float32(np.nan), leads) if beyond.any() else leads), interval, origin
