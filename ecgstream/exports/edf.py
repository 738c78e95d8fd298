"""A stretch of a recording as an EDF+C file, written piece by piece (https://www.edfplus.info/specs/edfplus.html)."""

import math
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ecgstream.exports.survey import Report, Survey, Whole
from engine.files import replacing
from engine.leads import DISCLAIMER, INDEX
from stream.edf import Annotation, Header, Signal, shortest, startdate, write_annotation, write_header
from stream.sources.edf import MISSING, WRITER
from stream.sources.record import Note

LONGEST_RECORD_S = 10
"""Of a data record, where another length than a second makes its samples a whole number."""
LARGEST_RECORD = 61_440
"""Bytes of a data record, as the standard recommends."""
PIECE_S = 60
"""Written at once."""
COUNTS = 32_767
"""The largest digital value; the smallest is its negative."""
FEWEST_COUNTS = 30_000
"""The same, where that makes it a number of microvolts that the header can say."""
ROOM_FOR_NOTES = 64
"""Bytes in a data record, at least."""


def write_edf(path: Path, whole: Whole, found: Survey, part: int, notes: Sequence[Note], report: Report) -> None:
    """Write one stretch of a recording.

    EDF has no sample that is missing: what is, is the value next to 0 mV, and an annotation says so.

    Parameters
    ----------
    path : Path
        Where it goes, in the place of what is there.
    whole, found : Whole, Survey
        What is exported.
    part : int
        Which of the stretches, from 0.
    notes : sequence of Note
        All that the recording says.
    report : callable
        Told the share of this stretch that is done.

    Raises
    ------
    SourceError
        If the recording cannot be read to the end of the stretch.
    EdfError
        If it holds a voltage that EDF cannot.
    """
    record, (start, stop) = whole.record, found.stretches[part]
    grid = _grid(record.rate, len(found.leads))
    n_records = math.ceil((stop - start) / grid.per_record)
    scales = [_scale(found.lowest[lead], found.highest[lead], record.gain) for lead in found.leads]
    began = record.began + timedelta(seconds=start / record.rate) if record.began else None
    first_s = began.microsecond / 1e6 if began else 0.0
    said = [
        Annotation(first_s + note.index / grid.rate, note.text, note.length / grid.rate)
        for note in sorted(_said(whole, found, part, notes, n_records * grid.per_record), key=lambda each: each.index)
    ]
    room, in_records = _packed(said, [first_s + record * grid.record_s for record in range(n_records)])
    signals = [
        Signal(
            label=f"ECG {whole.names[lead]}",
            unit="uV",
            physical_min=scale.physical_min,
            physical_max=scale.physical_max,
            digital_min=-scale.counts,
            digital_max=scale.counts,
            per_record=grid.per_record,
            transducer=DISCLAIMER if whole.names[lead] != lead else "",
        )
        for lead, scale in zip(found.leads, scales, strict=True)
    ]
    header = Header(
        patient=f"X X X {'SYNTHETIC' if record.synthetic else 'X'}",
        recording=f"{startdate(began)} X X {WRITER}",
        began=began,
        kind="EDF+C",
        n_records=n_records,
        record_s=grid.record_s,
        signals=[*signals, Signal("EDF Annotations", "", -1, 1, -32_768, 32_767, room // 2)],
    )
    with replacing(path) as written, written.open("xb") as file:
        file.write(write_header(header))
        _write_records(file, whole, found, part, grid, scales, in_records, report)


@dataclass(frozen=True, slots=True)
class _Grid:
    """How samples are cut into data records."""

    per_record: int
    record_s: float

    @property
    def rate(self) -> float:
        """Samples per second, as the file says."""
        return self.per_record / self.record_s


@dataclass(frozen=True, slots=True)
class _Scale:
    """What the digital values of a lead are."""

    physical_min: float
    physical_max: float
    counts: int

    def digital(self, samples: NDArray[np.float32]) -> NDArray[np.int16]:
        """Of mV; of what is not known what is next to 0."""
        per_count = (self.physical_max - self.physical_min) / (2 * self.counts)
        microvolts = np.nan_to_num(1000 * samples.astype(np.float64), nan=0.0)
        counts = np.rint((microvolts - self.physical_min) / per_count) - self.counts
        return np.asarray(np.clip(counts, -self.counts, self.counts), "<i2")


def _grid(rate: float, n_leads: int) -> _Grid:
    """Data records of a second, or of as many as make their samples a whole number, or else of about a second."""
    exact = Fraction(rate).limit_denominator(LONGEST_RECORD_S)
    fits = 2 * n_leads * exact.numerator <= LARGEST_RECORD or exact.denominator == 1
    if fits and math.isclose(float(exact), rate, rel_tol=1e-9):
        return _Grid(exact.numerator, float(exact.denominator))
    return _Grid(round(rate), float(shortest(round(rate) / rate)))


def _scale(lowest: float, highest: float, gain: float) -> _Scale:
    """As fine as the recording where 16 bits allow that, else as fine as they allow; nothing clips."""
    low, high = 1000 * lowest, 1000 * highest
    if 0 < gain < math.inf:
        for counts in range(COUNTS, FEWEST_COUNTS - 1, -1):
            physical = counts * 1000 / gain
            if max(-low, high) <= physical < 1e7 and math.isclose(float(shortest(-physical)), -physical, rel_tol=1e-12):
                return _Scale(-physical, physical, counts)
    margin = max(1.0, (high - low) / 1000)  # more than the header's numbers are rounded
    return _Scale(float(shortest(low - margin)), float(shortest(high + margin)), COUNTS)


def _said(whole: Whole, found: Survey, part: int, notes: Sequence[Note], length: int) -> Iterator[Note]:
    """What there is to say of a stretch, its first sample being 0: all notes, and what is missing."""
    start, stop = found.stretches[part]
    if whole.has_derived:
        yield Note(0, DISCLAIMER)
    if len(found.stretches) > 1:
        since = f"{start / whole.record.rate:.3f} s after the recording's first sample"
        yield Note(0, f"part {part + 1} of {len(found.stretches)}, {since}")
    starts = [each for each, _ in found.stretches]
    for note in notes:
        if max(0, bisect_right(starts, note.index) - 1) == part:
            index = min(max(note.index, start), stop - 1)
            yield Note(index - start, note.text, min(note.length, stop - index))
    missing = defaultdict(list)
    for lead in found.leads:
        spans = found.missing[lead]
        for begin, end in spans[bisect_right(spans, (start,)) :]:
            if begin >= stop:
                break
            missing[begin, end].append(whole.names[lead])
    for (begin, end), names in missing.items():
        yield Note(begin - start, MISSING + ", ".join(names), end - begin)
    if stop - start < length:  # data records are whole
        yield Note(
            stop - start, MISSING + ", ".join(whole.names[lead] for lead in found.leads), length - (stop - start)
        )


def _packed(said: Sequence[Annotation], record_starts: Sequence[float]) -> tuple[int, list[bytes]]:
    """Annotations in data records, each in the one of its time or a later one; and how many bytes each has for them.

    Where many are said of a moment they are spread, as every data record has as much room as the fullest.
    """
    written = [write_annotation(annotation) for annotation in said]
    heads = [write_annotation(Annotation(start)) for start in record_starts]
    room = max(ROOM_FOR_NOTES, max(map(len, heads)) + max(map(len, written), default=0))
    while True:
        records, waiting, at = [], deque[bytes](), 0
        for number, head in enumerate(heads):
            is_last = number == len(heads) - 1
            while at < len(said) and (is_last or said[at].onset_s < record_starts[number + 1]):
                waiting.append(written[at])
                at += 1
            while waiting and len(head) + len(waiting[0]) <= room:
                head += waiting.popleft()
            records.append(head)
        if not waiting:
            room += room % 2
            return room, [head.ljust(room, b"\0") for head in records]
        room *= 2


def _write_records(
    file: BinaryIO,
    whole: Whole,
    found: Survey,
    part: int,
    grid: _Grid,
    scales: Sequence[_Scale],
    in_records: Sequence[bytes],
    report: Report,
) -> None:
    start, stop = found.stretches[part]
    rows = [INDEX[lead] for lead in found.leads]
    at_once = max(1, round(PIECE_S / grid.record_s))
    for first in range(0, len(in_records), at_once):
        notes = in_records[first : first + at_once]
        begin = start + first * grid.per_record
        length = len(notes) * grid.per_record
        samples = np.full((len(rows), length), np.nan, np.float32)
        held = whole.record.read(begin, min(begin + length, stop))[rows]
        samples[:, : held.shape[1]] = held
        digital = np.stack([scale.digital(each) for scale, each in zip(scales, samples, strict=True)])
        by_record = digital.reshape(len(rows), len(notes), grid.per_record).transpose(1, 0, 2)
        content = np.ascontiguousarray(by_record).reshape(len(notes), -1).view(np.uint8)
        said = np.frombuffer(b"".join(notes), np.uint8).reshape(len(notes), -1)
        file.write(np.concatenate([content, said], axis=1).tobytes())
        report((first + len(notes)) / len(in_records))
