"""Real recordings from PhysioNet: PTB-XL, whole or some of it, laid out as PhysioNet does."""

import csv
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from engine.errors import SourceError, UsageError

SOURCE = "https://physionet.org/files/ptb-xl/1.0.3"
SOURCE_VARIABLE = "ECGSTREAM_PTBXL_URL"
"""An environment variable that names a mirror."""

TABLE = "ptbxl_database.csv"
RATE_COLUMNS = ("filename_lr", "filename_hr")
"""Of the table: a recording's file at 100 Hz and at 500 Hz, without suffix."""

RECORDING_MB = 0.146
"""Both rates of one recording; all 21,799 are 3.2 GB."""
CONNECTIONS = 2
"""As many at once as wfdb allows itself, to be kind to the server."""


@dataclass(frozen=True)
class Progress:
    """How far a fetch is.

    Attributes
    ----------
    done, total : int
        Recordings that are there, and recordings asked for.
    total_mb : float
        What all recordings asked for take.
    """

    done: int
    total: int
    total_mb: float


def fetch_ptbxl(
    records: str | None,
    folder: Path,
    source: str | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> list[Path]:
    """Get recordings of PTB-XL 1.0.3 (Wagner et al., Sci Data 2020;7:154; CC BY 4.0) at 100 and 500 Hz.

    A file appears under its name only when it is whole, a header only after its samples; what is there is not fetched
    again, so a fetch that broke off goes on where it was.

    Parameters
    ----------
    records : str or None
        Numbers (``ecg_id``) and ranges of them, as in ``1-100`` or ``9,38,63``; all if None.
    folder : Path
        ``ptbxl`` is made in it.
    source : str, optional
        URL of the folder that holds ``ptbxl_database.csv``; if not given, that in the environment variable
        ECGSTREAM_PTBXL_URL, or PhysioNet's.
    progress : callable
        Called at the start and after each recording.

    Returns
    -------
    list of Path
        The recordings at 500 Hz, without suffix, in the order of their numbers.

    Raises
    ------
    UsageError
        If the numbers cannot be meant, or the folder cannot be written.
    SourceError
        If there is no network, or the server has not what is asked for.
    """
    wanted = None if records is None else parse_records(records)
    base = (source or os.environ.get(SOURCE_VARIABLE) or SOURCE).rstrip("/")
    root = folder / "ptbxl"
    download(base, root, TABLE)
    chosen = choose(read_table(root / TABLE), wanted)

    def report(done: int) -> None:
        progress(Progress(done, len(chosen), len(chosen) * RECORDING_MB))

    report(0)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done, _ in enumerate(pool.map(partial(_fetch_recording, base, root), chosen), start=1):
            report(done)
    return [root / names[-1] for names in chosen]


def parse_records(text: str) -> list[range]:
    """The ranges of numbers in a text such as ``1-100,205``.

    Raises
    ------
    UsageError
        If it is no list of numbers and ranges.
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise UsageError(
                f"'{part.strip()}' is not a record number of PTB-XL; write for example --records 1-100,205"
            )
        start, stop = int(first), int(last or first)
        if not 1 <= start <= stop:
            raise UsageError(f"'{part.strip()}' holds no record number; they begin at 1, the smaller one comes first")
        ranges.append(range(start, stop + 1))
    return ranges


def read_table(path: Path) -> dict[int, tuple[str, ...]]:
    """The files (100 Hz, 500 Hz) of every recording by its number, from PTB-XL's table.

    Raises
    ------
    SourceError
        If it is no such table; it is taken away, so that the next fetch gets it again.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                int(float(row["ecg_id"])): tuple(row[name] for name in RATE_COLUMNS) for row in csv.DictReader(file)
            }
    except (KeyError, ValueError) as error:
        path.unlink()
        raise SourceError(
            f"what came as {path.name} is not PTB-XL's table; check the network, then try again"
        ) from error


def choose(table: dict[int, tuple[str, ...]], wanted: Iterable[range] | None) -> list[tuple[str, ...]]:
    """The files of the recordings wanted, in the order of their numbers; numbers missing within a range are no matter.

    Raises
    ------
    UsageError
        If there is no recording in one of the ranges.
    """
    if wanted is None:
        return [table[number] for number in sorted(table)]
    wanted = list(wanted)
    for each in wanted:
        if table.keys().isdisjoint(each):
            name = str(each.start) if len(each) == 1 else f"{each.start}-{each.stop - 1}"
            raise UsageError(
                f"PTB-XL has no record {name}; its numbers run from {min(table)} to {max(table)}, with holes"
            )
    return [table[number] for number in sorted(table.keys() & set(chain.from_iterable(wanted)))]


def download(base: str, root: Path, name: str) -> None:
    """Get one file, whole or not at all, unless it is there.

    Raises
    ------
    UsageError
        If it cannot be written.
    SourceError
        If it cannot be had.
    """
    import wfdb.io.download  # late: it pulls pandas and matplotlib

    path = root / name
    if path.exists():
        return
    url, unfinished = f"{base}/{name}", path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        wfdb.io.download.dl_full_file(url, unfinished)
        unfinished.replace(path)
    except OSError as error:  # wfdb's and its HTTP client's errors are among them
        raise _explained(error, url, path) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _fetch_recording(base: str, root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        download(base, root, f"{name}.dat")
        download(base, root, f"{name}.hea")


def _explained(error: OSError, url: str, path: Path) -> SourceError | UsageError:
    if error.errno is not None:  # the disk's errors have a number, those of the network do not
        return UsageError(f"cannot write {path} ({error.strerror}); choose a folder that you can write to")
    status = getattr(error, "status_code", None)
    if status is not None:
        return SourceError(
            f"{url} cannot be had (HTTP {status}); try again later, or name a mirror by {SOURCE_VARIABLE}"
        )
    return SourceError(f"{url} cannot be reached; check the network, then try again: what is here already is kept")
