"""A WFDB record opened for reading in pieces: leads in mV at any place, whatever its length."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import CHEST, INDEX, LEADS, LIMB, canonical

LOWEST_RATE, HIGHEST_RATE = 100, 2000
SHORTEST_S = 1

MILLIVOLTS = {"uv": 1e-3, "\u03bcv": 1e-3, "microvolt": 1e-3, "microvolts": 1e-3, "mv": 1.0, "millivolt": 1.0, "v": 1e3}
"""Millivolts in a unit, by its name without case (the micro sign then is a Greek mu)."""

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

NO_MAPPING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of samples that lie in the same files; its first sample stands at `start` of the record.

    Attributes
    ----------
    path : Path or None
        Without suffix; None for a gap.
    start, length : int
        In samples at the record's rate.
    channels, rows : tuple of int
        Signals that are leads, and their rows among `LEADS`.
    to_mv : tuple of float
        Millivolts in a unit of each of these signals.
    gain : float
        The largest ADC gain among these signals, counts/mV.
    uncounted : Uncounted or None
        Where the samples lie if the header does not say how many there are: a recorder is still writing.
    """

    path: Path | None
    start: int
    length: int
    channels: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    to_mv: tuple[float, ...] = ()
    gain: float = 0.0
    uncounted: "Uncounted | None" = None


@dataclass(frozen=True, slots=True)
class Uncounted:
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


class Record:
    """A record that `open_record` found fit to read.

    Attributes
    ----------
    name : str
        Of the record.
    path : Path
        Its header.
    rate : float
        Samples per second.
    n_samples : int
        Its length, gaps included.
    leads : tuple of str
        The leads it holds, in the order of `LEADS`.
    channels : tuple of str
        The names of all its signals.
    synthetic : bool
        Whether its header says that nobody was recorded.
    gain : float
        The largest ADC gain among its leads, counts/mV.
    files : tuple of Path
        All that it is read from: headers and data.
    """

    def __init__(
        self,
        path: Path,
        rate: float,
        segments: Sequence[Segment],
        channels: tuple[str, ...],
        *,
        gain: float,
        synthetic: bool,
        files: tuple[Path, ...],
    ) -> None:
        self.name = path.stem
        self.path = path
        self.rate = rate
        self.n_samples = segments[-1].start + segments[-1].length
        self.leads = tuple(LEADS[row] for row in sorted({row for segment in segments for row in segment.rows}))
        self.channels = channels
        self.gain = gain
        self.synthetic = synthetic
        self.files = files
        self._segments = segments
        self._starts = [segment.start for segment in segments]

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.n_samples / self.rate

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The samples from `start` up to `stop`.

        Returns
        -------
        ndarray, (12, stop - start) float32, mV
            NaN where the record holds nothing.

        Raises
        ------
        SourceError
            If the files cannot be read.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise ValueError(f"samples {start} to {stop} do not lie in a record of {self.n_samples}")
        samples = np.full((len(LEADS), stop - start), np.nan, np.float32)
        first = max(0, bisect_right(self._starts, start) - 1)
        for segment in self._segments[first:]:
            begin, end = max(start, segment.start), min(stop, segment.start + segment.length)
            if segment.start >= stop:
                break
            if segment.rows and begin < end:
                physical = _read_segment(segment, begin - segment.start, end - segment.start)
                samples[segment.rows, begin - start : end - start] = (physical * segment.to_mv).T
        return samples


def open_record(path: Path, mapping: Mapping[str, str] = NO_MAPPING) -> Record:
    """Open a record and check that all of it can be read as an ECG.

    Parameters
    ----------
    path : Path
        ``x.dat``, ``x.hea`` or ``x``.
    mapping : mapping of str to str
        Channel names to leads, for names that say no lead; it wins over what a name says.

    Raises
    ------
    SourceError
        If a file is missing, damaged or shorter than its header says, a lead's unit is no voltage, the rate or the
        length is out of range, there is no lead in it, or the mapping does not fit it.
    """
    master = _read_header(_header_path(path))
    rate = master.fields.fs
    if rate is None or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SourceError(f"{master.path}: rate {rate} Hz; records of {LOWEST_RATE} to {HIGHEST_RATE} Hz can be read")
    parts = _parts(master)
    channels = tuple(dict.fromkeys(name for header, _ in parts if header for name in header.names))
    lead_of = _leads_of(master.path, channels, mapping)
    segments: list[Segment] = []
    gain, start = 0.0, 0
    for header, length in parts:
        segment = Segment(None, start, length or 0) if header is None else _segment(header, start, length, lead_of)
        segments.append(segment)
        start += segment.length
        gain = max(gain, segment.gain)
    if start < SHORTEST_S * rate:
        raise SourceError(f"{master.path}: {start / rate:.3g} s of samples; at least {SHORTEST_S} s are needed")
    synthetic = any("synthetic" in comment.casefold() for comment in master.fields.comments)
    for segment in segments:
        if segment.rows:
            _read_segment(segment, segment.length - 1, segment.length)  # what cannot be read to its end is not begun
    headers = [header for header, _ in parts if header is not None]
    return Record(
        master.path,
        float(rate),
        segments,
        channels,
        gain=gain,
        synthetic=synthetic,
        files=(master.path, *(file for header in headers for file in _files(header))),
    )


