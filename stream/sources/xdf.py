"""XDF files (https://github.com/sccn/xdf/wiki/Specifications): one of the streams that a network recorder kept.

pyxdf reads them. It believes whatever a file says, so first the file's chunks are walked through here.
"""

import io
import logging
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX, LIMB
from stream.channels import Assignment, Refused, held
from stream.sources.description import LARGEST_XML, Described, describe
from stream.sources.record import Record, check, check_rate, readable
from stream.sources.whole import laid_out

SIZES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}
"""Bytes of a number, by its format; a stream of strings holds no samples."""
LARGEST = 1 << 30
"""Bytes of a stream's samples and stamps, which are held in memory."""
MOST_OFFSETS = 200_000
"""Measurements of a clock: one each second for two days, and no more than can be fitted in some seconds."""

FILE, HEADER, SAMPLES, OFFSET, FOOTER = 1, 2, 3, 4, 6
"""Tags of chunks; the last four belong to a stream, and of others only the length matters."""
STAMPED, BARE = 8, 0
"""What stands before a sample: the bytes of its stamp."""
MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
"""What a recorder writes every few seconds, so that damaged files can be read on from there."""
LARGEST_REST = 1 << 16
"""Bytes: what may be left of the last chunk, if the others were small."""


def open_xdf(path: Path, assignments: tuple[Assignment, ...], wanted: str | None) -> Record:
    """Open a file; see `stream.sources.record.open_record`."""
    try:
        import pyxdf  # late: few have such files
    except ImportError as error:
        raise SourceError(
            f"{path} is an XDF file, which needs pyxdf; type: pip install 'ecgstream[formats]'"
        ) from error
    try:
        with path.open("rb") as file:
            streams, end = _walked(path, file)
            stream = _chosen(path, streams, assignments, wanted)
            choice = readable(path, stream.said.channels, assignments)
            check_rate(path, stream.said.rate)
            _check_size(path, stream)
            with _quiet():
                loaded, _ = pyxdf.load_xdf(
                    _Start(file, end),
                    select_streams=[stream.number],
                    dejitter_timestamps=False,  # which would hide gaps
                    synchronize_clocks=True,
                )
        samples, stamps = _arrays(loaded, len(stream.said.channels))
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; name a file that can") from error
    except Exception as error:  # pyxdf raises whatever it stumbles over
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"{path} is damaged ({reason}); get it again") from error
    rate, leads = stream.said.rate, choice.leads
    placed = choice.place(samples)[[INDEX[lead] for lead in leads]]
    runs = laid_out(placed, leads, stamps, rate)
    check(path, rate, runs[-1].end)
    return Record(
        path=path,
        rate=rate,
        n_samples=runs[-1].end,
        runs=runs,
        leads=leads,
        channels=stream.said.channels,
        assignments=assignments,
        gain=max(1 / abs(to_mv) for to_mv in choice.to_mv) if "int" in stream.said.format else 0.0,
        files=(path,),
        synthetic=stream.said.synthetic,
    )


@dataclass(slots=True)
class _Stream:
    """A stream of a file.

    Attributes
    ----------
    number : int
        The file's for it.
    said : Described
        What it says of itself.
    samples, offsets : int
        How many there are of it.
    """

    number: int
    said: Described
    samples: int = 0
    offsets: int = 0

    @property
    def sample_size(self) -> int:
        """Bytes of a sample's numbers."""
        return SIZES.get(self.said.format, 1) * len(self.said.channels)

    def __str__(self) -> str:
        about = [self.said.type, f"{self.said.rate:g} Hz", f"{len(self.said.channels)} channels"]
        return f"{self.number} '{self.said.name}' ({', '.join(filter(None, about))})"


