"""EDF and BDF files are read as edfio reads them, in pieces, and those with gaps with these in their place."""

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SourceError
from engine.leads import INDEX
from stream.channels import Channel, parse_map
from stream.edf import Annotation, write_annotation
from stream.sources.record import Note, Record, open_record, select

THREE = ("ECG I", "ECG II", "ECG V4")
ROWS = [0, 1, 9]
Change = Callable[[bytes], bytes]


def noise(length: int, seed: int = 1) -> np.ndarray:
    """(length, 3) uV."""
    return np.random.default_rng(seed).normal(0, 500, (length, 3))


def signals(data: np.ndarray, rate: float = 500, kind: Any = edfio.EdfSignal) -> list[Any]:
    return [
        kind(data[:, n], rate, label=label, physical_dimension="uV", physical_range=(-5000, 5000))
        for n, label in enumerate(THREE)
    ]


def written(path: Path, data: np.ndarray, rate: float = 500, record_s: float | None = 1, **how: object) -> Path:
    edfio.Edf(signals(data, rate), data_record_duration=record_s, **how).write(path)  # type: ignore[arg-type]
    return path


def expected(path: Path) -> np.ndarray:
    """What edfio reads, mV."""
    return np.array([signal.data for signal in edfio.read_edf(path).signals[:3]], np.float32) / 1000


@given(
    rate=st.sampled_from([128, 250, 360, 500, 2000]),
    record_s=st.sampled_from([0.5, 1, 4]),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_any_piece_is_that_piece_of_what_edfio_reads(
    tmp_path_factory: pytest.TempPathFactory, rate: int, record_s: float, ends: tuple[float, float]
) -> None:
    path = written(tmp_path_factory.mktemp("edf") / "r.edf", noise(8 * rate), rate, record_s)
    record = open_record(path)
    assert (record.rate, record.n_samples, record.leads) == (rate, 8 * rate, ("I", "II", "V4"))
    start, stop = sorted(round(end * record.n_samples) for end in ends)
    piece = record.read(start, stop)
    assert piece.dtype == np.float32
    assert np.allclose(piece[ROWS], expected(path)[:, start:stop], rtol=1e-6, atol=1e-7)
    assert np.isnan(np.delete(piece, ROWS, axis=0)).all()


def test_other_signals_lie_between(tmp_path: Path) -> None:
    three = signals(noise(2000))
    breath = edfio.EdfSignal(np.arange(100.0), 25, label="Resp", physical_dimension="L")
    edfio.Edf([three[0], breath, three[1], three[2]], data_record_duration=1).write(tmp_path / "r.edf")
    record = open_record(tmp_path / "r.edf")
    assert record.channels[1] == Channel("Resp", "L")
    assert np.allclose(record.read(0, 2000)[ROWS] * 1000, [each.data for each in three], atol=1e-3)


def test_a_data_record_as_large_as_the_file_is_read_in_parts(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(250_000), 500, record_s=500)
    record = open_record(path)
    assert np.allclose(record.read(100_000, 100_100)[ROWS], expected(path)[:, 100_000:100_100], rtol=1e-6)


def test_when_it_began_and_what_it_notes(tmp_path: Path) -> None:
    path = written(
        tmp_path / "r.edf",
        noise(5000),
        annotations=[edfio.EdfAnnotation(1.5, None, "wake µ"), edfio.EdfAnnotation(2.5, 1.25, "noise")],
        recording=edfio.Recording(startdate=datetime.date(2026, 1, 2)),
        starttime=datetime.time(3, 4, 5, 250_000),
    )
    record = open_record(path)
    assert record.began == datetime.datetime(2026, 1, 2, 3, 4, 5, 250_000)
    assert record.notes() == [Note(750, "wake µ"), Note(1250, "noise", 625)]
    assert open_record(written(tmp_path / "s.edf", noise(1000))).began is None


def test_bdf_is_read_too(tmp_path: Path) -> None:
    data = noise(2000)
    edfio.Bdf(signals(data, kind=edfio.BdfSignal)).write(tmp_path / "r.bdf")
    record = open_record(tmp_path / "r.bdf")
    assert np.allclose(record.read(300, 1700)[ROWS], data[300:1700].T / 1000, atol=1e-6)
    assert record.gain == pytest.approx(2**24 / 10)


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1), ("V", 1e3), ("nV", 1e-6), ("µV", 1e-3)])
def test_units_become_millivolts(tmp_path: Path, unit: str, scale: float) -> None:
    path = written(tmp_path / "r.edf", noise(1000))
    path.write_bytes(path.read_bytes().replace(b"uV      ", unit.encode("latin-1").ljust(8)))
    assert np.allclose(open_record(path).read(0, 1000)[ROWS], expected_uv(path) * scale, rtol=1e-5)


def expected_uv(path: Path) -> np.ndarray:
    return np.array([each.data for each in edfio.read_edf(path, header_encoding="latin-1").signals])


def test_a_signal_upside_down_is_turned(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(1000))
    before = open_record(path).read(0, 1000)
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"-5000   ", b"LOW     ").replace(b"5000    ", b"-5000   ").replace(b"LOW     ", b"5000    ")
    )
    after = open_record(path).read(0, 1000)
    assert np.allclose(after[ROWS], -before[ROWS], atol=2e-4)


def test_an_unknown_unit_is_refused_with_what_to_type(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(1000))
    path.write_bytes(path.read_bytes().replace(b"uV      ", b"        "))
    with pytest.raises(SourceError, match=r"have no unit.*--map 'ECG I=I:0\.806uV'"):
        open_record(path)
    record = open_record(path, parse_map(["ECG I=I:1uV", "ECG II=II:1uV"]))
    assert select(record, ("I", "II")) == ("I", "II")
    assert np.allclose(record.read(0, 1000)[ROWS[:2]], expected(path)[:2], rtol=1e-5)


