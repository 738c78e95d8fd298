"""Which recordings there are to learn from and to judge on: PTB-XL as PhysioNet ships it and the folders beside it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SourceError, UsageError

TRAIN_FOLDS = frozenset(range(1, 9))
VALIDATION_FOLD = 9
TEST_FOLD = 10
NOTHING = "~"
"""What a header names in place of a file or a segment where there is none."""


@dataclass(frozen=True)
class Entry:
    """One recording.

    Attributes
    ----------
    source : str
        ``ptbxl``, ``ludb``, ``cinc2011`` or ``challenge``.
    path : Path
        The record, without suffix.
    fold : int
        PTB-XL's fold; 0 for the other sources, which are for training only.
    """

    source: str
    path: Path
    fold: int


def ptbxl_root(data: Path) -> Path:
    """The folder that holds ``ptbxl_database.csv``: `data` itself or ``data/ptbxl``.

    Raises
    ------
    UsageError
        If neither holds it.
    """
    for root in (data, data / "ptbxl"):
        if (root / "ptbxl_database.csv").is_file():
            return root
    raise UsageError(f"{data} holds no ptbxl_database.csv; give --data a PTB-XL folder, or ecgstream fetch ptbxl")


def ptbxl(data: Path, folds: frozenset[int], rate: int) -> list[Entry]:
    """PTB-XL's records of some folds at 100 or 500 Hz, those whose header is there, in the order of the database."""
    root = ptbxl_root(data)
    column = {100: "filename_lr", 500: "filename_hr"}[rate]
    with (root / "ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        rows = [(int(float(row["strat_fold"])), row[column]) for row in csv.DictReader(file)]
    paths = [(fold, root / name) for fold, name in rows if fold in folds and name]
    return [Entry("ptbxl", path, fold) for fold, path in paths if path.with_suffix(".hea").is_file()]


def training_entries(data: Path) -> list[Entry]:
    """All that is learnt from: PTB-XL's folds 1-8, at 500 Hz where it is there, and the other sources."""
    fine = ptbxl(data, TRAIN_FOLDS, 500)
    have = {_ecg_id(entry.path) for entry in fine}
    coarse = [entry for entry in ptbxl(data, TRAIN_FOLDS, 100) if _ecg_id(entry.path) not in have]
    beside = ptbxl_root(data).parent
    return [*fine, *coarse, *_ludb(beside), *_cinc2011(beside), *_challenge(beside)]


def segments(header: Path) -> list[Path]:
    """The headers that a header names as its segments, none where it is no record of segments.

    Raises
    ------
    SourceError
        If it names one that cannot lie beside it.
    """
    lines = _lines(header)
    if not lines or "/" not in lines[0][0]:
        return []
    return [_beside(header, words[0], ".hea") for words in lines[1:] if words[0] != NOTHING]


def files(header: Path) -> list[Path]:
    """All files of a record: its header and the files of samples that it names, and the same of its segments.

    Raises
    ------
    SourceError
        If it names one that cannot lie beside it.
    """
    if parts := segments(header):
        return [header, *(file for part in parts for file in (part, *_samples(part)))]
    return [header, *_samples(header)]


def _samples(header: Path) -> list[Path]:
    names = dict.fromkeys(words[0] for words in _lines(header)[1:])
    return [_beside(header, name) for name in names if name != NOTHING]


def _lines(header: Path) -> list[list[str]]:
    """The words of a header's lines without comments; none where it is missing."""
    text = header.read_text("latin-1") if header.is_file() else ""
    return [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _beside(header: Path, name: str, suffix: str = "") -> Path:
    if name != Path(name).name:
        raise SourceError(f"{header} names '{name}', which is no file beside it; get the record again")
    return header.with_name(name + suffix)


def _ecg_id(path: Path) -> str:
    """PTB-XL's number of a record, without the suffix that tells its rate."""
    return path.name.split("_")[0]


def _ludb(root: Path) -> Iterator[Entry]:
    for header in sorted((root / "ludb" / "data").glob("*.hea")):
        yield Entry("ludb", header.with_suffix(""), 0)


def _cinc2011(root: Path) -> Iterator[Entry]:
    """The records of acceptable quality, each recording once however many names it has."""
    table = root / "cinc2011" / "quality.csv"
    if not table.is_file():
        return
    seen = set()
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["quality"] == "acceptable" and row["samples_md5"] not in seen:
                seen.add(row["samples_md5"])
                yield Entry("cinc2011", root / "cinc2011" / "set-a" / row["record"], 0)


def _challenge(root: Path) -> Iterator[Entry]:
    """The challenge's records without those that it took from PTB-XL (``HR...``): its test fold is among them."""
    headers = sorted((root / "challenge").glob("*/*.hea"))
    for header in (header for header in headers if not header.name.startswith("HR")):
        yield Entry("challenge", header.with_suffix(""), 0)