class _Start(io.RawIOBase):
    """The start of a file, as if it ended there: with the last chunk that is whole."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        file.seek(0)
        self._file = file
        self._end = end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._end - self._file.tell()))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(self._end + offset) if whence == 2 else self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _walked(path: Path, file: BinaryIO) -> tuple[dict[int, _Stream], int]:
    """The streams of a file, and where its last whole chunk ends: a recorder that was killed leaves a part of one.

    Raises
    ------
    SourceError
        If a chunk is not what it says.
    """
    size = path.stat().st_size
    if file.read(len(MAGIC)) != MAGIC:
        raise SourceError(f"{path} is no XDF file, or packed; get it again, or unpack it")
    streams: dict[int, _Stream] = {}
    end, largest = file.tell(), 0
    while end < size:
        length = _length(file)
        start = file.tell()
        if length is None or length < 2:
            if size - end < 9:
                break  # of the next chunk there is not even its length
            raise _damaged(path, end)
        if start + length > size:
            _check_rest(path, file, end, size - end, largest)
            break
        largest = max(largest, length)
        tag = struct.unpack("<H", file.read(2))[0]
        if tag in (HEADER, SAMPLES, OFFSET, FOOTER):
            if length < 6:
                raise _damaged(path, end)
            number = struct.unpack("<I", file.read(4))[0]
            _take(path, file, tag, number, length - 6, streams)
        elif tag == FILE and not _is_harmless(file, length - 2):
            raise _damaged(path, end)
        end = start + length
        file.seek(end)
    return streams, end


def _check_rest(path: Path, file: BinaryIO, at: int, length: int, largest: int) -> None:
    """Refuse a file whose last chunk was not cut off by its end, but says a length that it has not."""
    file.seek(at)
    if length > 2 * largest + LARGEST_REST or BOUNDARY in file.read(length):
        raise _damaged(path, at)


def _take(path: Path, file: BinaryIO, tag: int, number: int, length: int, streams: dict[int, _Stream]) -> None:
    """Note what a chunk of a stream says, or refuse what cannot be true."""
    at = file.tell()
    if tag == HEADER:
        if length > LARGEST_XML or number in streams:
            raise _damaged(path, at)
        try:
            streams[number] = _Stream(number, describe(file.read(length).decode(errors="replace")))
        except ValueError as error:
            raise SourceError(f"{path} is damaged at byte {at} ({error}); get it again") from error
        return
    stream = streams.get(number)
    if stream is None:
        raise _damaged(path, at)
    if tag == OFFSET:
        if length != 16:
            raise _damaged(path, at)
        stream.offsets += 1
    elif tag == FOOTER:
        if not _is_harmless(file, length):
            raise _damaged(path, at)
    elif stream.said.format in SIZES:
        count = _length(file)
        content = file.read(length - (file.tell() - at))
        if count is None or not _are_samples(np.frombuffer(content, np.uint8), count, stream.sample_size):
            raise _damaged(path, at)
        stream.samples += count


def _is_harmless(file: BinaryIO, length: int) -> bool:
    """Whether a description defines no entities, which may unfold to gigabytes."""
    return length <= LARGEST_XML and b"<!" not in file.read(length)


def _are_samples(content: NDArray[np.uint8], count: int, size: int) -> bool:
    """Whether these bytes are so many samples, each with a stamp of 8 bytes or none."""
    for before in (STAMPED, BARE):
        if len(content) == count * (1 + before + size):
            return bool((content[:: 1 + before + size] == before).all())
    at = 0
    for _ in range(count):
        if at >= len(content) or content[at] not in (STAMPED, BARE):
            return False
        at += 1 + int(content[at]) + size
    return at == len(content)


def _length(file: BinaryIO) -> int | None:
    """A number of as many bytes as the byte before it says; None if that is no such byte."""
    first = file.read(1)
    form = {b"\x01": "<B", b"\x04": "<I", b"\x08": "<Q"}.get(first)
    data = file.read(first[0]) if form else b""
    return struct.unpack(form, data)[0] if form and len(data) == first[0] else None


def _chosen(path: Path, streams: dict[int, _Stream], assignments: Sequence[Assignment], wanted: str | None) -> _Stream:
    """The stream that people ask for, or the one that can be an input.

    Raises
    ------
    SourceError
        If there is none, or several.
    """
    sampled = [each for each in streams.values() if each.said.format in SIZES and each.said.rate > 0]
    if wanted is not None:
        found = [each for each in streams.values() if each.said.name.casefold() == wanted.casefold()]
        found = found or [each for each in streams.values() if str(each.number) == wanted]
        if len(found) == 1:
            return found[0]
        raise SourceError(f"{path} has {'several streams' if found else 'no stream'} '{wanted}'; {_offer(sampled)}")
    usable = [each for each in sampled if _limb_leads(each, assignments) >= 2]
    likely = usable or [each for each in sampled if _limb_leads(each, assignments)] or sampled
    if len(likely) == 1:
        return likely[0]
    if not likely:
        raise SourceError(f"{path} has no stream of samples; choose another recording")
    raise SourceError(f"{path} has several streams that may be an ECG; {_offer(likely)}")


def _limb_leads(stream: _Stream, assignments: Sequence[Assignment]) -> int:
    try:
        choice = held(stream.said.channels, assignments, stream.said.name)
    except Refused:
        return 0
    return sum(lead in LIMB for lead in choice.leads)


def _offer(streams: Sequence[_Stream]) -> str:
    if not streams:
        return "there is none of samples"
    names = [each.said.name for each in streams]
    first = streams[0].number if names.count(names[0]) > 1 else names[0]
    return f"choose one of {'; '.join(map(str, streams[:10]))}: --stream {first}"


def _check_size(path: Path, stream: _Stream) -> None:
    if not stream.samples:
        raise SourceError(f"{path}: stream {stream} holds no sample; choose another")
    if stream.samples * (8 + stream.sample_size) > LARGEST:
        raise SourceError(f"{path}: stream {stream} is larger than {LARGEST >> 30} GB, which is held in memory; cut it")
    if stream.offsets > MOST_OFFSETS:
        raise SourceError(f"{path} is damaged: it measures a clock {stream.offsets} times; get it again")


def _arrays(loaded: list[dict[str, Any]], n_channels: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    samples, stamps = np.asarray(loaded[0]["time_series"]), np.asarray(loaded[0]["time_stamps"], np.float64)
    if samples.shape != (len(stamps), n_channels) or not len(stamps):
        raise ValueError(f"{samples.shape} numbers have {len(stamps)} stamps")
    return samples, stamps


@contextmanager
def _quiet() -> Iterator[None]:
    """What pyxdf finds wrong is no message for people, and its arithmetic on damaged numbers no warning."""
    logger = logging.getLogger("pyxdf.pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        logger.setLevel(level)


def _damaged(path: Path, at: int) -> SourceError:
    return SourceError(f"{path} is damaged at byte {at}; get it again")
