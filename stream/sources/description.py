"""What an LSL stream says of itself, read from its XML, and whether it can be an input."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from stream.address import LslAddress
from stream.channels import Assignment, Channel, Choice, Refused, choose
from stream.sources.record import HIGHEST_RATE, LOWEST_RATE

LABELS = ("label", "name", "sensor", "id")
"""Where devices write what a channel is called; the first that is there counts."""
UNITS = ("unit", "units")
LARGEST_XML = 4_000_000
"""Characters; no description is as long."""
MOST_CHANNELS = 4096
OVERLAP_S = 0.5
"""A device that begins anew may do so a moment before its old stream ends."""

_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]{1,8}|\d{1,10});")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GENERATED = re.compile(r"-?\d{12,20}|[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""Source ids that are another one each time a program starts: pylsl's own, and random ones."""


@dataclass(frozen=True, slots=True)
class Described:
    """An LSL stream as it describes itself.

    Attributes
    ----------
    name, type, source_id : str
        As it says them; a source id may be shared by several streams.
    uid : str
        Of this one stream; another one each time the device begins anew.
    rate : float
        Nominal samples per second; 0 where they come irregularly.
    format : str
        Of its numbers: float32, double64, int8, int16, int32, int64; or string.
    host : str
        The computer that sends it.
    channels : tuple of Channel
        In its order; without labels where what it says does not fit their number.
    created : float
        When it began, s of its host's LSL clock; 0 where it does not say.
    derived : bool
        Whether this program sent it: its leads are derived already.
    synthetic : bool
        Whether it says that nobody is recorded.
    answers : bool
        Whether it said what its channels are when it was asked.
    """

    name: str
    type: str = ""
    source_id: str = ""
    uid: str = ""
    rate: float = 0.0
    format: str = "undefined"
    host: str = ""
    channels: tuple[Channel, ...] = ()
    created: float = 0.0
    derived: bool = False
    synthetic: bool = False
    answers: bool = True

    def choose(self, assignments: Sequence[Assignment], wanted: tuple[str, ...] | None) -> Choice:
        """Its channels that are the input: see `stream.channels.choose`.

        Raises
        ------
        Refused
            If it cannot be an input, with what would help.
        """
        if not self.answers:
            raise Refused(self.name, "it does not say what its channels are: is TCP to it open?")
        if self.format == "string":
            raise Refused(self.name, "it sends text, not samples")
        if self.rate == 0:
            raise Refused(self.name, "its rate is irregular (0 Hz): no heart signal is sampled so")
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise Refused(self.name, f"its rate is {self.rate:g} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz can be taken")
        if self.derived:
            raise Refused(
                self.name, "its leads are derived already, and none is estimated twice; take what they came from"
            )
        return choose(self.channels, assignments, wanted, self.name)

    def is_like(self, other: "Described") -> bool:
        """Whether samples of one can go on where those of the other ended."""
        return (self.rate, self.format, self.channels) == (other.rate, other.format, other.channels)


def describe(xml: str) -> Described:
    """A stream from its XML, as liblsl and XDF files have it.

    Raises
    ------
    ValueError
        If it is no description of a stream.
    """
    root = _parse(xml)
    if root.tag != "info":
        raise ValueError(f"<{root.tag}> is no description of a stream")
    count = _number(_text(root, "channel_count"))
    if not (count.is_integer() and 1 <= count <= MOST_CHANNELS):
        raise ValueError(f"{_text(root, 'channel_count') or 'no'} channels are none")
    rate = _number(_text(root, "nominal_srate"))
    description = root.find("desc")
    return Described(
        name=_text(root, "name") or "without a name",
        type=_text(root, "type"),
        source_id=_text(root, "source_id"),
        uid=_text(root, "uid"),
        rate=rate if rate > 0 else 0.0,
        format=_text(root, "channel_format") or "undefined",
        host=_text(root, "hostname"),
        channels=_channels(description, int(count)),
        created=_number(_text(root, "created_at")),
        derived=description is not None and description.find("ecgstream") is not None,
        synthetic=description is not None and _text(description, "synthetic").casefold() == "true",
    )


