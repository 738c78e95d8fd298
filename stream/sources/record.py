"""A recording opened for reading in pieces, whatever kind of file it is: leads in mV at any place, at any length."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError, UsageError
from engine.leads import LEADS
from stream.channels import Assignment, Channel, Choice, choose, held

LOWEST_RATE, HIGHEST_RATE = 100, 2000
SHORTEST_S = 1
LONGEST_S = 31 * 24 * 3600
"""Longer than any recorder runs: what says more is damaged."""

PACKED = (".gz", ".zip", ".xdfz", ".7z", ".zst")


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of a recording that follow one another; between two runs there is a gap.

    Attributes
    ----------
    start, length : int
        In samples at the recording's rate.
    rows : tuple of int
        Which leads it holds, as rows of `LEADS`.
    read : callable
        Gives the samples from one up to another, counted from the run's start: (rows, n) float32, mV.
    """

    start: int
    length: int
    rows: tuple[int, ...]
    read: Callable[[int, int], NDArray[np.float32]]

    @property
    def end(self) -> int:
        """Sample after the last."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Note:
    """What a recording says of one of its samples, or of a stretch.

    Attributes
    ----------
    index : int
        Of the sample.
    text : str
        What is said.
    length : int
        Of the stretch, in samples; 0 if it is about a moment.
    """

    index: int
    text: str
    length: int = 0


def no_notes() -> list[Note]:
    """Of a recording that says nothing."""
    return []


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A recording that `open_record` found fit to read.

    Attributes
    ----------
    path : Path
        The file that names it.
    rate : float
        Samples per second.
    n_samples : int
        Its length, gaps included.
    runs : sequence of Run
        Where it holds something, in order.
    leads : tuple of str
        The leads it holds, in the order of `LEADS`.
    channels : tuple of Channel
        All its signals.
    assignments : tuple of Assignment
        What people say of them.
    gain : float
        The finest of its leads' resolutions, counts/mV.
    files : tuple of Path
        All that it is read from.
    synthetic : bool
        Whether it says that nobody was recorded.
    began : datetime or None
        When its first sample was taken, if it says so; without a time zone where it says none.
    notes : callable
        Gives its annotations in order; raises `SourceError` where they are damaged.
    """

    path: Path
    rate: float
    n_samples: int
    runs: Sequence[Run]
    leads: tuple[str, ...]
    channels: tuple[Channel, ...]
    assignments: tuple[Assignment, ...]
    gain: float
    files: tuple[Path, ...]
    synthetic: bool = False
    began: datetime | None = None
    notes: Callable[[], list[Note]] = no_notes

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.stem

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.n_samples / self.rate

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The samples from `start` up to `stop`.

        Returns
        -------
        ndarray, (12, stop - start) float32, mV
            NaN where the recording holds nothing.

        Raises
        ------
        SourceError
            If the files cannot be read.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise ValueError(f"samples {start} to {stop} do not lie in a record of {self.n_samples}")
        samples = np.full((len(LEADS), stop - start), np.nan, np.float32)
        first = max(0, bisect_right(self.runs, start, key=lambda run: run.start) - 1)
        for run in self.runs[first:]:
            if run.start >= stop:
                break
            begin, end = max(start, run.start), min(stop, run.end)
            if run.rows and begin < end:
                held_here = run.read(begin - run.start, end - run.start)
                samples[run.rows, begin - start : end - start] = np.where(np.isfinite(held_here), held_here, np.nan)
        return samples


def open_record(
    path: Path, assignments: Sequence[Assignment] = (), *, rate: float | None = None, stream: str | None = None
) -> Record:
    """Open a recording and check that all of it can be read as an ECG.

    Parameters
    ----------
    path : Path
        ``x.edf``, ``x.bdf``, ``x.xdf``, ``x.csv``, or a WFDB record: ``x.hea``, ``x.dat`` or ``x``.
    assignments : sequence of Assignment
        What people say of its channels (`stream.channels.parse_map`); it wins over what these say themselves.
    rate : float or None
        Samples per second of a table that does not say when they were taken.
    stream : str or None
        Which of the streams of an XDF file, by its name or number.

    Raises
    ------
    SourceError
        If a file is missing, damaged or shorter than it says, the rate or the length is out of range, there is no lead
        of a known unit in it, or the assignments do not fit it.
    UsageError
        If a rate or a stream is given for what has none to choose.
    """
    kind = path.suffix.casefold()
    is_table = kind in (".csv", ".tsv", ".txt")
    if rate is not None and not is_table:
        raise UsageError(f"--rate {rate:g} is for tables (CSV); {path} says its own")
    if stream is not None and kind != ".xdf":
        raise UsageError(f"--stream {stream} is for XDF files, which may hold several; {path} holds one recording")
    if kind in PACKED:
        raise SourceError(f"{path} is packed; unpack it, then name what was in it")
    # Each kind of file has a module of its own, imported when one is opened, as the libraries behind them take a while.
    if is_table:
        from stream.sources.table import open_table

        return open_table(path, tuple(assignments), rate)
    if kind == ".xdf":
        from stream.sources.xdf import open_xdf

        return open_xdf(path, tuple(assignments), stream)
    if kind in (".edf", ".bdf"):
        from stream.sources.edf import open_edf

        return open_edf(path, tuple(assignments))
    from stream.sources.wfdb import open_wfdb

    return open_wfdb(path, tuple(assignments))


def select(record: Record, leads: tuple[str, ...] | None) -> tuple[str, ...]:
    """The leads of a recording that are the input.

    Parameters
    ----------
    record : Record
        Holds the leads.
    leads : tuple of str or None
        Leads wanted. None means I, II and V4 (two other limb leads if it lacks these) of a record that holds all
        eight independent ones, else all it has.

    Raises
    ------
    SourceError
        If it lacks a lead, a lead's unit is unknown, or there are fewer than two limb leads.
    """
    return choose(record.channels, record.assignments, leads, str(record.path)).leads


def readable(path: Path, channels: Sequence[Channel], assignments: Sequence[Assignment]) -> Choice:
    """The channels of a file that are leads in a known unit.

    Raises
    ------
    SourceError
        If there is none.
    """
    choice = held(channels, assignments, str(path))
    if not choice.leads:
        if not channels:
            raise SourceError(f"{path} holds no signal; choose another recording")
        choose(channels, assignments, None, str(path))  # which says what is the matter, and what to type
    return choice


def check(path: Path, rate: float, n_samples: int) -> None:
    """Refuse a rate or a length that no recording has.

    Raises
    ------
    SourceError
        If one is out of range.
    """
    check_rate(path, rate)
    if not SHORTEST_S <= n_samples / rate <= LONGEST_S:
        needed = f"at least {SHORTEST_S} s are needed" if n_samples < rate else f"more than {LONGEST_S // 86_400} days"
        raise SourceError(f"{path}: {n_samples / rate:.3g} s of samples; {needed}")


def check_rate(path: Path, rate: float | None) -> None:
    """Refuse a rate that no recording has.

    Raises
    ------
    SourceError
        If it is out of range.
    """
    if rate is None or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SourceError(f"{path}: rate {rate} Hz; records of {LOWEST_RATE} to {HIGHEST_RATE} Hz can be read")
