"""Small data folders for tests, laid out as PhysioNet ships PTB-XL, from the bundled synthetic record."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecgstream.records import BUNDLED
from engine.leads import LEADS
from stream.sources.record import open_record
from tests.stream.records import write_record

PIECE = 5000


def piece(number: int) -> NDArray[np.float64]:
    """One of the six pieces of 10 s of the bundled record at 500 Hz, (12, 5000) in mV; from the seventh on smaller."""
    record = open_record(BUNDLED)
    turn, start = divmod(number * PIECE, record.n_samples)
    return record.read(start, start + PIECE).astype(np.float64) * 0.8**turn


def write_ptbxl(root: Path, folds: Sequence[int], rates: Sequence[int] = (100,)) -> Path:
    """A PTB-XL folder in which record k + 1 is of the k-th fold and holds the k-th piece, at these rates."""
    root.mkdir(parents=True)
    rows = []
    for number, fold in enumerate(folds):
        names = {rate: f"records{rate}/00000/{number + 1:05}_{'lr' if rate == 100 else 'hr'}" for rate in (100, 500)}
        rows.append([number + 1, 10_000 + number, fold, names[100], names[500]])
        for rate in rates:
            path = root / names[rate]
            path.parent.mkdir(parents=True, exist_ok=True)
            write_record(path, resample_poly(piece(number), rate, 500, axis=1).T, LEADS, rate=rate)
    with (root / "ptbxl_database.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ecg_id", "patient_id", "strat_fold", "filename_lr", "filename_hr"])
        writer.writerows(rows)
    return root
