"""Real recordings from PhysioNet: PTB-XL, whole or some of it, laid out as PhysioNet does."""

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.errors import SourceError, UsageError

if TYPE_CHECKING:
    from requests import Response, Session

SOURCE = "https://physionet.org/files/ptb-xl/1.0.3"
SOURCE_VARIABLE = "ECGSTREAM_PTBXL_URL"
"""An environment variable that names a mirror."""
OTHER_SOURCE = f"name another mirror by {SOURCE_VARIABLE}"

CHECKSUMS = "SHA256SUMS.txt"
"""Of every file of the collection; a line is a SHA-256 and a path."""
CHECKSUM_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S.*)")
TABLE = "ptbxl_database.csv"
RATE_COLUMNS = ("filename_lr", "filename_hr")
"""Of the table: a recording's file at 100 Hz and at 500 Hz, without suffix."""
PLAIN_PATH = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
"""As PTB-XL's all are: with no dot, colon or backslash, on no system does it lead out of its folder."""

RECORDING_MB = 0.146
"""Both rates of one recording; all 21,799 are 3.2 GB."""
CONNECTIONS = 2
"""At once, to be kind to the server; each is kept from file to file."""
TIMEOUT_S = 30.0
PIECE_BYTES = 1 << 16

Read = TypeVar("Read")


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

    A file appears under its name only when it is whole and as its SHA-256 says, a header only after its samples. What
    is there so is not fetched again, so a fetch that broke off goes on where it was. No folder is left empty.

    Parameters
    ----------
    records : str or None
        Numbers (``ecg_id``) and ranges of them, as in ``1-100`` or ``9,38,63``; all if None.
    folder : Path
        ``ptbxl`` is made in it.
    source : str, optional
        URL of the folder that holds ``SHA256SUMS.txt`` and ``ptbxl_database.csv``; if not given, that in the
        environment variable ECGSTREAM_PTBXL_URL, or PhysioNet's.
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
        If there is no network, or the server has not what is asked for, or not as its checksums say.
    """
    import requests  # late, as pooch: they take a while

    wanted = None if records is None else parse_records(records)
    base = (source or os.environ.get(SOURCE_VARIABLE) or SOURCE).rstrip("/")
    root = folder / "ptbxl"
    with _folders([root]), requests.Session() as session:
        mirror = Mirror(base, root, session)
        chosen = choose(mirror.read(TABLE, read_table), wanted)
        mirror.require(chain.from_iterable(map(_files, chosen)))

        def report(done: int) -> None:
            progress(Progress(done, len(chosen), len(chosen) * RECORDING_MB))

        report(0)
        parents = {(root / name).parent for names in chosen for name in names}
        with _folders(sorted(parents)), ThreadPoolExecutor(CONNECTIONS) as pool:
            for done, _ in enumerate(pool.map(partial(_fetch_recording, mirror), chosen), start=1):
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


def read_checksums(path: Path) -> dict[str, str]:
    """The SHA-256 of every file of the collection by its path.

    Raises
    ------
    SourceError
        If it is no such list.
    """
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    matches = [match for match in map(CHECKSUM_LINE.fullmatch, lines) if match]
    if not matches or len(matches) < len(lines):
        raise SourceError(f"what came as {path.name} is no list of checksums; check the network, then try again")
    return {match[2]: match[1] for match in matches}


def read_table(path: Path) -> dict[int, tuple[str, ...]]:
    """The files (100 Hz, 500 Hz) of every recording by its number, from PTB-XL's table.

    Raises
    ------
    SourceError
        If it is no such table, or names a file that might lie outside its folder.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = {
                int(float(row["ecg_id"])): tuple(row[name] or "" for name in RATE_COLUMNS)
                for row in csv.DictReader(file)
            }
            if not table:
                raise ValueError("no recordings")
    except (KeyError, ValueError, OverflowError, csv.Error) as error:
        raise SourceError(f"what came as {path.name} is not PTB-XL's table; {OTHER_SOURCE}") from error
    for name in chain.from_iterable(table.values()):
        if not PLAIN_PATH.fullmatch(name):
            raise SourceError(f"{path.name} names {name!r}, which might lie outside its folder; {OTHER_SOURCE}")
    return table


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