def select(record: Record, leads: tuple[str, ...] | None) -> tuple[str, ...]:
    """The leads of a record that are the input.

    Parameters
    ----------
    record : Record
        Holds the leads.
    leads : tuple of str or None
        Leads wanted. None means I, II and V4 (two other limb leads if it lacks these) of a record that holds all
        eight independent ones, else all it has.

    Raises
    ------
    SourceError
        If the record lacks a lead, or there are fewer than two limb leads.
    """
    limb = tuple(lead for lead in record.leads if lead in LIMB)
    if leads is None:
        complete = len(limb) >= 2 and all(lead in record.leads for lead in CHEST)
        leads = (*limb[:2], "V4") if complete else record.leads
    missing = [lead for lead in leads if lead not in record.leads]
    if missing:
        raise SourceError(f"{record.path} has no {', '.join(missing)}: {_offer(record.channels)}")
    if sum(lead in LIMB for lead in leads) < 2:
        raise SourceError(
            f"fewer than two limb leads in {', '.join(leads)} of {record.path}; two of {', '.join(LIMB)} are needed: "
            f"{_offer(record.channels)}"
        )
    return tuple(sorted(leads, key=INDEX.__getitem__))


@dataclass(frozen=True, slots=True)
class _Header:
    path: Path
    fields: Any
    """What wfdb read: a `wfdb.Record` or `wfdb.MultiRecord` without signals."""
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


def _header_path(path: Path) -> Path:
    stem = path.with_suffix("") if path.suffix in (".dat", ".hea") else path
    header = stem.with_name(f"{stem.name}.hea") if stem.name else stem
    if header.is_file():
        return header
    if path.is_dir():
        raise SourceError(f"{path} is a folder; name a record in it, for example {path / '100.hea'}")
    if stem.with_name(f"{stem.name}.dat").is_file():
        raise SourceError(f"{stem}.dat has no header; put {header.name} beside it")
    raise SourceError(f"there is no record {header}; name its .hea file")


def _read_header(path: Path) -> _Header:
    import wfdb  # late: it pulls pandas and matplotlib

    try:
        fields = wfdb.rdheader(str(path.with_suffix("")))
        if isinstance(fields, wfdb.MultiRecord):
            return _Header(path, fields)
        names = tuple(name or f"signal {number}" for number, name in enumerate(fields.sig_name or ()))
        units = _units(path)
        if not fields.n_sig == len(names) == len(units):
            raise ValueError(f"{fields.n_sig} signals announced, {len(names)} described")
    except Exception as error:  # wfdb raises whatever its parser stumbles over
        raise SourceError(f"{path} is no WFDB header ({error or type(error).__name__}); get the file again") from error
    return _Header(path, fields, names, units)


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
            if not header.names or header.fields.fs != master.fields.fs:
                raise SourceError(f"{path} is no segment of {master.path}: no signals or another rate; get it again")
            parts.append((header, length))
    return parts


def _leads_of(path: Path, channels: tuple[str, ...], mapping: Mapping[str, str]) -> dict[str, str]:
    """The lead each channel stands for, where it does."""
    by_folded_name = {channel.strip().casefold(): channel for channel in channels}
    lead_of = {channel: lead for channel in channels if (lead := canonical(channel))}
    for name, lead in mapping.items():
        channel = by_folded_name.get(name.strip().casefold())
        if channel is None:
            raise SourceError(f"{path} has no channel '{name}' to map to {lead}; found {', '.join(channels)}")
        lead_of[channel] = lead
    if not lead_of:
        raise SourceError(f"{path} has no lead: {_offer(channels)}")
    return lead_of


