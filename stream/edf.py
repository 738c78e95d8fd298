"""EDF, EDF+ and BDF as bytes: headers and annotations, taken apart and put together; no file is touched here.

The formats are those of https://www.edfplus.info/specs/ and https://www.biosemi.com/faq/file_format.htm: a header of
ASCII fields of fixed width, then data records of one length, each with some samples of every signal in turn.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

FIXED = 256
"""Bytes of the header before the signals', and of each signal's part of it."""
MOST_SIGNALS = 9999
"""Four characters hold no more."""
WIDEST = 8
"""Characters of a number."""

_FIELDS = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
_SIGNAL_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ONSET = re.compile(rb"[+-]\d{1,12}(\.\d*)?")
_DURATION = re.compile(rb"\d{1,12}(\.\d*)?")
_STARTDATE = re.compile(r"Startdate (\d{2})-([A-Z]{3})-(\d{4})\b")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_UNKNOWN_DAY = date(1985, 1, 1)
"""What EDF+ writes where the day is not known."""


class EdfError(ValueError):
    """These bytes are no EDF; the text says why."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal of a file.

    Attributes
    ----------
    label, transducer, unit, prefiltering : str
        What it is called, what took it, what it is in, what was filtered.
    physical_min, physical_max : float
        What the digital extremes are in its unit.
    digital_min, digital_max : int
        These.
    per_record : int
        Samples in a data record.
    """

    label: str
    unit: str
    physical_min: float
    physical_max: float
    digital_min: int
    digital_max: int
    per_record: int
    transducer: str = ""
    prefiltering: str = ""

    @property
    def is_annotations(self) -> bool:
        """Whether it holds annotations instead of samples."""
        return self.label in ("EDF Annotations", "BDF Annotations")

    @property
    def units_per_count(self) -> float:
        """What a count is in the signal's unit; raises `EdfError` where the header does not say."""
        steps = self.digital_max - self.digital_min
        per_count = (self.physical_max - self.physical_min) / steps if steps > 0 else 0.0
        if not 0 < abs(per_count) < math.inf:
            raise EdfError(f"signal '{self.label}' has an empty range")
        return per_count


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the data records.

    Attributes
    ----------
    patient, recording : str
        As EDF+ says them.
    began : datetime or None
        Start to the second, in the recorder's own time; None if unknown.
    kind : str
        ``EDF+C`` (without a gap), ``EDF+D`` (maybe with gaps) or empty; of BDF ``BDF+C``, ``BDF+D``, ``24BIT``.
    n_records : int
        Data records; -1 while they are written.
    record_s : float
        Length of a data record, s.
    signals : sequence of Signal
        In the order they stand in a data record.
    width : int
        Bytes of a sample: 2, in BDF 3.
    """

    patient: str
    recording: str
    began: datetime | None
    kind: str
    n_records: int
    record_s: float
    signals: Sequence[Signal]
    width: int = 2

    @property
    def size(self) -> int:
        """Bytes before the first data record."""
        return FIXED * (1 + len(self.signals))

    @property
    def record_size(self) -> int:
        """Bytes of a data record."""
        return self.width * sum(signal.per_record for signal in self.signals)

    @property
    def is_plus(self) -> bool:
        """Whether data records say when they begin."""
        return self.kind[3:5] in ("+C", "+D")

    @property
    def is_broken(self) -> bool:
        """Whether there may be gaps between data records."""
        return self.kind[3:5] == "+D"


def header_size(start: bytes) -> int:
    """Bytes of the header that begins with these 256."""
    return FIXED * (1 + _count(_cut(start, _FIELDS)[9], "number of signals"))


def read_header(data: bytes) -> Header:
    """Take a header apart.

    Parameters
    ----------
    data : bytes
        All of it: as many as `header_size` says.

    Raises
    ------
    EdfError
        If it is none, or not whole.
    """
    is_bdf = data[:8] == b"\xffBIOSEMI"
    if not is_bdf and data[:8].strip() != b"0":
        raise EdfError("it does not begin as an EDF or BDF file")
    fields = _cut(data, _FIELDS)
    if len(data) < header_size(data):
        raise EdfError("it ends within its header")
    n_signals = header_size(data) // FIXED - 1
    n_records = _integer(fields[7], "number of data records")
    if n_records < -1:
        raise EdfError(f"it says that there are {n_records} data records")
    record_s = _number(fields[8], "length of a data record")
    if record_s < 0:
        raise EdfError(f"it says that a data record is {record_s:g} s long")
    return Header(
        patient=fields[1],
        recording=fields[2],
        began=_began(fields[2], fields[3], fields[4]),
        kind=fields[6][:5],
        n_records=n_records,
        record_s=record_s,
        signals=_read_signals(data[FIXED:], n_signals),
        width=3 if is_bdf else 2,
    )


def write_header(header: Header) -> bytes:
    """Put a header together; what is no ASCII becomes ``?``, and what is too long is cut."""
    began = header.began or datetime.combine(_UNKNOWN_DAY, time())
    fields = [
        "0",
        header.patient,
        header.recording,
        began.strftime("%d.%m.%y"),
        began.strftime("%H.%M.%S"),
        header.size,
        header.kind,
        header.n_records,
        shortest(header.record_s),
        len(header.signals),
    ]
    columns: list[list[object]] = [
        [signal.label for signal in header.signals],
        [signal.transducer for signal in header.signals],
        [signal.unit for signal in header.signals],
        [shortest(signal.physical_min) for signal in header.signals],
        [shortest(signal.physical_max) for signal in header.signals],
        [signal.digital_min for signal in header.signals],
        [signal.digital_max for signal in header.signals],
        [signal.prefiltering for signal in header.signals],
        [signal.per_record for signal in header.signals],
        [""] * len(header.signals),
    ]
    parts = [_field(value, width) for value, width in zip(fields, _FIELDS, strict=True)]
    for column, width in zip(columns, _SIGNAL_FIELDS, strict=True):
        parts += [_field(value, width) for value in column]
    return b"".join(parts)


def startdate(began: datetime | None) -> str:
    """How EDF+ says the day in what it calls the recording identification."""
    return f"Startdate {began.day:02}-{_MONTHS[began.month - 1]}-{began.year:04}" if began else "Startdate X"


def shortest(value: float) -> str:
    """A number in the characters that there are: as exact as they allow."""
    for digits in range(17, 0, -1):
        text = f"{value:.{digits}g}"
        if "e" in text:
            text = f"{value:.{max(0, digits - 1)}f}".rstrip("0").rstrip(".") or "0"
        if len(text) <= WIDEST:
            return "0" if text == "-0" else text
    raise EdfError(f"{value} does not fit {WIDEST} characters")


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something said of a time.

    Attributes
    ----------
    onset_s : float
        Since the start that the header says.
    text : str
        What is said; empty for the start of a data record.
    duration_s : float
        0 if it is a moment.
    """

    onset_s: float
    text: str = ""
    duration_s: float = 0.0


