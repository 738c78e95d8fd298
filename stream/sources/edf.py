"""EDF, EDF+ and BDF files: read record by record, those with gaps by when their records say that they begin."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX
from stream.channels import Assignment, Channel, Choice
from stream.edf import FIXED, Annotation, EdfError, Header, header_size, read_annotations, read_header
from stream.sources.record import Note, Record, Run, check, check_rate, readable

WRITER = "ecgstream"
"""Stands in the recording identification of what `ecgstream export` writes."""
MISSING = "missing: "
"""How an annotation of such a file begins that says which leads hold nothing for how long: EDF has no other way."""
SAME_SAMPLE = 1.5
"""Samples: data records that begin less than that beside the end of the last one follow it."""
WHOLE = 1 << 20
"""Bytes: data records up to that size are read whole."""
MOST_RECORDS = 2_000_000
"""Of a file with gaps: 23 days of seconds."""


def open_edf(path: Path, assignments: tuple[Assignment, ...]) -> Record:
    """Open a file; see `stream.sources.record.open_record`."""
    try:
        with path.open("rb") as file:
            header = _header(file)
        data = _Data(path, header, _places(header), _n_records(header, path.stat().st_size))
        numbers = [number for number, signal in enumerate(header.signals) if not signal.is_annotations]
        channels = tuple(Channel(header.signals[number].label, header.signals[number].unit) for number in numbers)
        choice = readable(path, channels, assignments)
        leads = _leads(header, numbers, choice)
        rate = _rate(header, leads)
        check_rate(path, rate)
        runs = _runs(data, leads, rate)
        if WRITER in header.recording:
            runs = _with_missing(runs, _missing(data, rate))
        n_samples = runs[-1].end
        check(path, rate, n_samples)
        began = header.began and header.began + timedelta(seconds=data.first_s)
    except EdfError as error:
        raise SourceError(f"{path} is damaged: {error}; get it again") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; name a file that can") from error
    return Record(
        path=path,
        rate=rate,
        n_samples=n_samples,
        runs=runs,
        leads=choice.leads,
        channels=channels,
        assignments=assignments,
        gain=max(1 / abs(each.to_mv) for each in leads),
        files=(path,),
        synthetic="synthetic" in f"{header.patient} {header.recording}".casefold(),
        began=began,
        notes=partial(_notes, data, rate),
    )


@dataclass(frozen=True, slots=True)
class _Lead:
    """Where a lead lies in each data record, and what a count of it is in mV."""

    row: int
    signal: int
    to_mv: float
    zero_mv: float


@dataclass(frozen=True, slots=True)
class _Data:
    """The data records of a file.

    Attributes
    ----------
    path : Path
        The file.
    header : Header
        Its header.
    places : tuple of int
        Where each signal begins in a data record, bytes; and where the last one ends.
    n_records : int
        How many there are.
    """

    path: Path
    header: Header
    places: tuple[int, ...]
    n_records: int

    def read(self, leads: Sequence[_Lead], first: int, last: int) -> NDArray[np.float32]:
        """All samples of leads in some data records, (leads, n) mV."""
        size = self.header.record_size
        with self.path.open("rb") as file:
            if size <= WHOLE:
                file.seek(self.header.size + first * size)
                block = _bytes(file, (last - first) * size).reshape(last - first, size)
                parts = [block[:, slice(*self._span(lead.signal))] for lead in leads]
            else:
                parts = [np.stack([self._part(file, lead.signal, n) for n in range(first, last)]) for lead in leads]
        samples = [
            _counts(part, self.header.width) * lead.to_mv + lead.zero_mv
            for part, lead in zip(parts, leads, strict=True)
        ]
        with np.errstate(over="ignore"):  # what overflows is not finite, so not known
            return np.array(samples, np.float32)

    def annotations(self) -> Iterator[Annotation]:
        """All annotations, but for those that only say when a data record begins."""
        with self.path.open("rb") as file:
            for record in range(self.n_records):
                for number in self._annotation_signals():
                    for annotation in read_annotations(self._part(file, number, record).tobytes()):
                        if annotation.text:
                            yield annotation

    def onsets(self) -> NDArray[np.float64]:
        """When each data record begins, s: the first annotation in it says so."""
        if not self._annotation_signals():
            raise EdfError("it may have gaps, and has no annotations that say where")
        if self.n_records > MOST_RECORDS:
            raise EdfError(f"it may have gaps, and has more than {MOST_RECORDS} data records")
        with self.path.open("rb") as file:
            return np.array([self._onset(file, record) for record in range(self.n_records)])

    @property
    def first_s(self) -> float:
        """How long after the start that the header says, which is in whole seconds, the first sample was taken."""
        if not self.header.is_plus or not self._annotation_signals():
            return 0.0
        with self.path.open("rb") as file:
            return self._onset(file, 0)

    def _onset(self, file: BinaryIO, record: int) -> float:
        first, _, _ = self._part(file, self._annotation_signals()[0], record).tobytes().partition(b"\0")
        for annotation in read_annotations(first):
            return annotation.onset_s
        raise EdfError(f"data record {record + 1} does not say when it begins")

    def _annotation_signals(self) -> list[int]:
        return [number for number, signal in enumerate(self.header.signals) if signal.is_annotations]

    def _part(self, file: BinaryIO, signal: int, record: int) -> NDArray[np.uint8]:
        start, stop = self._span(signal)
        file.seek(self.header.size + record * self.header.record_size + start)
        return _bytes(file, stop - start)

    def _span(self, signal: int) -> tuple[int, int]:
        return self.places[signal], self.places[signal + 1]


def _header(file: BinaryIO) -> Header:
    start = file.read(FIXED)
    return read_header(start + file.read(header_size(start) - FIXED))


def _places(header: Header) -> tuple[int, ...]:
    return (0, *accumulate(header.width * signal.per_record for signal in header.signals))


def _n_records(header: Header, size: int) -> int:
    """Data records: as many as the header says, or where that does not say, all there are."""
    if not header.record_size or not header.record_s:
        raise EdfError("its data records hold nothing")
    available = max(0, size - header.size) // header.record_size
    if header.n_records > available:
        raise EdfError(f"it is cut off: it holds {available} of the {header.n_records} data records that it says")
    n_records = available if header.n_records < 0 else header.n_records
    if not n_records:
        raise EdfError("it holds no data record")
    return n_records


def _leads(header: Header, numbers: Sequence[int], choice: Choice) -> list[_Lead]:
    leads = []
    for lead, column, to_mv in zip(choice.leads, choice.columns, choice.to_mv, strict=True):
        signal = header.signals[numbers[column]]
        per_count = signal.units_per_count
        zero = signal.physical_min - signal.digital_min * per_count
        leads.append(_Lead(INDEX[lead], numbers[column], per_count * to_mv, zero * to_mv))
    return leads


def _rate(header: Header, leads: Sequence[_Lead]) -> float:
    signals = [header.signals[lead.signal] for lead in leads]
    if len({signal.per_record for signal in signals}) > 1:
        each = ", ".join(f"'{signal.label}' {signal.per_record / header.record_s:g} Hz" for signal in signals)
        raise EdfError(f"its leads have different rates ({each}), which cannot be read")
    return signals[0].per_record / header.record_s


def _runs(data: _Data, leads: Sequence[_Lead], rate: float) -> list[Run]:
    """Data records that follow one another."""
    per_record = data.header.signals[leads[0].signal].per_record
    firsts, starts = [0], [0]
    if data.header.is_broken:
        onsets = data.onsets()
        late = np.diff(onsets) * rate - per_record
        early = np.flatnonzero(late < -SAME_SAMPLE)
        if len(early):
            raise EdfError(f"data record {early[0] + 2} begins before the one before it ends")
        for record in (np.flatnonzero(late > SAME_SAMPLE) + 1).tolist():
            end = starts[-1] + (record - firsts[-1]) * per_record
            starts.append(max(end + 1, round((onsets[record] - onsets[0]) * rate)))
            firsts.append(record)
    rows = tuple(lead.row for lead in leads)
    return [
        Run(start, (last - first) * per_record, rows, partial(_read, data, leads, per_record, first))
        for start, first, last in zip(starts, firsts, [*firsts[1:], data.n_records], strict=True)
    ]


def _read(
    data: _Data, leads: Sequence[_Lead], per_record: int, first: int, start: int, stop: int
) -> NDArray[np.float32]:
    begin, end = start // per_record, math.ceil(stop / per_record)
    try:
        samples = data.read(leads, first + begin, first + end)
    except (OSError, EdfError) as error:
        raise SourceError(f"{data.path}: samples {start} to {stop} cannot be read ({error}); get it again") from error
    return samples[:, start - begin * per_record : stop - begin * per_record]


def _missing(data: _Data, rate: float) -> dict[int, list[tuple[int, int]]]:
    """Where leads hold nothing, by their rows: what `ecgstream export` says of the zeros that it writes there."""
    missing = defaultdict(list)
    for note in _notes(data, rate):
        if note.text.startswith(MISSING):
            for name in note.text.removeprefix(MISSING).split(", "):
                if (lead := name.removeprefix("d")) in INDEX:
                    missing[INDEX[lead]].append((note.index, note.index + note.length))
    return missing


def _with_missing(runs: Sequence[Run], missing: Mapping[int, list[tuple[int, int]]]) -> list[Run]:
    """The same, with what is missing not finite, and without what is missing of all leads at the end.

    Such a file has one run.
    """
    spans = {row: sorted(each) for row, each in missing.items()}
    known = []
    for run in runs:
        ends = [spans[row][-1] if row in spans else (run.length, run.length) for row in run.rows]
        length = max(start if end >= run.length else run.length for start, end in ends)
        known.append(replace(run, length=length, read=partial(_read_known, run, spans)))
    return known


def _read_known(run: Run, missing: Mapping[int, list[tuple[int, int]]], start: int, stop: int) -> NDArray[np.float32]:
    samples = run.read(start, stop)
    for place, row in enumerate(run.rows):
        spans = missing.get(row, [])
        first = max(0, bisect_right(spans, start, key=lambda span: span[0]) - 1)
        for begin, end in islice(spans, first, None):
            if begin >= stop:
                break
            samples[place, max(0, begin - start) : max(0, end - start)] = np.nan
    return samples


def _notes(data: _Data, rate: float) -> list[Note]:
    try:
        first_s = data.first_s
        found = [
            Note(round((each.onset_s - first_s) * rate), each.text, round(each.duration_s * rate))
            for each in data.annotations()
        ]
    except (OSError, EdfError) as error:
        raise SourceError(f"{data.path}: its annotations cannot be read ({error}); get it again") from error
    return sorted(found, key=lambda note: note.index)


def _bytes(file: BinaryIO, count: int) -> NDArray[np.uint8]:
    content = file.read(count)
    if len(content) < count:
        raise EdfError("it ends early")
    return np.frombuffer(content, np.uint8)


def _counts(part: NDArray[np.uint8], width: int) -> NDArray[np.int32]:
    """The integers of (records, bytes), one after the other."""
    if width == 2:
        return np.ascontiguousarray(part).view("<i2").ravel().astype(np.int32)
    low, middle, high = (np.ascontiguousarray(part[:, each::3]).ravel() for each in range(3))
    return high.view(np.int8).astype(np.int32) << 16 | middle.astype(np.int32) << 8 | low
