"""Where a stream is: what people type for a source or an output, taken apart."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from engine.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EXAMPLES = "write lsl://NAME, lsl://?source_id=ID, zmq+tcp://HOST:PORT/BED or zmq+ipc://PATH"
LSL_WORDS = ("name", "type", "source_id")


@dataclass(frozen=True, slots=True)
class LslAddress:
    """An LSL stream on the local network; what is empty may be anything.

    Attributes
    ----------
    name, type, source_id : str
        As the stream says them.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""

    def __str__(self) -> str:
        name = _quoted(self.name)
        words = "&".join(f"{word}={_quoted(getattr(self, word))}" for word in LSL_WORDS if getattr(self, word))
        return f"lsl://{name}" if words == f"name={name}" else f"lsl://?{words}" if words else "lsl://"


@dataclass(frozen=True, slots=True)
class ZmqAddress:
    """A ZeroMQ endpoint.

    Many listen to one that publishes: PUB is bound, SUB connects. Or one takes what others push and none of it is lost:
    PULL is bound, PUSH connects.

    Attributes
    ----------
    endpoint : str
        As ZeroMQ writes it: ``tcp://127.0.0.1:5555`` or ``ipc:///tmp/ecg``.
    bed : str
        Which bed; empty where there is only one, or where it is not asked for.
    queued : bool
        Whether it is PUSH and PULL (``?push`` of an output, ``?pull`` of a source) instead of PUB and SUB.
    """

    endpoint: str
    bed: str = ""
    queued: bool = False

    @property
    def is_local(self) -> bool:
        """Whether nothing but this machine reaches it."""
        kind, _, rest = self.endpoint.partition("://")
        return kind == "ipc" or rest.rpartition(":")[0] in LOOPBACK

    def __str__(self) -> str:
        bed = "" if not self.bed else f"?bed={self.bed}" if self.endpoint.startswith("ipc") else f"/{self.bed}"
        return f"zmq+{self.endpoint}{bed}"


Address = LslAddress | ZmqAddress


def parse_source(text: str) -> Address:
    """What ``SOURCE`` of ``ecgstream monitor`` and ``serve`` means.

    Raises
    ------
    UsageError
        If it means nothing.
    """
    return _parse(text, queued="pull")


def parse_out(text: str) -> Address:
    """What ``--out`` means.

    Raises
    ------
    UsageError
        If it means nothing, or an LSL stream without a name.
    """
    address = _parse(text, queued="push")
    if isinstance(address, LslAddress) and (not address.name or address.type or address.source_id):
        raise UsageError(f"'{text}' names no stream to make; write lsl://NAME")
    return address


def _quoted(word: str) -> str:
    """As it can stand in an address; what people write in other languages stays as they write it."""
    return re.sub("[%?&=+#]", lambda matched: quote(matched[0]), word)


def _parse(text: str, *, queued: str) -> Address:
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "lsl":
        return _lsl(text, rest)
    if separator and scheme in ("zmq+tcp", "zmq+ipc"):
        return _zmq(text, scheme.removeprefix("zmq+"), rest, queued)
    raise UsageError(f"'{text}' is no address of a stream; {EXAMPLES}")


def _lsl(text: str, rest: str) -> LslAddress:
    name, _, query = rest.partition("?")
    words = dict(parse_qsl(query, keep_blank_values=True))
    if name:
        words["name"] = unquote(name)
    if unknown := [word for word in words if word not in LSL_WORDS]:
        raise UsageError(f"'{text}': an LSL stream has no {unknown[0]}; choose {', '.join(LSL_WORDS)}")
    return LslAddress(**words)


def _zmq(text: str, kind: str, rest: str, queued: str) -> ZmqAddress:
    place, _, query = rest.partition("?")
    words = dict(parse_qsl(query, keep_blank_values=True))
    bed = words.pop("bed", "")
    is_queued = words.pop(queued, None) is not None
    if words:
        raise UsageError(f"'{text}': {next(iter(words))} means nothing here; after ? there may be {queued} and bed=BED")
    if kind == "tcp":
        place, _, after = place.partition("/")
        bed = unquote(after) or bed
        if not re.fullmatch(r"([^:/@\s]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", place) or int(place.rpartition(":")[2]) > 65535:
            raise UsageError(f"'{text}' has no host and port; write zmq+tcp://HOST:PORT/BED")
    elif not place:
        raise UsageError(f"'{text}' has no path; write zmq+ipc://PATH")
    return ZmqAddress(f"{kind}://{place}", bed, is_queued)
