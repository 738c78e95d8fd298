"""What a simulated device really sent, packet by packet: what arrived can be compared with it, number for number."""

from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.errors import SinkError, SourceError
from stream.simulation.device import Device
from stream.simulation.faults import GONE, Delivery, Fate

SUFFIX = ".sent"
LAYOUT = 1
"""Of the file; another number where it is no longer read as before."""
LONGEST_HEADER = 1 << 16


class Header(Struct, frozen=True, kw_only=True):
    """The first line of a journal, in JSON.

    Attributes
    ----------
    layout : int
        `LAYOUT`.
    to, name, record : str
        Where it was sent, the name of the device, and what it measured.
    leads, channels : tuple of str
        What it measured, and the labels of its channels.
    rate : float
        Nominal samples per second.
    unit, format, stamping : str
        As in `stream.simulation.device.Device`.
    counter_modulus : int
        Where the counter begins anew.
    pace : float
        Seconds of the device's timeline in one of this host.
    seed : int
        Of all that was random.
    packet : int
        Samples in each entry: what a packet has, or less in the last one.
    has_samples : bool
        Whether the entries hold the samples too.
    began : float
        When the device began: seconds of this host's monotonic clock.
    unix : float
        The same moment as Unix time, s.
    epoch : float
        What the device's clock showed then, s.
    """

    layout: int = LAYOUT
    to: str
    name: str
    record: str
    leads: tuple[str, ...]
    channels: tuple[str, ...]
    rate: float
    unit: str
    format: str
    stamping: str
    counter_modulus: int
    pace: float
    seed: int
    packet: int
    has_samples: bool
    began: float
    unix: float
    epoch: float

    @property
    def entry(self) -> np.dtype:
        """How an entry lies in the file, little-endian.

        number, index, count, session
            Of the packet, of its first sample (both from 0), its samples, and how often the device was plugged in anew.
        fate
            `stream.simulation.faults.Fate`: what was done to it.
        due, sent
            When it was to be sent and when it was: seconds of this host's monotonic clock; NaN if it was not.
        stamps : (packet,)
            By the device's clock, s; NaN where it gave none.
        values : (packet, channels)
            As sent, if the samples are held.
        """
        fields: list[Any] = [
            *((name, "<i8") for name in ("number", "index")),
            *((name, "<i4") for name in ("count", "session", "fate")),
            *((name, "<f8") for name in ("due", "sent")),
            ("stamps", "<f8", (self.packet,)),
        ]
        if self.has_samples:
            values = np.dtype(_VALUES.get(self.format, self.format)).newbyteorder("<")
            fields.append(("values", values, (self.packet, len(self.channels))))
        return np.dtype(fields)


_VALUES = {"double64": "float64", "string": "float32"}


def header_of(
    device: Device, *, to: str, record: str, seed: int, has_samples: bool, began: float, unix: float, epoch: float
) -> Header:
    """What the journal of a device says at its top; see `Header`."""
    return Header(
        to=to,
        name=device.name,
        record=record,
        leads=device.leads,
        channels=device.channels,
        rate=device.rate,
        unit=device.unit,
        format=device.format,
        stamping=device.stamping,
        counter_modulus=device.counter_modulus,
        pace=device.pace,
        seed=seed,
        packet=device.packet,
        has_samples=has_samples,
        began=began,
        unix=unix,
        epoch=epoch,
    )