def read_annotations(data: bytes) -> Iterator[Annotation]:
    """Take the annotations of one data record apart.

    Raises
    ------
    EdfError
        If they are none.
    """
    for each in data.split(b"\0"):
        if not each:
            continue
        times, *texts = each.split(b"\x14")
        onset, _, duration = times.partition(b"\x15")
        if not _ONSET.fullmatch(onset) or (duration and not _DURATION.fullmatch(duration)) or not texts or texts[-1]:
            raise EdfError("an annotation in it is damaged")
        for text in texts[:-1] or [b""]:
            yield Annotation(float(onset), text.decode(errors="replace"), float(duration or 0))


def write_annotation(annotation: Annotation) -> bytes:
    """Put one together, with the zero at its end."""
    duration = f"\x15{_seconds(annotation.duration_s)}" if annotation.duration_s else ""
    text = re.sub(r"[\x00-\x1f]", " ", annotation.text)
    return f"{_seconds(annotation.onset_s, '+')}{duration}\x14{text}\x14\0".encode()


def _seconds(value: float, sign: str = "") -> str:
    text = f"{value:{sign}.9f}".rstrip("0").rstrip(".")
    return text if text not in ("+", "-0") else f"{sign}0"


def _read_signals(data: bytes, n_signals: int) -> list[Signal]:
    columns, at = [], 0
    for width in _SIGNAL_FIELDS:
        columns.append([_text(data[at + width * n : at + width * (n + 1)]) for n in range(n_signals)])
        at += width * n_signals
    return [_signal(*(column[n] for column in columns)) for n in range(n_signals)]


def _signal(
    label: str,
    transducer: str,
    unit: str,
    physical_min: str,
    physical_max: str,
    digital_min: str,
    digital_max: str,
    prefiltering: str,
    per_record: str,
    _reserved: str,
) -> Signal:
    return Signal(
        label=label,
        unit=unit,
        physical_min=_real(physical_min),
        physical_max=_real(physical_max),
        digital_min=_whole(digital_min),
        digital_max=_whole(digital_max),
        per_record=_count(per_record, f"number of samples of '{label}'"),
        transducer=transducer,
        prefiltering=prefiltering,
    )


def _cut(data: bytes, widths: Sequence[int]) -> list[str]:
    if len(data) < sum(widths):
        raise EdfError("it ends within its header")
    fields, at = [], 0
    for width in widths:
        fields.append(_text(data[at : at + width]))
        at += width
    return fields


def _text(data: bytes) -> str:
    """Some programs write zeros instead of blanks, and a micro sign in their own way."""
    content = data.replace(b"\0", b" ").strip()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _integer(text: str, what: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise EdfError(f"its {what} is '{text}'")
    return int(text)


def _count(text: str, what: str) -> int:
    count = _integer(text, what)
    if count < 0:
        raise EdfError(f"its {what} is {count}")
    return count


def _number(text: str, what: str) -> float:
    value = _real(text)
    if math.isnan(value):
        raise EdfError(f"its {what} is '{text}'")
    return value


def _real(text: str) -> float:
    """NaN where it is no number: in signals that nobody asks for that does not matter."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if abs(value) < math.inf else math.nan


def _whole(text: str) -> int:
    """0 where it is no number: a range that is empty."""
    return int(text) if _INTEGER.fullmatch(text) else 0


def _began(recording: str, day: str, clock: str) -> datetime | None:
    """The start, if it says one that there can be."""
    try:
        began = datetime.strptime(f"{day} {clock}", "%d.%m.%y %H.%M.%S")
        if began.year < 1985:
            began = began.replace(year=began.year + 100)
        elif began.year > 2084:
            began = began.replace(year=began.year - 100)
        if plus := _STARTDATE.match(recording):
            began = began.replace(day=int(plus[1]), month=_MONTHS.index(plus[2]) + 1, year=int(plus[3]))
    except ValueError:
        return None
    return None if began == datetime.combine(_UNKNOWN_DAY, time()) or recording.startswith("Startdate X") else began


def _field(value: object, width: int) -> bytes:
    return str(value).encode("ascii", "replace")[:width].ljust(width)
