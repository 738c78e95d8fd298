"""What the live path settles of ten real records, summed up as in settled.npz.

The file was made once, by `write`, with the code that is to be kept to; no command makes it again.

Nothing of the recordings is kept: of measured leads a hash, of derived leads (the model's own words) every 97th sample.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from engine.leads import INDEX, LEADS
from stream.channels import parse_map
from stream.sources.record import open_record

FILE = Path(__file__).parent / "settled.npz"
EVERY = 97
CHUNK_MS = 20
SECONDS = 30

Settled = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]
"""Leads, intervals and origins, each (12, n)."""

RECORDS: tuple[tuple[str, str, float, tuple[str, ...]], ...] = (
    ("originals/ptbxl/00009_hr", "records of PTB-XL", 500, ("I", "II", "V4")),
    ("ptbxl/records100/00000/00038_lr", "PTB-XL's own 100 Hz", 100, ("I", "II", "V4")),
    ("originals/mitdb/100", "a Holter's own 360 Hz", 360, ("II", "V5")),
    ("ludb/data/1", "resting", 500, ("I", "II")),
    ("ludb/data/8", "brought to 1000 Hz", 1000, ("I", "II", "V2")),
    ("ludb/data/50", "brought to 250 Hz", 250, ("II", "III", "V3")),
    ("challenge/A/A0001", "brought to 257 Hz", 257, ("I", "II", "V4")),
    ("challenge/A/A0003", "China", 500, ("I", "II", "V1", "V4")),
    ("cinc2011/set-a/1005639", "brought to 128 Hz", 128, ("I", "II", "V4")),
    ("cinc2011/set-a/1002867", "brought to 2000 Hz", 2000, ("aVR", "aVF", "V2", "V5")),
)
"""Where each lies in the data folder, what it is, the rate it is streamed at, and the leads that are given."""


def samples_of(data: Path, name: str, rate: float, leads: tuple[str, ...]) -> NDArray[np.float32]:
    """What a source would send of a record: (12, n) mV at the rate, whole microvolts, NaN where not given."""
    record = open_record(data / name, parse_map(["MLII=II"] if "mitdb" in name else []))
    held = record.read(0, min(record.n_samples, round(SECONDS * record.rate))).astype(np.float64)
    two = held[:2].copy()
    # The folders hold the eight independent leads; a limb lead that is asked for beside them follows exactly.
    for lead, row in (("III", two[1] - two[0]), ("aVR", -(two[0] + two[1]) / 2), ("aVF", two[1] - two[0] / 2)):
        held[INDEX[lead]] = np.where(np.isnan(held[INDEX[lead]]), row, held[INDEX[lead]])
    samples = np.full((len(LEADS), 0), np.nan)
    rows = [INDEX[lead] for lead in leads]
    given = held[rows]
    if rate != record.rate:
        given = resample_poly(given, int(rate), int(record.rate), axis=1)
    samples = np.full((len(LEADS), given.shape[1]), np.nan, np.float32)
    samples[rows] = np.rint(given * 1000) / 1000
    return samples


def summed_up(settled: Settled) -> dict[str, NDArray[np.generic]]:
    """What is kept of a record."""
    leads, interval, origin = settled
    measured = np.where(origin == 1, leads, np.float32(0))
    columns = np.arange(0, leads.shape[1], EVERY)
    return {
        "length": np.array(leads.shape[1]),
        "measured": np.frombuffer(hashlib.sha256(measured.tobytes()).digest(), np.uint8),
        "origin": np.frombuffer(hashlib.sha256(np.ascontiguousarray(origin).tobytes()).digest(), np.uint8),
        "derived": np.where(origin == 1, np.float32(0), leads)[:, columns],
        "interval": interval[:, columns],
    }


def write(data: Path, settle: Callable[[NDArray[np.float32], float], Settled]) -> None:
    """Settle every record and write the file."""
    kept: dict[str, Any] = {}
    for number, (name, _, rate, leads) in enumerate(RECORDS):
        summary = summed_up(settle(samples_of(data, name, rate, leads), rate))
        kept |= {f"{number}.{key}": value for key, value in summary.items()}
    np.savez_compressed(FILE, **kept)
