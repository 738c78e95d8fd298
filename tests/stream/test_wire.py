"""The wire: what is encoded comes back, and whatever else comes is refused in one way."""

import itertools
import re
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.leads import LEADS
from stream.items import Block, Event, Gap, Kind, Tail, Why
from stream.wire import (
    MOST_BYTES,
    MOST_INDEX,
    MOST_SESSION,
    SYNTHETIC,
    VERSION,
    About,
    Derived,
    Message,
    Samples,
    WireError,
    decode,
    encode,
)
from tests.stream import hostile
from tests.stream.hostile import block, samples, some_messages, spoiled

DOCS = Path(__file__).resolve().parents[2] / "docs" / "wire.md"

names = st.text(st.characters(exclude_categories=("C", "Z")), max_size=64)
beds = names.filter(bool)
counts = st.integers(0, MOST_SESSION)
indices = st.integers(0, MOST_INDEX - 10**6)


def assert_same(one: Any, other: Any) -> None:
    """Equal, array by array, where what is not a number equals itself."""
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    elif isinstance(one, Samples | Derived | Block | Tail):
        assert type(one) is type(other)
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


def floats(rows: int, **limits: Any) -> st.SearchStrategy[np.ndarray]:
    elements = st.floats(width=32, allow_infinity=False, **limits) | st.just(float("nan"))
    return arrays.arrays(np.float32, st.tuples(st.just(rows), st.integers(1, 50)), elements=elements)


@given(message=st.data(), leads=st.lists(names, min_size=1, max_size=64).map(tuple))
def test_samples_come_back(message: st.DataObject, leads: tuple[str, ...]) -> None:
    sent = message.draw(
        st.builds(
            Samples,
            bed=beds,
            session=counts,
            sequence=counts,
            index=indices,
            rate=st.floats(1, 1e5),
            leads=st.just(leads),
            unit=names,
            samples=floats(len(leads)),
            time=st.floats(0, 1e11),
            flags=st.integers(0, 2**32 - 1),
        )
    )
    assert_same(decode(encode(sent)), sent)


