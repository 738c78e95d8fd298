"""Twelve leads into a WFDB record that can be opened at any moment, also one that nobody finished."""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from itertools import groupby
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engine.errors import SinkError, UsageError
from engine.leads import DISCLAIMER, LEADS, RATE, Origin, label
from stream.items import Event, Gap, Item, Kind
from stream.sinks.annotations import LAG, Annotations
from stream.sinks.header import HeaderFile

Samples = NDArray[np.float32]
Clock = Callable[[], float]

GAIN = 1000.0
"""Counts/mV at least."""
FINEST_GAIN = 6000.0
"""Counts/mV at most, so that 5 mV fit 16 bits."""
LARGEST = 32767
INVALID = -32768
"""What format 16 stores where a lead has no sample."""
BYTES = 2 * len(LEADS)
"""Of all leads at one index."""

FLUSH_S = 1.0
"""No sample waits longer than that to be written, as long as anything is pushed."""
SYNC_S = 10.0
"""What a power cut may cost."""
RESERVED_S = 20.0
"""How much of a data file is there before it is needed: so many seconds of missing samples."""
LONGEST_RESERVED_S = 600.0
"""The same, where samples come much faster than they were taken."""
LATEST = 1 << 33
"""Unix time, s: a clock that says more (the year 2242) is wrong."""


@dataclass(slots=True)
class _Segment:
    """A run of samples in a data file of its own, or a gap (no name)."""

    name: str = "~"
    data: str = ""
    length: int = 0
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LEADS), np.int64))
    sums: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LEADS), np.int64))


