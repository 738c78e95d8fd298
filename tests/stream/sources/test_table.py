"""Tables are read as they were written: by their times, their units and their own way to write numbers."""

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EcgStreamError, SourceError
from engine.leads import INDEX
from stream.channels import Channel, parse_map
from stream.sources import table
from stream.sources.record import Record, open_record, select

ROWS = [0, 1, 9]
HEADER = "time (s),I (mV),II (mV),V4 (mV)"


def noise(length: int, seed: int = 1) -> np.ndarray:
    """(length, 3) mV, whole microvolts."""
    return np.random.default_rng(seed).integers(-3000, 3000, (length, 3)) / 1000


def rows(data: np.ndarray, rate: float = 500, decimals: int = 6) -> list[str]:
    return [f"{n / rate:.{decimals}f},{a:.3f},{b:.3f},{c:.3f}" for n, (a, b, c) in enumerate(data.tolist())]


def written(folder: Path, lines: list[str], name: str = "r.csv", encoding: str = "utf-8", end: str = "\n") -> Path:
    (folder / name).write_bytes((end.join(lines) + end).encode(encoding))
    return folder / name


def opened(folder: Path, lines: list[str], *pairs: str, rate: float | None = None) -> Record:
    return open_record(written(folder, lines), parse_map(pairs), rate=rate)


def samples(record: Record) -> np.ndarray:
    return record.read(0, record.n_samples)[ROWS]


def test_a_table_with_times_says_its_rate(tmp_path: Path) -> None:
    data = noise(1000)
    record = opened(tmp_path, [HEADER, *rows(data)])
    assert (record.name, record.rate, record.n_samples, record.leads) == ("r", 500, 1000, ("I", "II", "V4"))
    assert record.channels == (Channel("I", "mV"), Channel("II", "mV"), Channel("V4", "mV"))
    assert np.array_equal(samples(record), data.T.astype(np.float32))
    assert np.array_equal(record.read(300, 700)[ROWS], data[300:700].T.astype(np.float32))
    assert select(record, None) == ("I", "II", "V4")


def test_a_table_without_times_needs_a_rate(tmp_path: Path) -> None:
    data = noise(1000)
    lines = ["I (mV),II (mV),V4 (mV)", *(line.partition(",")[2] for line in rows(data))]
    with pytest.raises(SourceError, match="no column that is called time; say how many rows are a second: --rate 500"):
        opened(tmp_path, lines)
    record = opened(tmp_path, lines, rate=250)
    assert (record.rate, record.n_samples) == (250, 1000)
    assert np.array_equal(samples(record), data.T.astype(np.float32))
    with pytest.raises(SourceError, match=r"rate 50 Hz; records of 100 to 2000 Hz"):
        opened(tmp_path, lines, rate=50)


@pytest.mark.parametrize("rate", [100, 128, 250, 360, 499.5, 500, 1000, 2000])
@pytest.mark.parametrize("decimals", [3, 6])
def test_times_to_the_millisecond_are_enough(tmp_path: Path, rate: float, decimals: int) -> None:
    data = noise(5000)
    record = opened(tmp_path, [HEADER, *rows(data, rate, decimals)])
    assert record.rate == pytest.approx(rate, rel=1e-3)
    assert np.array_equal(samples(record), data.T.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "factor", "first"), [("Time [ms]", 1000, 0), ("t (s)", 1, 1.7e9), ("timestamp (us)", 1e6, 5)]
)
def test_units_of_time(tmp_path: Path, name: str, factor: float, first: float) -> None:
    data = noise(1000)
    lines = [f"{(first + n / 500) * factor:.3f},{a},{b},{c}" for n, (a, b, c) in enumerate(data.tolist())]
    record = opened(tmp_path, [f"{name},I (mV),II (mV),V4 (mV)", *lines])
    assert record.rate == 500
    assert np.array_equal(samples(record), data.T.astype(np.float32))


