"""Recordings packed once into a memory-mapped file: eight leads, 10 s pieces at 500 Hz, one microvolt a count."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.signal import butter, resample_poly, sosfiltfilt

from engine import physics
from engine.errors import SourceError
from engine.files import replacing
from engine.leads import INDEPENDENT, INDEPENDENT_ROWS, RATE
from stream.sources.record import open_record
from training.catalog import Entry, files

PIECE = 10 * RATE
COUNTS_PER_MV = 1000
TARGET_HIGH_PASS_HZ, TARGET_ORDER = 0.5, 3
FORMAT = 2
"""Of the packed file; another number makes all of them anew."""
LAYOUT = np.dtype(
    [
        ("signal", "<i2", (len(INDEPENDENT), PIECE)),
        ("target", "<i2", (len(INDEPENDENT), PIECE)),
        ("held", "?", len(INDEPENDENT)),
    ]
)
"""A piece as it stands in the file; the fields are those of `Pack`."""
CHUNK = 4
"""Recordings given to a process at once."""
CHUNKS_AHEAD = 16
"""How many of these each process may be ahead of the writing: bounds the memory, however slow the disk is."""


@dataclass(frozen=True)
class Pack:
    """Pieces of recordings, memory-mapped.

    Attributes
    ----------
    signal : ndarray, (pieces, 8, 5000) int16, uV
        The independent leads as recorded.
    target : ndarray, (pieces, 8, 5000) int16, uV
        The same without what lies below 0.5 Hz, filtered without phase: what the network learns to give.
    held : ndarray, (pieces, 8) bool
        False where the recording lacks a lead or some of its samples. Both arrays then are zero: nobody may take that
        for a measurement, and a lead without signal in `target` is never asked for.
    """

    signal: NDArray[np.int16]
    target: NDArray[np.int16]
    held: NDArray[np.bool_]

    def take(
        self, rows: slice | NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Signal and target of some pieces, (n, 8, 5000) in mV, and which leads they hold, (n, 8) of 0 and 1."""
        signal, target = (np.divide(of[rows], COUNTS_PER_MV, dtype=np.float32) for of in (self.signal, self.target))
        return signal, target, self.held[rows].astype(np.float32)


def pack(entries: list[Entry], cache: Path) -> Pack:
    """The packed pieces of some recordings, made where the cache does not hold them yet.

    Parameters
    ----------
    entries : list of Entry
        Recordings; those shorter than 10 s are left out, longer ones are cut into pieces of 10 s.
    cache : Path
        Folder for the file, which is named by its `fingerprint`.

    Raises
    ------
    SourceError
        If none of the recordings holds 10 s of an independent lead.
    """
    file = cache / f"{fingerprint(entries)}.pack"
    if not file.is_file():
        _write(entries, file)
    pieces = np.memmap(file, LAYOUT, "r")
    return Pack(pieces["signal"], pieces["target"], pieces["held"])


def fingerprint(entries: list[Entry]) -> str:
    """A name for what some recordings are packed to: another for any other recordings, filter or format.

    It follows from the bytes of all files, not from where or when they were written: the same recordings are the same
    for a run that goes on elsewhere, and a record that was mended under its old name is another. Reading them costs a
    second or two for all of PTB-XL at 100 Hz, where to pack them takes minutes.
    """
    constants = (FORMAT, INDEPENDENT, RATE, PIECE, COUNTS_PER_MV, TARGET_HIGH_PASS_HZ, TARGET_ORDER)
    total = hashlib.sha256(repr(constants).encode())
    for entry in entries:
        total.update(entry.path.name.encode() + b"\0")
        for file in files(entry.path.with_name(f"{entry.path.name}.hea")):
            content = file.read_bytes() if file.is_file() else b""  # what is missing is told when it is read
            total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def read(path: Path) -> tuple[NDArray[np.float32], float]:
    """A record's leads and those that follow from them, (12, n) in mV, NaN where there is nothing; and its rate in Hz.

    Raises
    ------
    SourceError
        If it cannot be read as an ECG.
    """
    record = open_record(path)
    known, _, _ = physics.solve(record.read(0, record.n_samples))
    return known, record.rate


def raise_to_500(leads: NDArray[np.floating], rate: float) -> NDArray[np.floating]:
    """Whole recordings at 500 Hz, as the evaluation protocol has it (`scipy.signal.resample_poly`).

    Where the nearest sample is NaN, the result is.
    """
    if rate == RATE:
        return leads
    ratio = RATE / Fraction(rate).limit_denominator(100)
    raised = resample_poly(np.nan_to_num(leads).astype(np.float64), ratio.numerator, ratio.denominator, axis=1)
    nearest = np.rint(np.arange(raised.shape[1]) / float(ratio)).astype(int).clip(max=leads.shape[1] - 1)
    return np.where(np.isnan(leads)[:, nearest], np.nan, raised)


def _pieces(entry: Entry) -> NDArray[np.void]:
    """The pieces of one recording, of `LAYOUT`; those that hold nothing are left out."""
    leads, rate = read(entry.path)
    leads = raise_to_500(leads[list(INDEPENDENT_ROWS)], rate)
    high_pass = butter(TARGET_ORDER, TARGET_HIGH_PASS_HZ, "highpass", fs=RATE, output="sos")
    pieces = np.zeros(leads.shape[1] // PIECE, LAYOUT)
    for number, piece in enumerate(pieces):
        samples = leads[:, number * PIECE : (number + 1) * PIECE].astype(np.float64)
        held = ~np.isnan(samples).any(axis=1)
        piece["held"] = held
        piece["signal"][held] = _counts(samples[held])
        piece["target"][held] = _counts(sosfiltfilt(high_pass, samples[held], axis=1))
    return pieces[pieces["held"].any(axis=1)]


def _counts(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.rint(samples * COUNTS_PER_MV), -32768, 32767).astype(np.int16)


def _write(entries: list[Entry], file: Path) -> None:
    """Write each piece as soon as it is there: the memory does not grow with their number."""
    found = _all_pieces(entries)
    first = next((pieces for pieces in found if len(pieces)), None)
    if first is None:
        raise SourceError("none of the recordings holds 10 s of leads; check --data")
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part, part.open("wb") as out:
        first.tofile(out)
        for pieces in found:
            pieces.tofile(out)


def _all_pieces(entries: list[Entry]) -> Iterator[NDArray[np.void]]:
    """The pieces of each recording, in order."""
    # Processes of their own rather than forks: this one has threads (torch's), which a fork would not have.
    workers = min(os.cpu_count() or 1, len(entries) // CHUNK + 1)
    at_once = workers * CHUNKS_AHEAD * CHUNK
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        starts = range(0, len(entries), at_once)
        found = (
            pieces
            for start in starts
            for pieces in pool.map(_pieces, entries[start : start + at_once], chunksize=CHUNK)
        )
        yield from track(found, "packing", total=len(entries), console=Console(stderr=True))
