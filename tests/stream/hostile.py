"""Messages that are none: what a broken device, another program or somebody with bad intent may send."""

import random
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from stream.items import Block, Event, Gap, Item, Kind, Tail
from stream.wire import MOST_BYTES, About, Derived, Message, Samples, encode

BED = "hostile"

NUMBERS = (-1, 0, 1, 2, 2**31, 2**53, 2**53 + 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 1.5, 1e308)
NOTHING: tuple[object, ...] = (
    float("nan"),
    float("inf"),
    float("-inf"),
    None,
    True,
    "",
    "I",
    "x" * 65,
    "\x1b[2J",
    [],
    [[]],
    {},
    b"\xff",
)


def samples(bed: str = BED, *, sequence: int = 0, index: int = 0, values: np.ndarray | None = None) -> Samples:
    """A message of three leads."""
    return Samples(
        bed=bed,
        session=7,
        sequence=sequence,
        index=index,
        rate=250,
        leads=("I", "II", "V4"),
        unit="mV",
        samples=np.zeros((3, 10), np.float32) if values is None else values.astype(np.float32),
    )


def block(start: int = 0, count: int = 40, tail: int = 0, level: float = 0.5) -> Block:
    """Twelve leads."""

    def columns(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        leads = np.full((12, length), level, np.float32)
        return leads, np.full_like(leads, 0.1), np.full((12, length), 3, np.uint8)

    return Block(start, *columns(count), tail=Tail(*columns(tail)) if tail else None)


def some_messages(bed: str = BED) -> list[Message]:
    """One of each kind."""
    items: list[Item] = [block(), block(tail=50), Gap(40, 500), Event(40, Kind.LEAD_OFF, "V4", "flat")]
    return [
        samples(bed),
        About(
            bed=bed, name="a bed", leads_in=("I", "II", "V4"), rate=250, standing=(Event(1, Kind.NOTICE, text="so"),)
        ),
        *(Derived(bed=bed, session=7, sequence=number, item=item) for number, item in enumerate(items)),
    ]


def spoiled(seed: int, bed: str = BED) -> Iterator[list[bytes]]:
    """Messages without end; nearly all of them are malformed, in many ways."""
    luck = random.Random(seed)
    good = [encode(message) for message in some_messages(bed)]
    ways: list[Callable[[random.Random, list[bytes]], list[bytes]]] = [
        noise,
        cut,
        fewer,
        more,
        flipped,
        another_field,
        another_field,
        not_finite,
        another_topic,
    ]
    while True:
        parts = luck.choice(ways)(luck, list(luck.choice(good)))
        yield parts if luck.random() < 0.8 else luck.choice(ways)(luck, parts)


def oversized(bed: str = BED, size: int = MOST_BYTES + 4) -> list[bytes]:
    """A message with a part that no message may have."""
    topic, header, _ = encode(samples(bed))
    return [topic, header, bytes(size)]


def noise(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    return [luck.randbytes(luck.choice((0, 1, 4, 40, 400))) for _ in range(luck.randint(1, 12))]


def cut(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    which = luck.randrange(len(parts))
    parts[which] = parts[which][: luck.randrange(len(parts[which]) + 1)]
    return parts


def fewer(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    del parts[luck.randrange(len(parts))]
    return parts or [b""]


def more(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    parts.insert(luck.randrange(len(parts) + 1), luck.choice([b"", *parts]))
    return parts


def flipped(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    which = luck.randrange(min(2, len(parts)))
    if parts[which]:
        changed = bytearray(parts[which])
        for _ in range(luck.randint(1, 3)):
            changed[luck.randrange(len(changed))] = luck.randrange(256)
        parts[which] = bytes(changed)
    return parts


def another_field(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    try:
        header = msgspec.msgpack.decode(parts[1])
        name = luck.choice([*header, "unknown"])
        value = luck.choice([*NUMBERS, *NOTHING])
        header[name] = [value] if luck.random() < 0.2 else value
        if luck.random() < 0.1:
            header["deep"] = msgspec.Raw(b"\x91" * luck.choice((10, 5000)) + b"\xc0")
        parts[1] = msgspec.msgpack.encode(header)
    except (IndexError, TypeError, ValueError, RecursionError, msgspec.DecodeError):
        pass  # spoiled already
    return parts


def not_finite(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    if len(parts) > 2:
        which = luck.randrange(2, len(parts))
        changed = np.frombuffer(parts[which][: len(parts[which]) // 4 * 4], "<f4").copy()
        if len(changed):
            changed[luck.randrange(len(changed))] = luck.choice((np.nan, np.inf, -np.inf, -1, 3e38))
        parts[which] = changed.tobytes()
    return parts


def another_topic(luck: random.Random, parts: list[bytes]) -> list[bytes]:
    return [luck.choice((b"", b"other", parts[0] + b"\0", b"\xff\xfe", b"x" * 300)), *parts[1:]]