@pytest.mark.parametrize(
    ("form", "began"),
    [
        ("2026-01-31T12:00:{:06.3f}", datetime(2026, 1, 31, 12)),
        ("2026-01-31 12:00:{:09.6f}Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ('"2026-01-31 12:00:{:06.3f}"', datetime(2026, 1, 31, 12)),
    ],
)
def test_times_may_be_dates(tmp_path: Path, form: str, began: datetime) -> None:
    data = noise(1000)
    lines = [f"{form.format(n / 500)},{a},{b},{c}" for n, (a, b, c) in enumerate(data.tolist())]
    record = opened(tmp_path, ["Timestamp,I (mV),II (mV),V4 (mV)", *lines])
    assert (record.rate, record.n_samples, record.began) == (500, 1000, began)
    assert np.array_equal(samples(record), data.T.astype(np.float32))


@given(gaps=st.lists(st.tuples(st.integers(1, 990), st.integers(1, 100_000)), max_size=4))
def test_times_that_jump_are_gaps_of_their_length(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[int, int]]
) -> None:
    data = noise(1000)
    index = np.arange(1000)
    for place, length in gaps:
        index[place:] += length
    lines = [f"{n / 500:.3f},{a},{b},{c}" for n, (a, b, c) in zip(index.tolist(), data.tolist(), strict=True)]
    record = opened(tmp_path_factory.mktemp("gaps"), [HEADER, *lines])
    assert record.n_samples == index[-1] + 1
    expected = np.full((3, record.n_samples), np.nan, np.float32)
    expected[:, index] = data.T
    assert np.array_equal(samples(record), expected, equal_nan=True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_whatever_separates_columns_and_rows(tmp_path: Path, delimiter: str, end: str) -> None:
    data = noise(1000)
    lines = [line.replace(",", delimiter) for line in [HEADER, *rows(data)]]
    record = open_record(written(tmp_path, lines, "r.tsv", end=end))
    assert np.array_equal(samples(record), data.T.astype(np.float32))


def test_decimal_commas(tmp_path: Path) -> None:
    data = noise(1000)
    lines = [line.replace(",", ";").replace(".", ",") for line in rows(data)]
    record = opened(tmp_path, ["Time (s);I (mV);II (mV);V4 (mV)", *lines])
    assert np.array_equal(samples(record), data.T.astype(np.float32))
    with pytest.raises(
        SourceError, match="line 2: there are 8 cells, and 4 columns are named; if its numbers have dec"
    ):
        opened(tmp_path, [HEADER, *(line.replace(".", ",") for line in rows(data))])


@pytest.mark.parametrize("nothing", ["", " ", "NA", "nan", "NaN", "null", "None", "-", '""', "N/A"])
def test_a_cell_without_a_number_is_a_sample_that_is_missing(tmp_path: Path, nothing: str) -> None:
    data = noise(1000)
    lines = rows(data)
    for n in (0, 5, 6, 999):
        cells = lines[n].split(",")
        lines[n] = ",".join([cells[0], nothing, cells[2], nothing])
    expected = data.T.astype(np.float32)
    expected[[[0], [2]], [0, 5, 6, 999]] = np.nan
    assert np.array_equal(samples(opened(tmp_path, [HEADER, *lines])), expected, equal_nan=True)


def test_units_and_scales(tmp_path: Path) -> None:
    data = noise(1000)
    header = "time (s),I (µV),II [V],V4"
    for encoding in ("utf-8", "utf-8-sig", "latin-1"):
        path = written(tmp_path, [header, *rows(data)], encoding=encoding)
        with pytest.raises(SourceError, match=r"channel V4 has no unit.*--map V4=V4:0\.806uV"):
            select(open_record(path), None)
        record = open_record(path, parse_map(["V4=V4:2uV"]))
        assert np.allclose(samples(record), data.T * [[1e-3], [1e3], [2e-3]], rtol=1e-6)


def test_other_columns_may_hold_anything(tmp_path: Path) -> None:
    data = noise(1000)
    lines = [f"note {n},{line},," for n, line in enumerate(rows(data))]
    record = opened(tmp_path, ["what,time (s),I (mV),II (mV),V4 (mV),,Resp (%)", *lines])
    assert np.array_equal(samples(record), data.T.astype(np.float32))


def test_comments_and_blank_lines_before_the_header(tmp_path: Path) -> None:
    data = noise(1000)
    record = opened(tmp_path, ["# exported by a device", "", HEADER, *rows(data)[:500], "", *rows(data)[500:]])
    assert np.array_equal(samples(record), data.T.astype(np.float32))


def test_pieces_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise(1000)
    whole = samples(opened(tmp_path, [HEADER, *rows(data)]))
    for piece in (40, 1000, 4097):
        monkeypatch.setattr(table, "PIECE", piece)
        assert np.array_equal(samples(opened(tmp_path, [HEADER, *rows(data)])), whole)


GOOD = rows(noise(600))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "is empty"),
        ([HEADER], "has no row below its first line"),
        (
            GOOD,
            "line 1: there are numbers where the columns should be named; write a first line such as time (s),I (mV)",
        ),
        ([HEADER, *GOOD[:300], "0.6,1,x,2", *GOOD[300:]], "line 302: 'x' is no number"),
        ([HEADER, *GOOD[:300], "0.6,1,2", *GOOD[300:]], "line 302: there are 3 cells, and 4 columns are named"),
        ([HEADER, *GOOD, "1.2,1"], "line 602: there are 2 cells, and 4 columns are named"),
        ([HEADER.replace(" (s)", ""), *GOOD], "does not say in what its times are; call their column 'time (s)'"),
        ([HEADER.replace("(s)", "(h)"), *GOOD], "does not say in what its times are; call their column 'time (s)'"),
        (["time,I (mV),II (mV),V4 (mV)", "yesterday,1,2,3"], "line 2: 'yesterday' is no time; write 2026-01-31T12:00"),
        (
            ["time,I (mV),II (mV)", "2026-01-31T12:00:00,1,2", "2026-01-31T12:00:00.002Z,1,2"],
            "some of its times have a time zone and some have none",
        ),
        (["time,I (mV),II (mV)", "2026-01-31T12:00:00,1,2", "never,1,2"], "line 3: 'never' is no time"),
        ([HEADER, *["0,1,2,3"] * 600], "its times do not grow; leave them out and say --rate"),
        ([HEADER, *GOOD[:300]], "0.6 s of samples; at least 1 s"),
        ([HEADER, *GOOD[:599], "9e9,1,2,3"], "31 days"),
        ([HEADER.replace("I (mV),II (mV)", "A (mV),B (mV)"), *GOOD], "type for example --map A=I --map B=II"),
        (["\0" * 100], "line 1: this is no text that holds a table"),
        (["x" * 100_000], "line 1: this is no text that holds a table"),
        ([HEADER, *GOOD, "y" * 100_000], "line 602: there is 1 cell, and 4 columns are named"),
        (['"time (s),I (mV)', *GOOD], "line 1: this is no line that names columns"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(EcgStreamError, match=re.escape(words)) as caught:
        select(opened(tmp_path, lines), None)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "r.csv") in str(caught.value)


def test_what_does_not_fit_the_memory_is_refused_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER, *GOOD])
    with path.open("r+b") as file:
        file.truncate(table.LARGEST + 1)
    with pytest.raises(SourceError, match="is larger than 1 GB"):
        open_record(path)


def test_utf_16_is_said_to_be_no_text(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="save it as CSV in UTF-8"):
        open_record(written(tmp_path, [HEADER, *GOOD], encoding="utf-16"))


def test_what_is_not_finite_is_not_known(tmp_path: Path) -> None:
    lines = [HEADER, "0.000,inf,1e300,-inf", *GOOD[1:]]
    record = opened(tmp_path, lines)
    assert np.isnan(record.read(0, 1)[[INDEX["I"], INDEX["II"], INDEX["V4"]]]).all()
