"""Recordings packed once into memory-mapped arrays: eight leads, 10 s pieces at 500 Hz, one microvolt a count."""

import hashlib
import os
from collections.abc import Iterable, Iterator
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
from engine.leads import INDEPENDENT_ROWS, RATE
from stream.sources.record import open_record
from training.catalog import Entry

PIECE = 10 * RATE
COUNTS_PER_MV = 1000
TARGET_HIGH_PASS_HZ = 0.5
CHUNK = 16
"""Recordings given to a process at once."""


@dataclass(frozen=True)
class Pack:
    """Pieces of recordings, memory-mapped.

    Attributes
    ----------
    signal : ndarray, (pieces, 8, 5000) int16, uV
        The independent leads as recorded.
    target : ndarray, (pieces, 8, 5000) int16, uV
        The same without what lies below 0.5 Hz, filtered without phase: what the network learns to give.
    """

    signal: NDArray[np.int16]
    target: NDArray[np.int16]


def pack(entries: list[Entry], cache: Path) -> Pack:
    """The packed pieces of some recordings, made where the cache does not hold them yet.

    Parameters
    ----------
    entries : list of Entry
        Recordings; those shorter than 10 s are left out, longer ones are cut into pieces of 10 s.
    cache : Path
        Folder for the arrays; a name is made from the list of recordings.

    Raises
    ------
    SourceError
        If none of the recordings holds 10 s of the eight independent leads.
    """
    key = hashlib.sha256("\n".join(str(entry.path) for entry in entries).encode()).hexdigest()[:16]
    files = [cache / f"{key}-{name}.npy" for name in ("signal", "target")]
    if not all(file.is_file() for file in files):
        _write(entries, files)
    signal, target = (np.load(file, mmap_mode="r") for file in files)
    return Pack(signal, target)


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


def _pieces(entry: Entry) -> list[NDArray[np.int16]]:
    """The pieces of one recording, each (2, 8, 5000): as recorded, and as target."""
    leads, rate = read(entry.path)
    leads = np.nan_to_num(raise_to_500(leads[list(INDEPENDENT_ROWS)], rate)).astype(np.float64)
    high_pass = butter(3, TARGET_HIGH_PASS_HZ, "highpass", fs=RATE, output="sos")
    pieces = []
    for start in range(0, leads.shape[1] - PIECE + 1, PIECE):
        piece = leads[:, start : start + PIECE]
        both = np.stack([piece, sosfiltfilt(high_pass, piece, axis=1)])
        pieces.append(np.clip(np.rint(both * COUNTS_PER_MV), -32768, 32767).astype(np.int16))
    return pieces


def _write(entries: list[Entry], files: Iterable[Path]) -> None:
    """Write the arrays under temporary names first, so that a broken run leaves nothing that looks whole."""
    pieces = list(_all_pieces(entries))
    if not pieces:
        raise SourceError("none of the recordings holds 10 s of leads; check --data")
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        array = np.lib.format.open_memmap(partial, "w+", np.int16, (len(pieces), *pieces[0].shape[1:]))
        for row, piece in enumerate(pieces):
            array[row] = piece[number]
        array.flush()
        partial.rename(file)


def _all_pieces(entries: list[Entry]) -> Iterator[NDArray[np.int16]]:
    # Processes of their own rather than forks: this one has threads (torch's), which a fork would not have.
    workers = min(os.cpu_count() or 1, len(entries) // CHUNK + 1)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        found = pool.map(_pieces, entries, chunksize=CHUNK)
        for pieces in track(found, "packing", total=len(entries), console=Console(stderr=True)):
            yield from pieces