def _offer(channels: tuple[str, ...]) -> str:
    unknown = next((channel for channel in channels if not canonical(channel)), None)
    found = f"found {', '.join(channels) or 'no signal'}"
    return f"{found}; map one, for example --map {unknown}=II" if unknown else f"{found}; choose among these"


def _segment(header: _Header, start: int, length: int | None, lead_of: Mapping[str, str]) -> Segment:
    found = [(channel, lead_of[name]) for channel, name in enumerate(header.names) if name in lead_of]
    to_mv = []
    for channel, lead in found:
        names = [header.names[other] for other, its_lead in found if its_lead == lead]
        if len(names) > 1:
            raise SourceError(f"{header.path}: {' and '.join(names)} are both {lead}; map one of them to another lead")
        unit = header.units[channel]
        if unit.casefold() not in MILLIVOLTS:
            raise SourceError(
                f"{header.path}: lead {lead} is in '{unit}', which is no voltage; write uV, mV or V if it is one"
            )
        to_mv.append(MILLIVOLTS[unit.casefold()])
    uncounted = None if header.fields.sig_len else _uncounted(header)
    available = _available(header, length)
    return Segment(
        path=header.path.with_suffix(""),
        start=start,
        length=available if length is None else length,
        channels=tuple(channel for channel, _ in found),
        rows=tuple(INDEX[lead] for _, lead in found),
        to_mv=tuple(to_mv),
        gain=max((abs(header.fields.adc_gain[c]) / mv for (c, _), mv in zip(found, to_mv, strict=True)), default=0.0),
        uncounted=uncounted,
    )


def _files(header: _Header) -> list[Path]:
    """The header of a segment and its data."""
    return [header.path, *(header.path.with_name(name) for name in dict.fromkeys(header.fields.file_name))]


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
        data, fmt = header.path.with_name(name), fields.fmt[signals[0]]
        if not data.is_file():
            raise SourceError(f"{header.path} has no data: {data} is missing; put it beside the header")
        if fmt in COMPRESSED:
            continue
        if fmt not in BYTES_PER_SAMPLE:
            raise SourceError(f"{data}: WFDB format {fmt} cannot be read in pieces; rewrite it in format 16")
        frame = BYTES_PER_SAMPLE[fmt] * sum(fields.samps_per_frame[channel] or 1 for channel in signals)
        size = data.stat().st_size - (fields.byte_offset[signals[0]] or 0)
        samples = max(0, math.floor(size / frame))
        shortest = samples if shortest is None else min(shortest, samples)
        if length is not None and samples < length:
            raise SourceError(
                f"{data} is cut off: it holds {samples} of the {length} samples that its header says; get it again"
            )
    return (length or 0) if shortest is None else shortest


def _uncounted(header: _Header) -> Uncounted:
    fields = header.fields
    plain = set(fields.fmt) == {"16"} and len(set(fields.file_name)) == 1
    if not plain or any((each or 1) > 1 for each in fields.samps_per_frame) or any(fields.skew):
        raise SourceError(f"{header.path} does not say how many samples there are; add the number to its first line")
    return Uncounted(
        data=header.path.with_name(fields.file_name[0]),
        offset=fields.byte_offset[0] or 0,
        n_signals=fields.n_sig,
        baseline=np.array(fields.baseline, np.float64),
        gain=np.array(fields.adc_gain, np.float64),
    )


def _read_segment(segment: Segment, start: int, stop: int) -> NDArray[np.float64]:
    """Samples of the segment's leads in their own units, (stop - start, leads)."""
    import wfdb  # late: it pulls pandas and matplotlib

    try:
        if segment.uncounted is not None:
            return _read_uncounted(segment.uncounted, start, stop)[:, segment.channels]
        record = wfdb.rdrecord(str(segment.path), sampfrom=start, sampto=stop, channels=list(segment.channels))
        physical: NDArray[np.float64] = record.p_signal
        if physical.shape != (stop - start, len(segment.channels)):
            raise ValueError(f"{len(physical)} samples came where {stop - start} should be")
    except Exception as error:  # wfdb raises whatever its decoder stumbles over
        reason = str(error) or type(error).__name__
        raise SourceError(
            f"{segment.path}: samples {start} to {stop} cannot be read ({reason}); get it again"
        ) from error
    return physical


def _read_uncounted(source: Uncounted, start: int, stop: int) -> NDArray[np.float64]:
    n = source.n_signals
    counts = np.fromfile(source.data, "<i2", (stop - start) * n, offset=source.offset + 2 * start * n).reshape(-1, n)
    return np.where(counts == INVALID_16, np.nan, (counts - source.baseline) / source.gain)