@given(start=indices, values=floats(12, min_value=-1e4, max_value=1e4), data=st.data())
def test_blocks_come_back_without_the_truth(start: int, values: np.ndarray, data: st.DataObject) -> None:
    def columns(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return values, np.abs(values), data.draw(arrays.arrays(np.uint8, values.shape, elements=st.integers(0, 3)))

    tail = data.draw(st.none() | floats(12, min_value=-1e4, max_value=1e4))
    sent = Block(start, *columns(values), truth=values, tail=None if tail is None else Tail(*columns(tail)))
    got = decode(encode(Derived(bed="b", session=1, sequence=2, item=sent)))
    assert isinstance(got, Derived)
    assert_same(got.item, Block(start, sent.leads, sent.interval, sent.origin, tail=sent.tail))


@pytest.mark.parametrize("why", Why)
def test_gaps_come_back(why: Why) -> None:
    message = Derived(bed="b", session=1, sequence=2, item=Gap(5, MOST_INDEX - 5, why))
    assert_same(decode(encode(message)), message)


def an_event(kind: Kind) -> Event:
    text = "stale" if kind is Kind.SOURCE else "how it is"
    return Event(5, kind, "V4", text, 3.5)


@pytest.mark.parametrize("kind", Kind)
def test_events_come_back_alone_and_as_what_stands(kind: Kind) -> None:
    message = Derived(bed="b", session=1, sequence=2, item=an_event(kind))
    assert_same(decode(encode(message)), message)
    about = About(bed="b", name="n", leads_in=LEADS, rate=500, standing=(an_event(kind), Event(1, Kind.BEAT)))
    assert decode(encode(about)) == about


def test_what_an_event_says_is_sent_short_and_for_reading() -> None:
    said = Event(1, Kind.SINK_FAILED, text="a disk\nis full\x1b[2J" + "!" * 1000, value=float("inf"))
    got = decode(encode(Derived(bed="b", session=1, sequence=2, item=said)))
    assert isinstance(got, Derived)
    assert isinstance(got.item, Event)
    assert got.item.text.startswith("a disk is full [2J!!")
    assert got.item.text.endswith("!…")
    assert (len(got.item.text), got.item.value) == (500, None)


def test_arrays_cannot_be_written() -> None:
    got = decode(encode(samples()))
    assert isinstance(got, Samples)
    with pytest.raises(ValueError, match="read-only"):
        got.samples[0, 0] = 1


def test_what_is_infinite_or_beyond_is_not_known() -> None:
    got = decode(encode(samples(values=np.array([[1, np.inf], [-np.inf, 2], [np.nan, 1e30]]))))
    assert isinstance(got, Samples)
    np.testing.assert_array_equal(got.samples, np.array([[1, np.nan], [np.nan, 2], [np.nan, 1e30]], np.float32))
    derived = decode(encode(Derived(bed="b", session=1, sequence=1, item=block(level=1e5, tail=3))))
    assert isinstance(derived, Derived)
    assert isinstance(derived.item, Block)
    assert np.isnan(derived.item.leads).all()
    assert derived.item.tail is not None
    assert np.isnan(derived.item.tail.leads).all()


@pytest.mark.parametrize("message", some_messages(), ids=lambda message: type(message).__name__)
def test_what_a_later_version_adds_is_passed_over(message: Message) -> None:
    topic, packed, *payload = encode(message)
    header = msgspec.msgpack.decode(packed) | {"new": [1, {"deep": "er"}]}
    assert_same(decode([topic, msgspec.msgpack.encode(header), *payload]), message)


def changed(message: Message, **header: Any) -> list[bytes]:
    """The parts of a message with other words in its header; None takes one away."""
    topic, packed, *payload = encode(message)
    words = msgspec.msgpack.decode(packed) | header
    kept = {name: value for name, value in words.items() if value is not None}
    return [topic, msgspec.msgpack.encode(kept), *payload]


def with_part(message: Message, number: int, part: bytes) -> list[bytes]:
    parts = encode(message)
    parts[number] = part
    return parts


SAMPLES, ABOUT, BLOCK, TAILED, GAP, EVENT = some_messages()
NAN, INFINITE = float("nan"), float("inf")

REFUSED: list[tuple[list[bytes], str]] = [
    ([], "a message of 0 parts"),
    ([b"hostile"], "a message of 1 parts"),
    ([b""] * 9, "a message of 9 parts"),
    ([b"hostile", b""], "no msgpack"),
    ([b"hostile", b"\xc1"], "no msgpack"),
    ([b"hostile", b"\x91" * 100_000], "header"),
    ([b"hostile", bytes(2**17 + 1)], "a header of"),
    (hostile.oversized(), f"more than {MOST_BYTES} bytes"),
    ([b"hostil", *encode(SAMPLES)[1:]], "its topic is not its bed"),
    ([b"\xff", *encode(SAMPLES)[1:]], "its topic is not its bed"),
    (encode(SAMPLES)[:2], "parts of no bytes where 120 are said"),
    ([*encode(SAMPLES), b""], "parts of 120 . 0 bytes where 120 are said"),
    (with_part(SAMPLES, 2, bytes(119)), "parts of 119 bytes where 120 are said"),
    (changed(SAMPLES, type="other"), "Invalid value 'other'"),
    (changed(SAMPLES, type="\x1b[2J"), r"Invalid value ' \[2J'"),
    (changed(SAMPLES, type=None), "type"),
    (changed(SAMPLES, type="gap"), "start"),
    (changed(SAMPLES, version=2), "version 2; here it is 1"),
    (changed(SAMPLES, version=None), "version"),
    (changed(SAMPLES, bed=""), "bed"),
    (changed(SAMPLES, bed="x" * 65), "bed"),
    (changed(SAMPLES, session=-1), "session"),
    (changed(SAMPLES, session=2**63), "session"),
    (changed(SAMPLES, session=1.5), "session"),
    (changed(SAMPLES, session=None), "session"),
    (changed(SAMPLES, sequence=-1), "sequence"),
    (changed(SAMPLES, sequence=2**64 - 1), "sequence"),
    (changed(SAMPLES, index=-1), "index"),
    (changed(SAMPLES, index=2**60), "index"),
    (changed(SAMPLES, index=2**53 - 9), "an index beyond"),
    (changed(SAMPLES, index=True), "index"),
    (changed(SAMPLES, count=0), "count"),
    (changed(SAMPLES, count=9), "parts of 120 bytes where 108 are said"),
    (changed(SAMPLES, count=2**53), "more than 60 s"),
    (changed(SAMPLES, count=15001), "more than 60 s"),
    (changed(SAMPLES, rate=0.5), "rate"),
    (changed(SAMPLES, rate=100001), "rate"),
    (changed(SAMPLES, rate=NAN), "rate"),
    (changed(SAMPLES, rate=INFINITE), "rate"),
    (changed(SAMPLES, rate="250"), "rate"),
    (changed(SAMPLES, leads=[]), "leads"),
    (changed(SAMPLES, leads=["I"] * 65), "leads"),
    (changed(SAMPLES, leads=["I", "II"]), "parts of 120 bytes where 80 are said"),
    (changed(SAMPLES, leads=["I", "II", "x" * 65]), "leads"),
    (changed(SAMPLES, leads=["I", "II", "V\n4"]), "a name that cannot be read"),
    (changed(SAMPLES, unit="m\0V"), "a name that cannot be read"),
    (changed(SAMPLES, unit=1), "unit"),
    (changed(SAMPLES, time=NAN), "time"),
    (changed(SAMPLES, time=-1), "time"),
    (changed(SAMPLES, flags=-1), "flags"),
    (changed(ABOUT, name="\x1b[2J"), "a name that cannot be read"),
    (changed(ABOUT, leads_in=["V7"]), "a lead that there is not"),
    (changed(ABOUT, leads_in=[""]), "a lead that there is not"),
    (changed(ABOUT, leads_in=["I"] * 13), "leads_in"),
    (changed(ABOUT, look_ahead_ms=INFINITE), "look_ahead_ms"),
    (changed(ABOUT, settled=2**54), "settled"),
    (changed(ABOUT, standing=[{"index": -1, "kind": "beat"}]), "an event at an index"),
    (changed(ABOUT, standing=[{"index": 0, "kind": "lead off", "lead": "V9"}]), "an event of a lead"),
    (changed(ABOUT, standing=[{"index": 0, "kind": "beat"}] * 101), "standing"),
    (changed(ABOUT, standing=[1]), "standing"),
    (changed(BLOCK, start=-1), "start"),
    (changed(BLOCK, start=2**53 - 39), "an index beyond"),
    (changed(BLOCK, count=41), "parts of"),
    (changed(BLOCK, count=30001), "more than 60 s"),
    (changed(BLOCK, tail=1), "parts of"),
    (changed(BLOCK, tail=-1), "tail"),
    (changed(TAILED, tail=0), "parts of"),
    (changed(TAILED, tail=49), "parts of"),
    (encode(TAILED)[:5], "parts of"),
    (with_part(BLOCK, 3, np.full((12, 40), -0.1, "<f4").tobytes()), "a half-width that is none"),
    (with_part(BLOCK, 3, np.full((12, 40), INFINITE, "<f4").tobytes()), "a half-width that is none"),
    (with_part(BLOCK, 4, np.full((12, 40), 4, np.uint8).tobytes()), "an origin that there is not"),
    (with_part(TAILED, 6, np.full((12, 50), -0.1, "<f4").tobytes()), "a half-width that is none"),
    (with_part(TAILED, 7, np.full((12, 50), 255, np.uint8).tobytes()), "an origin that there is not"),
    (changed(GAP, length=0), "length"),
    (changed(GAP, length=2**53), "an index beyond"),
    (changed(GAP, why="because"), "why"),
    (changed(EVENT, kind="party"), "kind"),
    (changed(EVENT, lead="V7"), "an event of a lead"),
    (changed(EVENT, lead=""), "an event of a lead"),
    (changed(EVENT, text="two\nlines"), "text cannot be read"),
    (changed(EVENT, text="x" * 501), "text"),
    (changed(EVENT, value=NAN), "a value out of range"),
    (changed(EVENT, value=-1), "a value out of range"),
    (changed(EVENT, value=INFINITE), "a value out of range"),
    (changed(EVENT, kind="source", text="well"), "a state that there is not"),
    (changed(EVENT, kind="time"), "without its value"),
    ([*encode(EVENT), b""], "parts of 0 bytes where no are said"),
]


@pytest.mark.parametrize(("parts", "words"), REFUSED, ids=[f"{n} {words}" for n, (_, words) in enumerate(REFUSED)])
def test_what_is_no_message_is_refused_in_few_words(parts: list[bytes], words: str) -> None:
    with pytest.raises(WireError, match=words) as caught:
        decode(parts)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 150


def test_a_clock_may_step_back() -> None:
    stepped = Derived(bed="b", session=1, sequence=1, item=Event(1, Kind.CLOCK, text="back", value=-3.5))
    assert_same(decode(encode(stepped)), stepped)


@pytest.mark.parametrize(
    "message",
    [
        samples(values=np.zeros((2, 10))),
        samples(values=np.zeros((3, 0))),
        samples(values=np.zeros((3, 15001))),
        samples(bed=""),
        samples(bed="a\nb"),
        samples(index=-1),
        About(bed="b", name="n", leads_in=("X",), rate=250),
        About(bed="b", name="n", leads_in=("I",), rate=0),
        Derived(bed="b", session=1, sequence=1, item=block(count=MOST_BYTES // 48 + 1)),
        Derived(bed="b", session=1, sequence=1, item=Event(1, Kind.TIME)),
    ],
    ids=range(10),
)
def test_what_would_be_refused_is_not_sent(message: Message) -> None:
    with pytest.raises(WireError):
        encode(message)


def refused(count: int, seed: int) -> int:
    """How many spoiled messages were refused; anything but a refusal goes up."""
    number = 0
    for parts in itertools.islice(spoiled(seed), count):
        try:
            decode(parts)
        except WireError:
            number += 1
    return number


def test_whatever_comes_nothing_else_is_raised() -> None:
    assert 2000 < refused(3000, 1) < 3000


@pytest.mark.slow
def test_whatever_comes_nothing_else_is_raised_a_hundred_thousand_times() -> None:
    began = time.monotonic()
    assert 70_000 < refused(100_000, 2) < 100_000
    assert time.monotonic() - began < 30


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_bytes_at_random_are_refused(parts: list[bytes]) -> None:
    with pytest.raises(WireError):
        decode(parts)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=70) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(message=st.sampled_from(some_messages()), header=st.data())
def test_a_field_may_be_anything(message: Message, header: st.DataObject) -> None:
    topic, packed, *payload = encode(message)
    words = msgspec.msgpack.decode(packed)
    name = header.draw(st.sampled_from(sorted(words)))
    parts = [topic, msgspec.msgpack.encode(words | {name: header.draw(json)}), *payload]
    try:
        got = decode(parts)
    except WireError:
        return
    assert encode(got)[0] == topic


def test_the_examples_of_the_docs_are_messages() -> None:
    text = DOCS.read_text(encoding="utf-8")
    examples = re.findall(r"```hex\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    parts = [[bytes.fromhex(line) for line in example.strip().splitlines()] for example in examples]
    first = decode(parts[0])
    assert isinstance(first, Samples)
    np.testing.assert_array_equal(first.samples, np.array([[0, 0.5], [1, -1]], np.float32))
    assert (first.bed, first.session, first.sequence, first.index, first.rate) == ("bed7", 4711, 0, 0, 250)
    assert (first.leads, first.unit, first.time, first.flags) == (("I", "II"), "mV", 1.75e9, SYNTHETIC)
    second = decode(parts[1])
    event = Event(1234, Kind.LEAD_OFF, "V4", "flat")
    assert_same(second, Derived(bed="bed7", session=4711, sequence=9, item=event))
    assert encode(first) == parts[0]
    assert encode(second) == parts[1]
    assert f"version {VERSION}" in text
