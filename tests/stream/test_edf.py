"""Headers and annotations of EDF files: what is put together is taken apart to the same, and is what others read."""

import io
import math
from datetime import datetime

import edfio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.edf import (
    FIXED,
    Annotation,
    EdfError,
    Header,
    Signal,
    header_size,
    read_annotations,
    read_header,
    shortest,
    startdate,
    write_annotation,
    write_header,
)

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)


def header(signals: list[Signal], began: datetime | None = None, **how: object) -> Header:
    settings = {"kind": "EDF+C", "n_records": 0, "record_s": 1.0, **how}
    return Header(patient="X X X X", recording=f"{startdate(began)} X X me", began=began, signals=signals, **settings)  # type: ignore[arg-type]


SIGNAL = Signal("ECG II", "uV", -5000, 5000, -32_768, 32_767, 500)


@given(
    labels=st.lists(TEXTS, min_size=1, max_size=5),
    limits=st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6)),
    began=st.datetimes(datetime(1985, 1, 2), datetime(2084, 12, 31)) | st.none(),
    n_records=st.integers(-1, 99_999_999),
    record_s=st.sampled_from([0.5, 1, 2, 1.000231]),
)
def test_what_is_put_together_is_taken_apart_to_the_same(
    labels: list[str], limits: tuple[int, int], began: datetime | None, n_records: int, record_s: float
) -> None:
    whole_second = began and began.replace(microsecond=0)
    signals = [
        Signal(label, "uV", float(limits[0]), float(limits[1]), -100, 100, 500, "none", "HP") for label in labels
    ]
    given_header = header(signals, whole_second, n_records=n_records, record_s=record_s)
    data = write_header(given_header)
    assert len(data) == header_size(data) == given_header.size == FIXED * (1 + len(labels))
    assert read_header(data) == given_header


@given(value=st.floats(-9_999_999, 99_999_999))
def test_a_number_is_as_exact_as_eight_characters_allow(value: float) -> None:
    text = shortest(value)
    assert len(text) <= 8
    digits = 8 - len(str(math.trunc(abs(value)))) - (value < 0) - 1
    assert float(text) == pytest.approx(value, abs=0.51 * 10 ** -max(0, digits))


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EdfError, match="does not fit 8 characters"):
        shortest(-123_456_789.0)


@given(
    said=st.lists(
        st.builds(
            Annotation,
            st.floats(-1000, 1e8).map(lambda value: round(value, 6)),
            st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20),
            st.floats(0, 1e5).map(lambda value: round(value, 6)),
        ),
        max_size=4,
    )
)
def test_annotations_are_taken_apart_to_the_same(said: list[Annotation]) -> None:
    data = b"".join(map(write_annotation, said)) + b"\0\0"
    assert list(read_annotations(data)) == said
    assert write_annotation(Annotation(0.0)) == b"+0\x14\x14\0"


def test_edfio_reads_what_is_put_together() -> None:
    began = datetime(2026, 3, 1, 12, 30, 45)
    notes = Signal("EDF Annotations", "", -1, 1, -32_768, 32_767, 40)
    said = b"".join(map(write_annotation, [Annotation(0.25), Annotation(0.5, "lead off: V4 µ", 0.125)])).ljust(
        80, b"\0"
    )
    counts = np.arange(500, dtype="<i2")
    content = write_header(header([SIGNAL, notes], began, n_records=1)) + counts.tobytes() + said
    read = edfio.read_edf(io.BytesIO(content))
    assert read.startdatetime == began.replace(microsecond=250_000)
    assert read.annotations == (edfio.EdfAnnotation(0.25, 0.125, "lead off: V4 µ"),)
    assert np.array_equal(read.signals[0].digital, counts)
    assert (read.signals[0].label, read.signals[0].physical_dimension) == ("ECG II", "uV")


def test_what_no_ascii_has_becomes_a_question_mark_and_controls_are_never_seen() -> None:
    signal = Signal("µ" * 20, "µV", 0, 1, 0, 1, 1)
    assert read_header(write_header(header([signal]))).signals[0].label == "?" * 16
    data = bytearray(write_header(header([SIGNAL])))
    data[FIXED : FIXED + 4] = b"a\nb\x1b"
    assert read_header(bytes(data)).signals[0].label.startswith("a?b?")


@pytest.mark.parametrize(
    ("field", "text", "began"),
    [
        (168, "31.02.26", None),
        (168, "aa.bb.cc", None),
        (168, "01.02.84", datetime(2084, 2, 1, 1, 2, 3)),
        (168, "01.02.85", datetime(1985, 2, 1, 1, 2, 3)),
        (88, "Startdate 05-DEC-2031 X X X", datetime(2031, 12, 5, 1, 2, 3)),
        (88, "Startdate X X X X", None),
        (88, "Startdate 99-DEC-2031 X X X", None),
        (88, "Startdate 05-XXX-2031 X X X", None),
    ],
)
def test_days_that_there_are(field: int, text: str, began: datetime | None) -> None:
    data = bytearray(write_header(header([SIGNAL], datetime(2026, 2, 1, 1, 2, 3))))
    if field == 168:
        data[88:168] = b"Holter".ljust(80)
    data[field : field + len(text)] = text.encode()
    assert read_header(bytes(data)).began == began