class Mirror:
    """A server's collection and the folder it goes to: every file whole and as the server's checksums say.

    Parameters
    ----------
    base : str
        URL of the collection.
    root : Path
        The folder.
    session : Session
        Its connections, closed by whoever opened it.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    SourceError
        If the checksums cannot be had.
    """

    def __init__(self, base: str, root: Path, session: "Session") -> None:
        import pooch

        pooch.get_logger().setLevel("CRITICAL")  # what is to be said, errors say
        self._root = root
        self._session = session
        self._files = pooch.create(root.absolute(), base, registry={CHECKSUMS: None})
        self._files.registry = self.read(CHECKSUMS, read_checksums)

    def read(self, name: str, reader: Callable[[Path], Read]) -> Read:
        """What a file says; one that cannot be read is taken away, so that the next fetch gets it again."""
        self.require([name])
        path = self.get(name)
        try:
            return reader(path)
        except SourceError:
            self._take_away(name, CHECKSUMS)
            raise

    def require(self, names: Iterable[str]) -> None:
        """Refuse files that have no checksum, before any of them is fetched.

        Raises
        ------
        SourceError
            If there is one.
        """
        for name in names:
            if name not in self._files.registry:
                self._take_away(CHECKSUMS)
                raise SourceError(f"{self._files.base_url}{CHECKSUMS} does not name {name}; {OTHER_SOURCE}")

    def get(self, name: str) -> Path:
        """Get one file, unless it is there and whole; what is there stays until the new one is whole.

        Raises
        ------
        UsageError
            If it cannot be written.
        SourceError
            If it cannot be had, or is not what its checksum says.
        """
        import requests

        url, path = self._files.get_url(name), self._root / name
        try:
            self._files.fetch(name, downloader=self._download)
        except requests.RequestException as error:
            raise _unavailable(url, error.response) from error
        except ValueError as error:  # pooch's word for a wrong checksum
            self._take_away(CHECKSUMS)
            raise SourceError(
                f"{url} is not what {CHECKSUMS} says and was not kept; try again, or {OTHER_SOURCE}"
            ) from error
        except OSError as error:
            raise _cannot_write(path, error) from error
        return path

    def _download(self, url: str, path: str, _files: object) -> None:
        with self._session.get(url, stream=True, timeout=TIMEOUT_S) as response:
            response.raise_for_status()
            Path(path).unlink()  # pooch made it for its owner's eyes alone; made anew it gets the usual permissions
            with open(path, "xb") as file:
                file.writelines(response.iter_content(PIECE_BYTES))

    def _take_away(self, *names: str) -> None:
        """So that the next fetch gets them again: from another mirror, it may be."""
        for name in names:
            with suppress(OSError):
                (self._root / name).unlink()


def _files(names: Iterable[str]) -> list[str]:
    """A header after its samples."""
    return [f"{name}{suffix}" for name in names for suffix in (".dat", ".hea")]


def _fetch_recording(mirror: Mirror, names: tuple[str, ...]) -> None:
    for name in _files(names):
        mirror.get(name)


@contextmanager
def _folders(folders: Iterable[Path]) -> Iterator[None]:
    """Make folders; those that stay empty go again at the end."""
    with ExitStack() as made:
        for folder in folders:
            try:
                for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
                    each.mkdir(exist_ok=True)
                    made.callback(_remove_if_empty, each)
            except OSError as error:
                raise _cannot_write(folder, error) from error
        yield


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _unavailable(url: str, response: "Response | None") -> SourceError:
    if response is None:
        return SourceError(f"{url} cannot be reached; check the network, then try again: what is here already is kept")
    return SourceError(f"{url} cannot be had (HTTP {response.status_code}); try again later, or {OTHER_SOURCE}")


def _cannot_write(path: Path, error: OSError) -> UsageError:
    reason = error.strerror or "Permission denied"  # which pooch says in a text of its own
    return UsageError(f"cannot write {path} ({reason}); choose a folder that you can write to")