def broken(path: Path, onsets: list[float]) -> Path:
    """A file of four data records of a second, as EDF+D: they begin at these times."""
    written(path, noise(2000), annotations=[edfio.EdfAnnotation(0, None, "padding, so that onsets find room")])
    content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    size = int(content[184:192])
    room = (len(content) - size) // 4 - 3000
    for n, onset in enumerate(onsets):
        at = size + n * (3000 + room) + 3000
        content = content[:at] + write_annotation(Annotation(onset)).ljust(room, b"\0") + content[at + room :]
    path.write_bytes(content)
    return path


def test_gaps_of_edf_plus_d_are_in_their_place(tmp_path: Path) -> None:
    path = broken(tmp_path / "r.edf", [0.25, 1.25, 12.252, 3600.25])
    record = open_record(path)
    assert [(run.start, run.length) for run in record.runs] == [(0, 1000), (6001, 500), (1_800_000, 500)]
    whole = record.read(0, record.n_samples)
    samples = expected(path)
    for start, first, last in ((0, 0, 1000), (6001, 1000, 1500), (1_800_000, 1500, 2000)):
        assert np.allclose(whole[ROWS, start : start + last - first], samples[:, first:last], rtol=1e-6)
        assert np.isnan(whole[:, start - 1]).all() or not start
        assert np.isnan(whole[:, min(start + last - first, record.n_samples - 1)]).all() or last == 2000
    assert np.isfinite(whole[0]).sum() == 2000


def test_onsets_that_jitter_are_no_gaps(tmp_path: Path) -> None:
    record = open_record(broken(tmp_path / "r.edf", [0, 1.001, 1.999, 3.0005]))
    assert [(run.start, run.length) for run in record.runs] == [(0, 2000)]


@pytest.mark.parametrize(
    ("onsets", "words"),
    [
        ([0, 1, 1.5, 3], "data record 3 begins before the one before it ends"),
        ([0, 1, -5, 3], "data record 3 begins before the one before it ends"),
        ([0, 1, 2, 9e8], "more than 31 days"),
    ],
)
def test_times_that_cannot_be_are_refused(tmp_path: Path, onsets: list[float], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        open_record(broken(tmp_path / "r.edf", onsets))


def test_a_gap_that_nothing_tells_of_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(2000))
    path.write_bytes(path.read_bytes()[:192] + b"EDF+D" + path.read_bytes()[197:])
    with pytest.raises(SourceError, match="may have gaps, and has no annotations that say where"):
        open_record(path)


def at(place: int, text: str) -> Change:
    return lambda content: content[:place] + text.encode().ljust(8) + content[place + 8 :]


def of_signal(field: int, text: str) -> Change:
    """A field of eight characters of the first of three signals."""
    return at(256 + 3 * field, text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:100], "ends within its header"),
        (lambda content: content[:700], "ends within its header"),
        (lambda content: content[:-100], "holds 3 of the 4 data records that it says"),
        (lambda content: content[:1024], "holds 0 of the 4 data records"),
        (lambda content: b"1" + content[1:], "does not begin as an EDF or BDF file"),
        (at(236, "many"), "number of data records is 'many'"),
        (at(236, "-5"), "there are -5 data records"),
        (at(236, "0"), "holds no data record"),
        (at(244, "0"), "its data records hold nothing"),
        (at(244, "nan"), "length of a data record is 'nan'"),
        (at(244, "1e-300"), r"rate 5e\+302 Hz"),
        (at(244, "100"), "rate 5.0 Hz; records of 100 to 2000 Hz"),
        (of_signal(104, "5000"), "signal 'ECG I' has an empty range"),
        (of_signal(112, "x"), "signal 'ECG I' has an empty range"),
        (of_signal(120, "32767"), "signal 'ECG I' has an empty range"),
        (of_signal(216, "499"), "its leads have different rates .'ECG I' 499 Hz, 'ECG II' 500 Hz"),
        (of_signal(216, "99999999"), "it is cut off: it holds 0 of the 4"),
        (of_signal(216, "-1"), "number of samples of 'ECG I' is -1"),
        (lambda content: content.replace(b"ECG ", b"EEG "), "type for example --map 'EEG I=I' --map"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, change: Change, words: str) -> None:
    path = written(tmp_path / "r.edf", noise(2000))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SourceError, match=words) as caught:
        open_record(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_still_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(2000))
    path.write_bytes(at(236, "-1")(path.read_bytes()[:-1000]))
    record = open_record(path)
    assert record.n_samples == 1500
    assert np.isfinite(record.read(0, 1500)[INDEX["V4"]]).all()


def test_a_file_that_shrinks_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(2000))
    record = open_record(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SourceError, match=re.escape("samples 0 to 2000 cannot be read (it ends early)")):
        record.read(0, 2000)
    path.unlink()
    with pytest.raises(SourceError, match="samples 0 to 2000 cannot be read"):
        record.read(0, 2000)


def test_damaged_annotations_are_said_when_they_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "r.edf", noise(2000), annotations=[edfio.EdfAnnotation(1.5, None, "wake")])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"+1.5\x14wake", b"+1,5\x14wake"))
    record = open_record(path)
    with pytest.raises(SourceError, match="its annotations cannot be read"):
        record.notes()


def test_what_is_opened_tells_its_files(tmp_path: Path) -> None:
    path = written(tmp_path / "day.1.edf", noise(2000))
    record: Record = open_record(path)
    assert (record.name, record.path, record.files) == ("day.1", path, (path,))
