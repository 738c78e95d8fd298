"""XDF files for tests, written from the specification (https://github.com/sccn/xdf/wiki/Specifications)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CODES = {"int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8", "float32": "f4", "double64": "f8"}


@dataclass
class Stream:
    """One for a file: samples (n, channels), and stamps (n,), NaN where the file leaves one out."""

    number: int
    samples: np.ndarray
    stamps: np.ndarray
    rate: float = 500.0
    name: str = "Patch"
    type: str = "ECG"
    format: str = "float32"
    channels: Sequence[tuple[str, str]] = (("I", "uV"), ("II", "uV"), ("V4", "uV"))
    offsets: Sequence[tuple[float, float]] = ()
    per_chunk: int = 64
    description: str | None = field(default=None)

    @property
    def xml(self) -> str:
        described = "".join(f"<channel><label>{n}</label><unit>{u}</unit></channel>" for n, u in self.channels)
        desc = f"<channels>{described}</channels>" if self.description is None else self.description
        count = self.samples.shape[1]
        return (
            f'<?xml version="1.0"?><info><name>{self.name}</name><type>{self.type}</type>'
            f"<channel_count>{count}</channel_count><nominal_srate>{self.rate:g}</nominal_srate>"
            f"<channel_format>{self.format}</channel_format><created_at>1.5</created_at><desc>{desc}</desc></info>"
        )

    def chunks(self) -> list[bytes]:
        """Its samples and offsets, as chunks."""
        code = CODES.get(self.format, "")
        made = []
        for at in range(0, len(self.samples), self.per_chunk):
            rows = []
            for stamp, row in zip(
                self.stamps[at : at + self.per_chunk], self.samples[at : at + self.per_chunk], strict=True
            ):
                head = b"\0" if np.isnan(stamp) else b"\x08" + struct.pack("<d", stamp)
                if self.format == "string":
                    rows.append(head + b"".join(_sized(str(each).encode()) for each in row))
                else:
                    rows.append(head + np.asarray(row).astype(f"<{code}").tobytes())
            made.append(_chunk(3, struct.pack("<I", self.number) + _varlen(len(rows)) + b"".join(rows)))
        made += [_chunk(4, struct.pack("<Idd", self.number, *offset)) for offset in self.offsets]
        return made


def write_xdf(path: Path, streams: Sequence[Stream], *, footers: bool = True) -> Path:
    """A file of these streams, their chunks in turns."""
    parts = [b"XDF:", _chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')]
    parts += [_chunk(2, struct.pack("<I", stream.number) + stream.xml.encode()) for stream in streams]
    waiting = [stream.chunks() for stream in streams]
    while any(waiting):
        parts += [chunks.pop(0) for chunks in waiting if chunks]
    if footers:
        parts += [
            _chunk(
                6, struct.pack("<I", each.number) + b"<info><sample_count>%d</sample_count></info>" % len(each.samples)
            )
            for each in streams
        ]
    path.write_bytes(b"".join(parts))
    return path


def _chunk(tag: int, content: bytes) -> bytes:
    return _varlen(len(content) + 2) + struct.pack("<H", tag) + content


def _sized(content: bytes) -> bytes:
    return _varlen(len(content)) + content


def _varlen(value: int) -> bytes:
    if value < 256:
        return b"\x01" + struct.pack("<B", value)
    return b"\x04" + struct.pack("<I", value) if value < 1 << 32 else b"\x08" + struct.pack("<Q", value)