def is_meant(address: LslAddress, stream: Described) -> bool:
    """Whether an address may mean a stream."""
    return all(
        not getattr(address, word) or getattr(address, word) == getattr(stream, word)
        for word in ("name", "type", "source_id")
    )


def address_of(stream: Described, among: Sequence[Described]) -> LslAddress | None:
    """The shortest address that means this one of some streams; None if they are alike."""
    addresses = (
        LslAddress(name=stream.name),
        LslAddress(name=stream.name, type=stream.type),
        LslAddress(name=stream.name, source_id=stream.source_id),
        LslAddress(name=stream.name, type=stream.type, source_id=stream.source_id),
    )
    for address in addresses:
        if [other.uid for other in among if is_meant(address, other)] in ([], [stream.uid]):
            return address
    return None


def successor(
    old: Described, announced: Sequence[Described], *, others: Collection[str] = (), alive: float | None = None
) -> Described | None:
    """The stream that is the same device, begun anew.

    It has the same name and type, and the same source id; or where that is another one at each start anyway, the same
    host. What was there beside the old stream is another device, whatever it is called.

    Parameters
    ----------
    old : Described
        The stream that was taken.
    announced : sequence of Described
        What there is.
    others : collection of str
        Uids of streams that are known to be others.
    alive : float or None
        When the old one last sent something, s of its host's LSL clock.
    """
    alike = [
        each
        for each in announced
        if (each.name, each.type) == (old.name, old.type) and each.uid != old.uid and each.uid not in others
    ]
    if is_lasting(old.source_id):
        alike = [each for each in alike if each.source_id == old.source_id]
    else:
        alike = [each for each in alike if not is_lasting(each.source_id) and each.host == old.host]
    if alive is not None:
        alike = [each for each in alike if each.host != old.host or not old.created < each.created < alive - OVERLAP_S]
    alike = [each for each in alike if each.host == old.host] or alike
    # Of one that has begun anew twice the first is still announced for a while.
    return max(alike, key=lambda each: each.created, default=None)


def is_lasting(source_id: str) -> bool:
    """Whether a source id is the device's, not one that a program makes up at each start."""
    return bool(source_id) and not _GENERATED.fullmatch(source_id)


def _parse(xml: str) -> Element:
    if len(xml) > LARGEST_XML:
        raise ValueError(f"a description of {len(xml)} characters is none")
    if "<!" in xml.replace("<!--", "").replace("<![CDATA[", ""):
        raise ValueError("a description defines nothing")  # entities that unfold to gigabytes
    # What is no XML but is in the wild, such as a control character in a label.
    text = _NOT_XML.sub("?", _REFERENCE.sub(_referred, xml))
    try:
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except (ElementTree.ParseError, RecursionError) as error:
        raise ValueError(f"no XML: {error}") from error


def _referred(reference: re.Match[str]) -> str:
    word = reference[1]
    number = int(word[1:], 16) if word[0] == "x" else int(word)
    is_possible = number <= 0x10FFFF and not _NOT_XML.match(chr(number))
    return reference[0] if is_possible else "?"


def _channels(description: Element | None, count: int) -> tuple[Channel, ...]:
    holder = None if description is None else _child(description, ("channels",))
    told = [] if holder is None else [each for each in holder if each.tag.casefold() == "channel"]
    if len(told) != count:  # which of them it speaks of is anybody's guess
        return tuple(Channel("") for _ in range(count))
    return tuple(Channel(_first(each, LABELS), _first(each, UNITS), _first(each, ("type",))) for each in told)


def _first(element: Element, tags: Sequence[str]) -> str:
    """The text of the first of these children that has any."""
    return next((text for tag in tags if (text := _text(element, tag))), "")


def _child(element: Element, tags: Sequence[str]) -> Element | None:
    return next((child for child in element if child.tag.casefold() in tags), None)


def _text(element: Element, tag: str) -> str:
    child = _child(element, (tag,))
    if child is None:
        return ""
    words = " ".join("".join(child.itertext()).split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)  # nothing that a terminal obeys


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
