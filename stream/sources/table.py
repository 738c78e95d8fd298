"""Tables as text (CSV): a line that names the columns, then a row for each sample."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import DISCLAIMER
from stream.channels import Assignment, Channel, Choice
from stream.sources.record import Record, check, check_rate, readable
from stream.sources.whole import laid_out, one_run, rate_of

LARGEST = 1 << 30
"""Bytes: six hours of twelve leads at 500 Hz. What is read of them is held in memory."""
LONGEST_LINE = 1 << 16
"""Bytes: no table of an ECG has a longer one."""
PIECE = 1 << 24
"""Bytes of rows made numbers at once."""
DELIMITERS = ";\t,"
"""The first of these where a header holds as many of one as of another."""
TIMES = ("time", "t", "timestamp", "timestamps", "time stamp", "datetime", "date time")
"""What a column of times is called."""
SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "microsecond", "microseconds"), 1e-6),
}
"""Seconds in a unit of time."""

_NAME = re.compile(r"(.*?)\s*[(\[]([^)\]]*)[)\]]\s*")
_DECIMAL_COMMA = re.compile(rb"\d,\d")
_AROUND = re.compile(rb"[ \"]*([;,\t\n])[ \"]*")
_NOTHING = re.compile(rb"(?<=[;,\t\n])(?:na|n/a|#n/a|null|none|-)(?=[;,\t\n])", re.IGNORECASE)
_NO_NUMBER = re.compile(r"could not convert string (.*) to float64 at row (\d+)")


def open_table(path: Path, assignments: tuple[Assignment, ...], rate: float | None) -> Record:
    """Open a table; see `stream.sources.record.open_record`."""
    if rate is not None:
        check_rate(path, rate)
    try:
        if path.stat().st_size > LARGEST:
            raise SourceError(f"{path} is larger than {LARGEST >> 30} GB, which is held in memory; cut it into pieces")
        with path.open("rb") as file:
            table = _Table(path, file)
            choice = readable(path, table.channels, assignments)
            samples, times = table.read(choice)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; name a file that can") from error
    if times is not None:
        rate = rate_of(path, times) if rate is None else rate
        check_rate(path, rate)
        runs = laid_out(samples, choice.leads, times, rate)
    elif rate is not None:
        runs = one_run(samples, choice.leads)
    else:
        raise SourceError(f"{path} has no column that is called time; say how many rows are a second: --rate 500")
    check(path, rate, runs[-1].end)
    return Record(
        path=path,
        rate=rate,
        n_samples=runs[-1].end,
        runs=runs,
        leads=choice.leads,
        channels=table.channels,
        assignments=assignments,
        gain=0.0,
        files=(path,),
        began=table.began,
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """One as its first line names it: ``II (uV)``."""

    name: str
    unit: str

    @property
    def is_time(self) -> bool:
        return self.name.casefold() in TIMES


class _Table:
    """A table that is being read.

    Attributes
    ----------
    channels : tuple of Channel
        Its columns, but for that of times.
    began : datetime or None
        The first time, where times are dates.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.began: datetime | None = None
        self._path = path
        self._file = file
        self._line = 0
        header, self._delimiter, names = self._header()
        columns = [_column(name) for name in names]
        self._width = len(columns)
        self._time = next((n for n, column in enumerate(columns) if column.is_time), None)
        self._held = [n for n, each in enumerate(columns) if n != self._time and each.name != DISCLAIMER]
        self.channels = tuple(Channel(columns[n].name, columns[n].unit) for n in self._held)
        self._begin_rows(header)
        first = self._first_row()
        self._has_decimal_commas = self._delimiter != b"," and bool(_DECIMAL_COMMA.search(first))
        self._check_width(first)
        self._second = None if self._time is None else self._seconds(columns[self._time], first)
        """A step of the times in s; None where they are dates."""

    def read(self, choice: Choice) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        """The leads in mV, (leads, n), and when they were taken in s, if the table says so."""
        columns = [self._held[column] for column in choice.columns]
        to_mv = np.array(choice.to_mv)
        numbers = [*columns, self._time] if self._second is not None and self._time is not None else columns
        samples, times = [], []
        for piece, lines in self._pieces():
            values = self._numbers(piece, lines, numbers)
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not finite, so not known
                samples.append(np.asarray((values[:, : len(columns)] * to_mv).T, np.float32))
            if self._second is not None:
                times.append(values[:, -1] * self._second)
            elif self._time is not None:
                times.append(self._dates(lines))
        if not samples:
            raise SourceError(f"{self._path} has no row below its first line; get it again")
        return np.concatenate(samples, axis=1), np.concatenate(times) if times else None

    def _fail(self, what: str, line: int | None = None) -> SourceError:
        return SourceError(f"{self._path}, line {line or self._line}: {what}")

    def _cells(self, count: int) -> str:
        return f"there {'is 1 cell' if count == 1 else f'are {count} cells'}, and {self._width} columns are named"

    def _next_line(self) -> bytes:
        line = self._file.readline(LONGEST_LINE + 1)
        self._line += 1
        if len(line) > LONGEST_LINE or b"\0" in line:
            raise self._fail("this is no text that holds a table; save it as CSV in UTF-8")
        return line

    def _header(self) -> tuple[int, bytes, list[str]]:
        """Where the rows begin, what separates columns, and what these are called."""
        while line := self._next_line():
            text = _decoded(line.removeprefix(b"\xef\xbb\xbf")).strip("\r\n")
            if text.strip() and not text.startswith("#"):
                break
        else:
            raise SourceError(f"{self._path} is empty; get it again")
        bare = re.sub(r'"[^"]*"', "", text)
        delimiter = max(DELIMITERS, key=bare.count)
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise self._fail(f"this is no line that names columns ({error})") from error
        if all(_is_number(name) for name in names):
            raise self._fail(
                "there are numbers where the columns should be named; write a first line such as "
                + delimiter.join(("time (s)", "I (mV)", "II (mV)", "V4 (mV)"))
            )
        return self._file.tell(), delimiter.encode(), names

    def _begin_rows(self, at: int) -> None:
        self._file.seek(at)
        self._first_line = self._line + 1

    def _first_row(self) -> bytes:
        """The first row, without going on to the next."""
        at, line = self._file.tell(), self._line
        while (row := self._next_line()) and not row.strip():
            pass
        self._file.seek(at)
        self._line = line
        return row.strip(b"\r\n")

    def _check_width(self, row: bytes) -> None:
        cells = row.count(self._delimiter) + 1
        if row and cells != self._width and b'"' not in row:
            hint = ""
            if self._delimiter == b"," and cells > self._width:
                hint = "; if its numbers have decimal commas, separate them by semicolons"
            raise self._fail(f"{self._cells(cells)}{hint}", self._first_line)

    def _seconds(self, column: _Column, row: bytes) -> float | None:
        """What 1 in the column of times is in s, or None where it holds dates."""
        assert self._time is not None
        cells = _AROUND.sub(rb"\1", row).split(self._delimiter)
        cell = _decoded(cells[self._time]).strip(' "') if self._time < len(cells) else ""
        if self._has_decimal_commas:
            cell = cell.replace(",", ".")
        if column.unit.casefold() in SECONDS:
            return SECONDS[column.unit.casefold()]
        if column.unit or _is_number(cell):
            raise SourceError(
                f"{self._path} does not say in what its times are; call their column 'time (s)' or 'time (ms)'"
            )
        self.began = self._date(cell, self._first_line)
        return None

    def _pieces(self) -> Iterator[tuple[bytes, list[str]]]:
        """Whole rows, some at a time, and each by itself."""
        rest = b""
        self._line = self._first_line
        while True:
            block = self._file.read(PIECE)
            content = rest + block
            end = content.rfind(b"\n") + 1 if block else len(content)
            piece, rest = content[:end], content[end:]
            if len(rest) > LONGEST_LINE or b"\0" in block:
                raise self._fail("this is no text that holds a table; save it as CSV in UTF-8")
            if piece.strip():
                piece = self._tidied(piece)
                yield piece, [line for line in piece.decode("latin-1").split("\n") if line]
            self._line += piece.count(b"\n")
            if not block:
                return

    def _tidied(self, piece: bytes) -> bytes:
        """Cells without blanks and quotes around them, decimal points, and ``nan`` where there is nothing."""
        piece = piece.replace(b"\r", b"")
        piece = b"\n" + piece.removesuffix(b"\n") + b"\n"
        if b" " in piece or b'"' in piece:
            piece = _AROUND.sub(rb"\1", piece)
        if self._has_decimal_commas:
            piece = piece.replace(b",", b".")
        between, nothing = self._delimiter, b"nan"
        for _ in range(2):
            piece = piece.replace(between + between, between + nothing + between)
        return piece.replace(b"\n" + between, b"\n" + nothing + between).replace(
            between + b"\n", between + nothing + b"\n"
        )[1:]

    def _numbers(self, piece: bytes, lines: list[str], columns: Sequence[int]) -> NDArray[np.float64]:
        """Columns of some rows, (rows, columns)."""
        between = self._delimiter.decode()
        if piece.count(self._delimiter) != len(lines) * (self._width - 1):
            for number, line in enumerate(piece.decode("latin-1").split("\n"), self._line):
                if line and line.count(between) != self._width - 1:
                    raise self._fail(self._cells(line.count(between) + 1), number)
        try:
            return self._parsed(lines, columns)
        except ValueError:
            tidier = _NOTHING.sub(b"nan", b"\n" + piece)[1:]
        try:
            return self._parsed([line for line in tidier.decode("latin-1").split("\n") if line], columns)
        except ValueError as error:
            found = _NO_NUMBER.search(str(error))
            cell, row = (found[1], int(found[2])) if found else ("a cell", 0)
            raise self._fail(f"{cell[:40]} is no number", self._line + row) from error

    def _parsed(self, lines: list[str], columns: Sequence[int]) -> NDArray[np.float64]:
        parsed = np.loadtxt(lines, delimiter=self._delimiter.decode(), usecols=columns, comments=None, ndmin=2)
        return np.asarray(parsed, np.float64)

    def _dates(self, lines: list[str]) -> NDArray[np.float64]:
        """When some rows were taken, s since the first."""
        assert self._time is not None
        assert self.began is not None
        between, column, began = self._delimiter.decode(), self._time, self.began
        cells = [line.split(between, column + 1)[column] for line in lines]
        try:
            return np.array([(datetime.fromisoformat(cell) - began).total_seconds() for cell in cells])
        except (ValueError, TypeError):
            for number, cell in enumerate(cells, self._line):
                self._date(cell, number)
            raise self._fail("some of its times have a time zone and some have none; write all alike") from None

    def _date(self, cell: str, line: int) -> datetime:
        try:
            return datetime.fromisoformat(cell)
        except ValueError as error:
            raise self._fail(
                f"{cell[:40]!r} is no time; write 2026-01-31T12:00:00.002, or seconds in a column 'time (s)'", line
            ) from error


def _column(name: str) -> _Column:
    if found := _NAME.fullmatch(name.strip()):
        return _Column(found[1].strip(), found[2].strip())
    return _Column(name.strip(), "")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