class Journal:
    """A journal that is being written; it holds nothing in memory, and what is in it is on its way to the disk at once.

    Parameters
    ----------
    path : Path
        A file that it makes, and replaces, when it begins.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header: Header | None = None
        self._entry = np.zeros(0)
        self._file: FileIO | None = None

    def begin(self, header: Header) -> None:
        """Write the first line.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_file():
                self.path.unlink()  # who reads the old one still has it whole
            self._file = self.path.open("wb", buffering=0)
        except OSError as error:
            raise self._failed(error) from error
        self._header = header
        self._entry = np.zeros(1, header.entry)
        self._write(msgspec.json.encode(header) + b"\n")

    def write(self, delivery: Delivery, sent: float | None) -> None:
        """Write what becomes of a packet, before it is sent: who receives it finds it here.

        Parameters
        ----------
        delivery : Delivery
            What.
        sent : float or None
            When, in seconds of this host's monotonic clock; None if it is not sent.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        if self._header is None:
            raise RuntimeError("the journal has not begun")
        packet, entry = delivery.packet, self._entry[0]
        n = len(packet.values)
        entry["number"], entry["index"], entry["count"] = packet.number, packet.index, n
        entry["session"], entry["fate"] = delivery.session.number, int(delivery.fate)
        entry["due"] = self._header.began + delivery.due
        entry["sent"] = np.nan if sent is None else sent
        entry["stamps"] = np.nan
        if delivery.stamps is not None:
            entry["stamps"][:n] = delivery.stamps
        if self._header.has_samples:
            entry["values"] = 0
            entry["values"][:n] = packet.values
        self._write(self._entry.tobytes())

    def close(self) -> None:
        """Nothing more will come."""
        if self._file is not None:
            self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            if self._file is None or self._file.write(data) != len(data):
                raise OSError("no room is left")
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> SinkError:
        return SinkError(f"cannot write {self.path}: {error.strerror or error}; name another file with --journal")


@dataclass(frozen=True)
class Sent:
    """A journal that has been read.

    Attributes
    ----------
    header : Header
        Of which device.
    entries : ndarray
        In the order in which things happened, one for each packet and each time it was sent; the fields are those of
        `Header.entry`. Read piece by piece from the disk.
    """

    header: Header
    entries: NDArray[Any]

    def that_went(self) -> NDArray[Any]:
        """The entries that were sent, each as often as it was."""
        went: NDArray[Any] = self.entries[(self.entries["fate"] & int(GONE)) == 0]
        return went

    def that_were(self, fate: Fate) -> NDArray[Any]:
        """The entries to which any of this was done."""
        were: NDArray[Any] = self.entries[(self.entries["fate"] & int(fate)) != 0]
        return were


def numbers(entries: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers of all their samples, in order."""
    return _flat(entries, entries["index"][:, None] + np.arange(_width(entries)))


def stamps(entries: NDArray[Any]) -> NDArray[np.float64]:
    """The stamps of all their samples, in order, s."""
    return _flat(entries, entries["stamps"]).astype(np.float64, copy=False)


def values(entries: NDArray[Any]) -> NDArray[Any]:
    """All their samples, (n, channels), in order."""
    return _flat(entries, entries["values"])


def read(path: Path) -> Sent:
    """A journal, also one that is still being written or whose writer was killed.

    Raises
    ------
    SourceError
        If it is none.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(LONGEST_HEADER)
        header = msgspec.json.decode(line, type=Header)
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"{path} is no journal of ecgstream simulate: {error}; name a {SUFFIX} file") from error
    if header.layout != LAYOUT:
        raise SourceError(
            f"{path} is laid out in another way ({header.layout}); read it with the version that wrote it"
        )
    count = (path.stat().st_size - len(line)) // header.entry.itemsize
    if not count:
        return Sent(header, np.zeros(0, header.entry))
    return Sent(header, np.memmap(path, header.entry, "r", offset=len(line), shape=(count,)))


def unwrapped(counts: NDArray[Any], modulus: int, first: int = 0) -> NDArray[np.int64]:
    """Sample numbers from what a counter showed, where they go on by less than half of the modulus at a time.

    Parameters
    ----------
    counts : ndarray
        Whole numbers below `modulus`, whatever their type.
    modulus : int
        Where the counter begins anew.
    first : int
        A number less than half a modulus away from the first.
    """
    shown = np.rint(counts).astype(np.int64)
    steps = np.diff(shown, prepend=first)
    return first + np.cumsum((steps + modulus // 2) % modulus - modulus // 2)


def _width(entries: NDArray[Any]) -> int:
    return int(entries["stamps"].shape[1])


def _flat(entries: NDArray[Any], field: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(field)[np.arange(_width(entries)) < entries["count"][:, None]]