class Recorder:
    """A sink that writes settled leads as WFDB format 16, each second, and brings them onto the disk each ten.

    Twelve signals in the order of `LEADS`; derived ones carry a ``d``. A sample of one lead that is missing is WFDB's
    invalid sample, and so is one that had to be derived where its lead was off: what is written as measured was. A gap
    of a second or more is a gap: the record then is a layout segment, the segments between gaps and ``~`` for each gap;
    in a shorter one all samples are invalid. Headers count what is written, after it is. Beats and events stand in an
    annotation file, ``NAME.atr``.

    The data file is always longer than its header says, by missing samples, until it is closed: so a header that gets
    onto the disk before the samples that it counts (a power cut) still names what is there.

    A record that is replaced stays as it is until the new one has samples.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    name : str
        Of the record; what WFDB allows in no name becomes ``_``.
    rate : int
        Of the blocks, Hz.
    leads_in : tuple of str
        The leads that were measured.
    gain : float
        The source's, counts/mV; used where it is finer than 1000 and still lets 5 mV fit.
    comments : sequence of str
        For the header, such as the model's name.
    inputs : sequence of Path
        Files that are being read, and must not be written.
    begun : datetime or None
        When the first sample was taken; None learns it from the first event that tells the time.
    force : bool
        Whether a record of that name is replaced.
    clock : callable
        Seconds, for what is due each second.

    Attributes
    ----------
    path : Path
        The header.
    gain : float
        Used, counts/mV.
    clipped : int
        Samples that lay beyond 16 bits and were clipped.
    samples : int
        Written so far, gaps included.

    Raises
    ------
    UsageError
        If the folder cannot be written, the record is there already and `force` is not given, or it is one of the
        inputs, by whatever name. Nothing is written then.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        rate: int = RATE,
        leads_in: tuple[str, ...] = (),
        gain: float = GAIN,
        comments: Sequence[str] = (),
        inputs: Sequence[Path] = (),
        begun: datetime | None = None,
        force: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = re.sub(r"[^-\w]", "_", name, flags=re.ASCII)
        self.path = folder / f"{self.name}.hea"
        self.gain = float(min(max(GAIN, gain), FINEST_GAIN))
        self.clipped = 0
        self.samples = 0
        self._folder = folder
        self._rate = rate
        self._is_measured = np.array([[lead in leads_in] for lead in LEADS])
        origins = [Origin.MEASURED if lead in leads_in else Origin.ESTIMATED for lead in LEADS]
        self._labels = [label(lead, origin) for lead, origin in zip(LEADS, origins, strict=True)]
        self._comments = comments
        self._begun = begun
        self._clock = clock
        self._flushed_at = self._synced_at = self._reserved_at = clock()
        self._is_synced = True
        self._segments: list[_Segment] = []
        self._n_data = 0
        self._pending: list[Samples | int] = []  # samples, and lengths of gaps
        self._pending_length = 0
        self._start: int | None = None
        self._newest = 0
        self._closed = False
        self._annotations = Annotations(folder / f"{self.name}.atr")
        self._header = HeaderFile(self.path)
        self._layout_header = HeaderFile(folder / f"{self.name}_layout.hea")
        self._segment_header = HeaderFile(self.path)  # of the newest segment, once there are gaps
        self._reserve_s = RESERVED_S
        self._reserved = 0  # bytes that the data file has
        self._part: Path | None = None
        self._file = self._begin(inputs, force)

    def push(self, item: Item) -> None:
        """Take the next item; what is missing before it, because it was lost or could not be written, is a gap.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        if isinstance(item, Event):
            self._hear(item)
        else:
            self._newest = item.start
            if self._start is None:
                self._start = item.start
            missing = item.start - self._start - self.samples - self._pending_length
            if missing > 0:
                self._pend(missing)
            if isinstance(item, Gap):
                self._pend(item.length)
            else:
                derived = self._is_measured & (item.origin != Origin.MEASURED)
                self._pend(np.where(derived, np.float32(np.nan), item.leads))
        if self._pending_length >= FLUSH_S * self._rate or self._clock() - self._flushed_at >= FLUSH_S:
            self._flush()

    def close(self) -> None:
        """Write what is left and the final headers; a record without a sample is removed.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._flush()
        finally:
            self._file.close()
            if self._part is not None:
                self._part.unlink()
            elif not self._n_data:
                _remove(_files(self._folder, self.name))

    @property
    def is_there(self) -> bool:
        """Whether there is a record: nothing stands under its name before its first second, or its end."""
        return self._part is None and self._n_data > 0

    def _begin(self, inputs: Sequence[Path], force: bool) -> FileIO:
        """Check the folder, and open the first data file under a name that nobody has."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            existing = _files(self._folder, self.name)
            read = {path.resolve() for path in inputs}
            if any(path.resolve() in read for path in existing):
                raise UsageError(f"{self._folder} holds the record that is read; choose another folder")
            odd = next((path for path in existing if not path.is_file()), None)
            if odd is not None:
                raise UsageError(f"{odd} is in the way and no file; choose another folder")
            if existing and not force:
                raise UsageError(f"{existing[0]} is there already; add --force to replace it, or choose another folder")
            self._part = self._folder / f".{self.name}.{secrets.token_hex(4)}.part"
            file = self._part.open("xb", buffering=0)
            if not existing:
                self._move_in()
        except OSError as error:
            if self._part is not None:
                self._part.unlink(missing_ok=True)
            raise UsageError(f"cannot write into {self._folder}: {error.strerror}; choose another folder") from error
        return file

    def _move_in(self) -> None:
        """Give the first data file its name, in the place of what was there."""
        if self._part is None:
            return
        old = _files(self._folder, self.name)
        data = self._folder / f"{self.name}.dat"
        self._part.replace(data)
        self._part = None
        _remove([path for path in old if path != data])

    def _hear(self, event: Event) -> None:
        """Keep an event; the first that tells the time tells when the record began."""
        if event.kind is Kind.TIME and self._begun is None and self._start is not None and event.value is not None:
            began = event.value - (event.index - self._start) / self._rate
            if 0 < began < LATEST:
                self._begun = datetime.fromtimestamp(began, UTC)
        self._annotations.add(event)

    def _pend(self, what: Samples | int) -> None:
        if isinstance(what, int):
            self._pending_length += what
            if self._pending and isinstance(self._pending[-1], int):
                what += self._pending.pop()
        else:
            self._pending_length += what.shape[1]
        self._pending.append(what)

    def _flush(self) -> None:
        """Write what is pending: samples first, so that no header ever promises more than there is."""
        self._flushed_at = now = self._clock()
        pending, self._pending, self._pending_length = self._pending, [], 0
        if pending and not self._closed and isinstance(pending[-1], int):
            self._pend(pending.pop())  # a gap is written when its length is known
        start = self._start or 0
        try:
            for is_gap, some in groupby(pending, lambda what: isinstance(what, int)):
                if is_gap:
                    self._write_gap(sum(cast("Iterable[int]", some)))
                else:
                    self._write_samples(np.concatenate(list(cast("Iterable[Samples]", some)), axis=1))
            if not self._n_data:
                return
            self._move_in()
            if self._closed:
                self._end_segment()
            self._write_headers()
            if self._closed:
                self._annotations.close(start)
            else:
                self._annotations.write(start, self._newest - LAG)  # what it holds is yet to be told
            if self._closed or now - self._synced_at >= SYNC_S:
                self._synced_at = now
                self._sync()
        except OSError as error:
            kept = "what came before is kept" if self.is_there else "nothing is kept"
            raise SinkError(f"cannot write {self.path}: {error.strerror}; {kept}") from error

    def _write_gap(self, length: int) -> None:
        """A segment of its own, or where it is short and within one, samples that are missing: they cost no files."""
        if length < self._rate and self._segments and self._segments[-1].data:
            self._write_samples(np.full((len(LEADS), length), np.nan, np.float32))
            return
        if not self._segments or self._segments[-1].data:
            self._segments.append(_Segment())
        self._segments[-1].length += length
        self.samples += length

    def _data_segment(self) -> _Segment:
        """The segment being written; after a gap a new one. The first keeps the file that is open already."""
        if self._segments and self._segments[-1].data:
            return self._segments[-1]
        name = f"{self.name}_segment_{self._n_data + 1:04}"
        segment = _Segment(name, f"{name}.dat" if self._n_data else f"{self.name}.dat")
        if self._n_data:
            self._end_segment()
            self._write_segment_header()
            file = (self._folder / segment.data).open("wb", buffering=0)
            self._file.close()
            self._file = file
            self._reserved, self._reserve_s = 0, RESERVED_S
        self._segments.append(segment)
        self._n_data += 1
        return segment

    def _write_samples(self, columns: Samples) -> None:
        segment = self._data_segment()
        counts = np.rint(columns.astype(np.float64) * self.gain)
        self.clipped += int((np.abs(counts) > LARGEST).sum())
        stored = np.where(np.isnan(counts), INVALID, np.clip(counts, -LARGEST, LARGEST)).astype(np.int64)
        try:
            self._put(segment.length * BYTES, np.ascontiguousarray(stored.T, "<i2").tobytes())
        except OSError:
            if not segment.length:
                self._segments.pop()  # its file stays open, or is opened anew
                self._n_data -= 1
            raise
        if not segment.length:
            segment.first = stored[:, 0]
        segment.sums += stored.sum(axis=1)
        segment.length += columns.shape[1]
        self.samples += columns.shape[1]

    def _put(self, at: int, data: bytes) -> None:
        """Write all of it in the place of the missing samples that stand there; or what was counted stays as it was."""
        if at + len(data) > self._reserved:
            self._reserve(at + len(data))
        _write_all(self._file, at, data)
        self._is_synced = False

    def _reserve(self, needed: int) -> None:
        """Make the data file longer than is needed, by missing samples, and see it onto the disk.

        Where the disk has no room for that, it is made as long as is needed.
        """
        now = self._clock()
        is_fast = now - self._reserved_at < RESERVED_S / 4
        self._reserve_s = min(2 * self._reserve_s, LONGEST_RESERVED_S) if is_fast else RESERVED_S
        self._reserved_at = now
        for ahead in (round(self._reserve_s * self._rate) * BYTES, 0):
            try:
                _write_all(self._file, self._reserved, _missing(needed + ahead - self._reserved))
                _sync_data(self._file)
            except OSError:
                self._file.truncate(self._reserved)
                if not ahead:
                    raise
            else:
                self._reserved = needed + ahead
                return

    def _end_segment(self) -> None:
        """The newest data segment gets no more samples: what was reserved for them goes."""
        segment = next(segment for segment in reversed(self._segments) if segment.data)
        self._reserved = segment.length * BYTES
        self._file.truncate(self._reserved)
        _sync_data(self._file)

    def _write_headers(self) -> None:
        """Bring the headers up to what is written; the record's own comes last, so that it never names what is not."""
        if len(self._segments) == 1:
            self._header.write(self._signal_header(self.name, self._segments[0], self._time()))
            return
        layout = f"{self.name}_layout"
        self._layout_header.write(self._signal_header(layout, _Segment(data="~")))
        self._write_segment_header()
        first = f"{self.name}/{len(self._segments) + 1} {len(LEADS)} {self._rate} {self.samples:<12}{self._time()}"
        lines = [first, f"{layout} 0", *(f"{each.name} {each.length:<12}" for each in self._segments)]
        self._header.write("\n".join([*lines, *self._comment_lines(), ""]))

    def _write_segment_header(self) -> None:
        """That of the newest data segment."""
        segment = next(segment for segment in reversed(self._segments) if segment.data)
        path = self._folder / f"{segment.name}.hea"
        if self._segment_header.path != path:
            self._segment_header = HeaderFile(path)
        self._segment_header.write(self._signal_header(segment.name, segment))

    def _signal_header(self, name: str, segment: _Segment, when: str = "") -> str:
        """The header of a single segment (https://physionet.org/physiotools/wag/header-5.htm).

        Figures that grow have room to, so that it can be changed in place.
        """
        fmt = 0 if segment.data == "~" else 16
        lines = [f"{name} {len(LEADS)} {self._rate} {segment.length:<12}{when}"]
        for row, lead in enumerate(self._labels):
            checksum = (int(segment.sums[row]) + 32768) % 65536 - 32768
            lines.append(f"{segment.data} {fmt} {self.gain}(0)/mV 16 0 {segment.first[row]} {checksum:<6} 0 {lead}")
        return "\n".join([*lines, *self._comment_lines(), ""])

    def _time(self) -> str:
        """When the first sample was taken, as the first line of a header says it: local time, without a zone."""
        if self._begun is None:
            return ""
        local = self._begun if self._begun.tzinfo is None else self._begun.astimezone()
        return f" {local:%H:%M:%S.%f %d/%m/}{local.year:04}"

    def _comment_lines(self) -> list[str]:
        derived = ", ".join(name for name in self._labels if name not in LEADS) or "none"
        own = [f"derived: {derived}", DISCLAIMER]
        if self._begun is not None and self._begun.tzinfo is not None:
            own.append(f"began: {self._begun.astimezone().isoformat()}")
        if self.samples:
            own.append(f"clipped samples: {self.clipped}")
        return [f"# {line}" for comment in (*self._comments, *own) for line in comment.splitlines()]

    def _sync(self) -> None:
        """Return when all that was written is on the disk."""
        if not self._is_synced:
            _sync_data(self._file)
            self._is_synced = True
        self._segment_header.sync()
        self._header.sync()
        self._annotations.sync()
        _sync_folder(self._folder)


def _files(folder: Path, name: str) -> list[Path]:
    """All files of the record of this name that are there."""
    ours = re.compile(rf"{re.escape(name)}(\.hea|\.dat|\.atr|_layout\.hea|_segment_\d+\.(hea|dat))")
    return sorted(path for path in folder.iterdir() if ours.fullmatch(path.name))


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()


def _missing(length: int) -> bytes:
    """So many bytes of samples that are missing."""
    return np.full(length // 2, INVALID, "<i2").tobytes()


def _write_all(file: FileIO, at: int, data: bytes) -> None:
    file.seek(at)
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _sync_data(file: FileIO) -> None:
    """Its samples and its length; not its times, where a system can do without."""
    getattr(os, "fdatasync", os.fsync)(file.fileno())


def _sync_folder(folder: Path) -> None:
    """The names in it, where a system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
