"""WFDB records (https://physionet.org/physiotools/wag/): a header that names its data, in one or more segments."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX
from stream.channels import Assignment, Channel, Choice, millivolts
from stream.sources.record import Note, Record, Run, check, check_rate, readable

BYTES_PER_SAMPLE = {
    "16": Fraction(2),
    "24": Fraction(3),
    "32": Fraction(4),
    "61": Fraction(2),
    "80": Fraction(1),
    "160": Fraction(2),
    "212": Fraction(3, 2),
    "310": Fraction(4, 3),
    "311": Fraction(4, 3),
}
"""Of the WFDB formats of fixed width (https://physionet.org/physiotools/wag/signal-5.htm)."""

COMPRESSED = ("508", "516", "524")
INVALID_16 = -32768
"""What format 16 stores where nothing was measured."""

LARGEST_HEADER = 16 << 20
"""Bytes: half a million segments."""
MOST_PER_FRAME = 1000
"""Samples of one signal in a frame; wfdb reads frames, and one of a damaged header may be larger than the memory."""
COMMENT = '"'
"""wfdb's letter for an annotation that is a text and no more."""


def open_wfdb(path: Path, assignments: tuple[Assignment, ...]) -> Record:
    """Open a record; see `stream.sources.record.open_record`."""
    master = _read_header(_header_path(path))
    rate = master.fields.fs
    check_rate(master.path, rate)
    parts = _parts(master)
    numbered = _numbered([header for header, _ in parts if header is not None])
    channels = tuple(numbered.values())
    choice = readable(master.path, channels, assignments)
    segments: list[_Segment] = []
    start = 0
    for header, length in parts:
        if header is None:
            start += length or 0
            continue
        segment = _segment(header, start, length, list(numbered), channels, choice)
        segments.append(segment)
        start += segment.length
    check(master.path, rate, start)
    for segment in segments:
        if segment.rows and segment.length:
            segment.read(segment.length - 1, segment.length)  # what cannot be read to its end is not begun
    headers = [header for header, _ in parts if header is not None]
    rows = {row for segment in segments for row in segment.rows}
    return Record(
        path=master.path,
        rate=float(rate),
        n_samples=start,
        runs=[Run(each.start, each.length, each.rows, each.read) for each in segments],
        leads=tuple(lead for lead in choice.leads if INDEX[lead] in rows),
        channels=channels,
        assignments=assignments,
        gain=max((segment.gain for segment in segments), default=0.0),
        files=(master.path, *(file for header in headers for file in _files(header))),
        synthetic=any("synthetic" in comment.casefold() for comment in master.fields.comments),
        began=_began(master.fields),
        notes=partial(_notes, master.path.with_suffix(".atr")),
    )


@dataclass(frozen=True, slots=True)
class _Header:
    path: Path
    fields: Any
    """What wfdb read: a `wfdb.Record` or `wfdb.MultiRecord` without signals."""
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class _Uncounted:
    """A data file in format 16 that still grows: wfdb can only read all of it at once.

    Attributes
    ----------
    data : Path
        The file.
    offset, n_signals : int
        Bytes before the first sample; signals that take turns in it.
    baseline, gain : ndarray, (n_signals,)
        Counts, and counts per unit.
    """

    data: Path
    offset: int
    n_signals: int
    baseline: NDArray[np.float64]
    gain: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Samples that lie in the same files.

    Attributes
    ----------
    path : Path
        Without suffix.
    start, length : int
        In samples at the record's rate.
    signals, rows : tuple of int
        Signals that are leads, and their rows among `LEADS`.
    to_mv : ndarray, (signals,)
        Millivolts in a unit of each of these signals.
    gain : float
        The largest ADC gain among these signals, counts/mV.
    uncounted : _Uncounted or None
        Where the samples lie if the header does not say how many there are: a recorder is still writing.
    """

    path: Path
    start: int
    length: int
    signals: tuple[int, ...]
    rows: tuple[int, ...]
    to_mv: NDArray[np.float64]
    gain: float
    uncounted: _Uncounted | None

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Some of it, (signals, stop - start) mV."""
        import wfdb  # late: it pulls pandas and matplotlib

        try:
            if self.uncounted is not None:
                physical = _read_uncounted(self.uncounted, start, stop)[:, self.signals]
            else:
                record = wfdb.rdrecord(str(self.path), sampfrom=start, sampto=stop, channels=list(self.signals))
                physical = record.p_signal
            if physical.shape != (stop - start, len(self.signals)):
                raise ValueError(f"{len(physical)} samples came where {stop - start} should be")
        except Exception as error:  # wfdb raises whatever its decoder stumbles over
            raise SourceError(
                f"{self.path}: samples {start} to {stop} cannot be read ({_reason(error)}); get it again"
            ) from error
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not finite, so not known
            return np.asarray((physical * self.to_mv).T, np.float32)


def _header_path(path: Path) -> Path:
    stem = path.with_suffix("") if path.suffix in (".dat", ".hea") else path
    header = stem.with_name(f"{stem.name}.hea") if stem.name else stem
    if header.is_file():
        return header
    if path.is_dir():
        raise SourceError(f"{path} is a folder; name a record in it, for example {path / '100.hea'}")
    if stem.with_name(f"{stem.name}.dat").is_file():
        raise SourceError(f"{stem}.dat has no header; put {header.name} beside it")
    if path.is_file():
        raise SourceError(
            f"{path} is no recording that can be read; name a WFDB record's .hea, an EDF, BDF, XDF or CSV"
        )
    raise SourceError(f"there is no record {header}; name its .hea file")


def _read_header(path: Path) -> _Header:
    import wfdb  # late: it pulls pandas and matplotlib

    try:
        if path.stat().st_size > LARGEST_HEADER:
            raise ValueError(f"it is larger than {LARGEST_HEADER >> 20} MB")
        fields = wfdb.rdheader(str(path.with_suffix("")))
        if isinstance(fields, wfdb.MultiRecord):
            return _Header(path, fields)
        names = fields.sig_name or ()
        units = _units(path)
        if not fields.n_sig == len(names) == len(units):
            raise ValueError(f"{fields.n_sig} signals announced, {len(names)} described")
    except Exception as error:  # wfdb raises whatever its parser stumbles over
        raise SourceError(f"{path} is no WFDB header ({_reason(error)}); get the file again") from error
    return _Header(path, fields, tuple(Channel(name or "", unit) for name, unit in zip(names, units, strict=True)))


def _units(path: Path) -> tuple[str, ...]:
    """The unit of each signal; wfdb drops what is not ASCII, so that to it a ``µV`` is a ``V``."""
    content = path.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return tuple((fields[2].partition("/")[2] if len(fields) > 2 else "") or "mV" for fields in lines[1:])


def _parts(master: _Header) -> list[tuple[_Header | None, int | None]]:
    """The headers of all segments and their lengths, where known; a gap has no header."""
    if not hasattr(master.fields, "seg_name"):
        return [(master, master.fields.sig_len or None)]
    parts: list[tuple[_Header | None, int | None]] = []
    for name, length in zip(master.fields.seg_name, master.fields.seg_len, strict=True):
        if name == "~":
            parts.append((None, length))
        elif length:  # the layout segment has none
            path = master.path.with_name(f"{name}.hea")
            if not path.is_file():
                raise SourceError(f"{master.path} names a segment {name}, but {path} is missing; put it there")
            header = _read_header(path)
            if not header.channels or header.fields.fs != master.fields.fs:
                raise SourceError(f"{path} is no segment of {master.path}: no signals or another rate; get it again")
            parts.append((header, length))
    return parts


_Key = tuple[str, int]
"""A channel by its name, and the how manyeth of that name it is in its segment."""


def _keys(header: _Header) -> list[_Key]:
    seen: Counter[str] = Counter()
    keys = []
    for channel in header.channels:
        keys.append((channel.label, seen[channel.label]))
        seen[channel.label] += 1
    return keys


def _numbered(headers: Sequence[_Header]) -> dict[_Key, Channel]:
    """All channels that any segment has, in the order they come up."""
    found: dict[_Key, Channel] = {}
    for header in headers:
        for key, channel in zip(_keys(header), header.channels, strict=True):
            found.setdefault(key, channel)
    return found


def _segment(
    header: _Header,
    start: int,
    length: int | None,
    keys: list[_Key],
    channels: tuple[Channel, ...],
    choice: Choice,
) -> _Segment:
    place = {key: signal for signal, key in enumerate(_keys(header))}
    signals, rows, to_mv = [], [], []
    for lead, column, scale in zip(choice.leads, choice.columns, choice.to_mv, strict=True):
        signal = place.get(keys[column])
        if signal is None:
            continue
        signals.append(signal)
        rows.append(INDEX[lead])
        to_mv.append(scale * _ratio(header, channels[column].unit, header.channels[signal].unit))
    available = _available(header, length)
    gains = [abs(header.fields.adc_gain[signal]) / abs(scale) for signal, scale in zip(signals, to_mv, strict=True)]
    return _Segment(
        path=header.path.with_suffix(""),
        start=start,
        length=available if length is None else length,
        signals=tuple(signals),
        rows=tuple(rows),
        to_mv=np.array(to_mv),
        gain=max(gains, default=0.0),
        uncounted=None if header.fields.sig_len else _uncounted(header),
    )


def _ratio(header: _Header, unit: str, here: str) -> float:
    """What a number of a channel is in this segment, times what it is in the first that has it."""
    if unit == here:
        return 1.0
    there_mv, here_mv = millivolts(unit), millivolts(here)
    if there_mv is None or here_mv is None:
        raise SourceError(f"{header.path}: a channel is in '{here}' here and in '{unit}' before; mend the header")
    return here_mv / there_mv


def _files(header: _Header) -> list[Path]:
    """The header of a segment and its data."""
    return [header.path, *(_beside(header, name) for name in dict.fromkeys(header.fields.file_name))]


def _beside(header: _Header, name: str) -> Path:
    try:
        return header.path.with_name(name)
    except ValueError as error:  # such as no name at all
        raise SourceError(f"{header.path} names a data file '{name}', which is no file's name; mend it") from error


def _available(header: _Header, length: int | None) -> int:
    """Samples that the data files hold, or `length` where only decoding can tell.

    Raises
    ------
    SourceError
        If a file is missing, holds less than `length`, or is of a format that cannot be read in pieces.
    """
    fields = header.fields
    shortest: int | None = None
    for name in dict.fromkeys(fields.file_name):
        signals = [channel for channel in range(fields.n_sig) if fields.file_name[channel] == name]
        data, fmt = _beside(header, name), fields.fmt[signals[0]]
        if not data.is_file():
            raise SourceError(f"{header.path} has no data: {data} is missing; put it beside the header")
        per_frame = [fields.samps_per_frame[channel] or 1 for channel in signals]
        if max(per_frame) > MOST_PER_FRAME:
            raise SourceError(
                f"{header.path}: {max(per_frame)} samples in a frame; at most {MOST_PER_FRAME} can be read"
            )
        if fmt in COMPRESSED:
            continue
        if fmt not in BYTES_PER_SAMPLE:
            raise SourceError(f"{data}: WFDB format {fmt} cannot be read in pieces; rewrite it in format 16")
        frame = BYTES_PER_SAMPLE[fmt] * sum(per_frame)
        size = data.stat().st_size - (fields.byte_offset[signals[0]] or 0)
        samples = max(0, math.floor(size / frame))
        shortest = samples if shortest is None else min(shortest, samples)
        if length is not None and samples < length:
            raise SourceError(
                f"{data} is cut off: it holds {samples} of the {length} samples that its header says; get it again"
            )
    return (length or 0) if shortest is None else shortest


def _uncounted(header: _Header) -> _Uncounted:
    fields = header.fields
    plain = set(fields.fmt) == {"16"} and len(set(fields.file_name)) == 1
    if not plain or any((each or 1) > 1 for each in fields.samps_per_frame) or any(fields.skew):
        raise SourceError(f"{header.path} does not say how many samples there are; add the number to its first line")
    return _Uncounted(
        data=_beside(header, fields.file_name[0]),
        offset=fields.byte_offset[0] or 0,
        n_signals=fields.n_sig,
        baseline=np.array(fields.baseline, np.float64),
        gain=np.array(fields.adc_gain, np.float64),
    )


def _read_uncounted(source: _Uncounted, start: int, stop: int) -> NDArray[np.float64]:
    n = source.n_signals
    counts = np.fromfile(source.data, "<i2", (stop - start) * n, offset=source.offset + 2 * start * n).reshape(-1, n)
    return np.where(counts == INVALID_16, np.nan, (counts - source.baseline) / source.gain)


def _began(fields: Any) -> datetime | None:
    began = fields.base_datetime
    return began if isinstance(began, datetime) else None


def _notes(path: Path) -> list[Note]:
    """Beats and comments of the annotation file beside a record, if there is one."""
    if not path.is_file():
        return []
    import wfdb

    try:
        found = wfdb.rdann(str(path.with_suffix("")), "atr")
        texts = [_text(*each) for each in zip(found.symbol, found.aux_note, strict=True)]
        return [Note(int(index), text) for index, text in zip(found.sample, texts, strict=True)]
    except Exception as error:  # wfdb raises whatever its decoder stumbles over
        raise SourceError(f"{path} is no annotation file ({_reason(error)}); get it again, or move it away") from error


def _text(symbol: str, note: str) -> str:
    note = note.strip("\0 ")
    return note or symbol if symbol == COMMENT else f"{symbol} {note}".strip()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
