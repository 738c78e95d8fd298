"""Records are read as wfdb reads them, in pieces, and what cannot be read is said in one line."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EcgStreamError, SourceError
from engine.leads import INDEPENDENT, INDEX, LEADS
from stream.channels import Channel, parse_map
from stream.sources.record import Note, Record, open_record, select
from tests.stream.records import write_record

THREE = ("I", "II", "V4")


def noise(length: int, signals: int = 3, seed: int = 1) -> np.ndarray:
    """Values on the grid of 1000 counts/mV, (length, signals)."""
    return np.random.default_rng(seed).integers(-2000, 2000, (length, signals)) / 1000


def opened(folder: Path, length: int = 1500, names: tuple[str, ...] = THREE, **settings: object) -> Record:
    path = write_record(folder / "r", noise(length, len(names)), names, **settings)  # type: ignore[arg-type]
    return open_record(path)


def edited(path: Path, old: str, new: str) -> Path:
    """The same record with another header."""
    header = path.with_suffix(".hea")
    content = header.read_text()
    assert old in content
    header.write_text(content.replace(old, new))
    return path


@pytest.mark.parametrize("suffix", ["", ".hea"])
def test_a_record_is_named_by_any_of_its_files(tmp_path: Path, suffix: str) -> None:
    path = write_record(tmp_path / "r", noise(1500), THREE, rate=360, comments=["A synthetic record"])
    path.with_suffix(".hea").rename(tmp_path / "day.1.hea")
    record = open_record(tmp_path / f"day.1{suffix}")
    assert (record.name, record.path, record.rate) == ("day.1", tmp_path / "day.1.hea", 360)
    assert (record.n_samples, record.leads) == (1500, THREE)
    assert record.channels == tuple(Channel(name, "mV") for name in THREE)
    assert record.seconds == pytest.approx(1500 / 360)
    assert record.synthetic
    assert record.gain == 1000


@given(start=st.integers(0, 1500), length=st.integers(0, 1500))
def test_any_piece_is_that_piece_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int
) -> None:
    record = _shared(tmp_path_factory)
    stop = min(1500, start + length)
    expected = np.full((12, stop - start), np.nan, np.float32)
    expected[[0, 1, 9]] = noise(1500)[start:stop].T
    piece = record.read(start, stop)
    assert piece.dtype == np.float32
    assert np.array_equal(piece, expected, equal_nan=True)


_made: list[Record] = []


def _shared(factory: pytest.TempPathFactory) -> Record:
    if not _made:
        _made.append(opened(factory.mktemp("record")))
    return _made[0]


def test_dat_names_the_record_too(tmp_path: Path) -> None:
    assert opened(tmp_path).path == open_record(tmp_path / "r.dat").path


@pytest.mark.parametrize(
    ("unit", "scale"), [("mV", 1), ("uV", 1e-3), ("µV", 1e-3), ("μV", 1e-3), ("microvolt", 1e-3), ("V", 1e3)]
)
def test_units_become_millivolts(tmp_path: Path, unit: str, scale: float) -> None:
    path = write_record(tmp_path / "r", noise(600), THREE)
    path = path.with_suffix(".hea")
    path.write_text(path.read_text().replace("/mV", f"/{unit}"), encoding="utf-8")
    record = open_record(path)
    assert record.read(0, 600)[0] == pytest.approx(noise(600)[:, 0] * scale, rel=1e-6)
    assert record.gain == pytest.approx(1000 / scale)
    path.write_text(path.read_text(encoding="utf-8").replace("μ", "µ"), encoding="latin-1")
    assert open_record(path).gain == pytest.approx(1000 / scale)


def test_names_are_leads_or_are_mapped_or_are_left_out(tmp_path: Path) -> None:
    names = ("lead ii", "avr", "MLII", "dV1", "Resp", "v3")
    path = write_record(tmp_path / "r", noise(600, 6), names)
    assert open_record(path).leads == ("II", "aVR", "V3")
    record = open_record(path, parse_map(["mlii=I", "V3=V4"]))
    assert record.leads == ("I", "II", "aVR", "V4")
    assert np.array_equal(record.read(0, 600)[INDEX["V4"]], noise(600, 6)[:, 5].astype(np.float32))
    assert tuple(channel.label for channel in record.channels) == names


def test_one_signals_missing_samples_are_nan(tmp_path: Path) -> None:
    signals = noise(600)
    signals[100:150, 1] = np.nan
    record = open_record(write_record(tmp_path / "r", signals, THREE))
    assert np.isnan(record.read(90, 160)[1]).sum() == 50
    assert np.array_equal(record.read(0, 600)[1], signals[:, 1].astype(np.float32), equal_nan=True)


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212", "516"])
def test_formats_are_read_to_their_last_sample(tmp_path: Path, fmt: str) -> None:
    signals = np.random.default_rng(1).integers(-100, 100, (701, 3)) / 1000
    record = open_record(write_record(tmp_path / "r", signals, THREE, fmt=fmt))
    assert np.array_equal(record.read(0, 701)[[0, 1, 9]], signals.T.astype(np.float32))
    assert np.array_equal(record.read(333, 701)[[0, 1, 9]], signals[333:].T.astype(np.float32))


@pytest.mark.parametrize("fixed", [True, False])
def test_segments_are_read_as_one(tmp_path: Path, fixed: bool) -> None:
    one, two = noise(600, seed=1), noise(700, seed=2)
    write_record(tmp_path / "s1", one, THREE)
    write_record(tmp_path / "s2", two * 1000, ("V4", "I", "II"), units="uV", gain=1)
    lines = ["s1 600", "s2 700"] if fixed else ["layout 0", "s1 600", "~ 300", "s2 700"]
    (tmp_path / "layout.hea").write_text("layout 3 500 0\n" + "".join(f"~ 0 1000/mV 16 0 0 0 0 {n}\n" for n in THREE))
    total = 1300 if fixed else 1600
    (tmp_path / "r.hea").write_text(f"r/{len(lines)} 3 500 {total}\n" + "\n".join(lines) + "\n")
    record = open_record(tmp_path / "r")
    assert (record.n_samples, record.leads) == (total, THREE)
    gap = np.full((3, total - 1300), np.nan, np.float32)
    expected = np.concatenate([one.T, gap, two.T[[1, 2, 0]]], axis=1).astype(np.float32)
    assert np.allclose(record.read(0, total)[[0, 1, 9]], expected, rtol=1e-6, equal_nan=True)
    assert np.allclose(record.read(550, 1250)[[0, 1, 9]], expected[:, 550:1250], rtol=1e-6, equal_nan=True)


def test_a_header_without_a_count_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = edited(write_record(tmp_path / "r", noise(1500), THREE), "r 3 500 1500", "r 3 500")
    record = open_record(path)
    assert record.n_samples == 1500
    assert np.array_equal(record.read(0, 1500)[[0, 1, 9]], noise(1500).T.astype(np.float32))
    assert wfdb.rdrecord(str(path)).sig_len == 1500


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda r: r.with_suffix(".hea").unlink(), "r.dat has no header"),
        (lambda r: [r.with_suffix(each).unlink() for each in (".hea", ".dat")], "there is no record"),
        (lambda r: r.with_suffix(".dat").unlink(), "has no data"),
        (lambda r: r.with_suffix(".dat").write_bytes(b"\0" * 600), "is cut off: it holds 100 of the 1500 samples"),
        (lambda r: r.with_suffix(".hea").write_bytes(b""), "is no WFDB header"),
        (lambda r: r.with_suffix(".hea").write_bytes(bytes(range(256)) * 20), "is no WFDB header"),
        (lambda r: r.with_suffix(".hea").write_text("r 3 500 1500\n"), "3 signals announced, 0 described"),
        (lambda r: r.with_suffix(".hea").write_text("r 0 500 1500\n"), "holds no signal"),
        (lambda r: edited(r, "r 3 500 1500", "r 3 50 1500"), "rate 50 Hz; records of 100 to 2000"),
        (lambda r: edited(r, "r 3 500 1500", "r 3 2001 1500"), "rate 2001 Hz"),
        (lambda r: edited(r, "r 3 500 1500", "r 3 500 499"), "0.998 s of samples; at least 1 s"),
        (lambda r: edited(r, "/mV", "/mmHg"), "channels I, II and V4 are in 'mmHg', which is no voltage"),
        (lambda r: edited(r, " 16 1000", " 8 1000"), "format 8 cannot be read in pieces"),
        (lambda r: edited(r, " 16 1000", " 516 1000"), "cannot be read .*FLAC"),
        (lambda r: edited(r, " II", " I"), "channels 1 and 2 are both I; map one of them"),
        (lambda r: r.with_suffix(".hea").write_text("r/1 3 500 700\nx 700\n"), "is missing; put it there"),
        (lambda r: r.with_suffix(".hea").write_text("r/1 3 500 700\nr 700\n"), "is no segment of"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, break_it: object, words: str) -> None:
    path = write_record(tmp_path / "r", noise(1500), THREE)
    assert callable(break_it)
    break_it(path)
    with pytest.raises(SourceError, match=words) as caught:
        open_record(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_two_channels_of_one_lead_are_refused(tmp_path: Path) -> None:
    path = write_record(tmp_path / "r", noise(600), ("I", "II", "MLII"))
    with pytest.raises(SourceError, match="channels II and MLII are both II; map one of them to another lead"):
        open_record(path, parse_map(["MLII=II"]))


def test_a_cut_off_flac_file_is_found_on_opening(tmp_path: Path) -> None:
    path = write_record(tmp_path / "r", noise(30_000), THREE, fmt="516")
    content = path.with_suffix(".dat").read_bytes()
    path.with_suffix(".dat").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="cannot be read"):
        open_record(path)


def test_a_file_that_goes_away_is_said(tmp_path: Path) -> None:
    record = opened(tmp_path)
    record.path.with_suffix(".dat").unlink()
    with pytest.raises(SourceError, match="samples 0 to 500 cannot be read"):
        record.read(0, 500)
    with pytest.raises(ValueError, match="do not lie in"):
        record.read(0, 1501)


def test_a_folder_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder; name a record in it"):
        open_record(tmp_path)


def test_channels_of_one_name_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    path = edited(write_record(tmp_path / "r", noise(600), ("ECG", "EC2", "V4")), "EC2", "ECG")
    with pytest.raises(SourceError, match=r"type for example --map 1=I --map 2=II"):
        select(open_record(path), None)
    record = open_record(path, parse_map(["1=II", "2=I"]))
    assert np.array_equal(record.read(0, 600)[:2], noise(600).T[[1, 0]].astype(np.float32))


def test_a_scale_says_what_the_numbers_are(tmp_path: Path) -> None:
    path = write_record(tmp_path / "r", noise(600), THREE, units="adu")
    with pytest.raises(SourceError, match=r"are in 'adu', which is no voltage.*--map I=I:0.806uV"):
        open_record(path)
    record = open_record(path, parse_map(["I=I:2uV", "II=II:3mV"]))
    assert record.leads == ("I", "II")
    assert np.allclose(record.read(0, 600)[:2], noise(600).T[:2] * [[0.002], [3]])
    with pytest.raises(
        SourceError, match=r"channel V4 is in 'adu'.*--map I=I:2uV --map II=II:3000uV --map V4=V4:0.806uV"
    ):
        select(record, ("I", "II", "V4"))


def test_a_unit_that_changes_between_segments_is_followed_or_refused(tmp_path: Path) -> None:
    write_record(tmp_path / "s1", noise(600), THREE, units="adu")
    write_record(tmp_path / "s2", noise(600), THREE, units="mV")
    (tmp_path / "r.hea").write_text("r/2 3 500 1200\ns1 600\ns2 600\n")
    with pytest.raises(SourceError, match="in 'mV' here and in 'adu' before"):
        open_record(tmp_path / "r", parse_map(["I=I:2uV", "II=II:3mV"]))


def test_when_it_began_and_what_it_notes(tmp_path: Path) -> None:
    path = edited(
        write_record(tmp_path / "r", noise(1500), THREE), "r 3 500 1500", "r 3 500 1500 01:02:03.25 04/05/2026"
    )
    wfdb.wrann(
        "r",
        "atr",
        np.array([7, 500, 900]),
        ["N", '"', "+"],
        aux_note=["", "lead off: V4", "(AFIB"],
        write_dir=str(tmp_path),
    )
    record = open_record(path)
    assert record.began == datetime(2026, 5, 4, 1, 2, 3, 250_000)
    assert record.notes() == [Note(7, "N"), Note(500, "lead off: V4"), Note(900, "+ (AFIB")]
    path.with_suffix(".atr").write_bytes(b"\x07\xec" + b"\xff" * 9)
    with pytest.raises(SourceError, match=r"r.atr is no annotation file"):
        record.notes()


def test_what_is_not_finite_is_not_known(tmp_path: Path) -> None:
    path = write_record(tmp_path / "r", noise(600), THREE, gain=1000)
    path = edited(path, "1000(0)/mV", "1e-300(0)/mV")
    assert np.isnan(open_record(path).read(0, 600)[[0, 1, 9]]).any()


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("r.hea", {"rate": 500.0}, "--rate 500 is for tables"),
        ("r.edf", {"rate": 500.0}, "--rate 500 is for tables"),
        ("r.csv", {"stream": "ECG"}, "--stream ECG is for XDF files"),
        ("r.xdf.gz", {}, "is packed; unpack it"),
        ("r.hea.bak", {}, "is no recording that can be read"),
        ("r.edf", {}, "cannot be read: No such file"),
        ("r.csv", {}, "cannot be read: No such file"),
        ("r.xdf", {}, "cannot be read: No such file"),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, name: str, how: dict[str, Any], words: str) -> None:
    (tmp_path / "r.hea.bak").write_text("r 3 500 1500\n")
    with pytest.raises(EcgStreamError, match=words):
        open_record(tmp_path / name, **how)


@pytest.mark.parametrize(
    ("held", "chosen"),
    [
        (LEADS, THREE),
        (INDEPENDENT, THREE),
        (("aVL", "aVF", *LEADS[6:]), ("aVL", "aVF", "V4")),
        (("I", "II", "V2"), ("I", "II", "V2")),
        (("II", "III"), ("II", "III")),
        (("I", "II", "V1", "V2", "V3"), ("I", "II", "V1", "V2", "V3")),
    ],
)
def test_the_input_is_chosen(tmp_path: Path, held: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    assert select(opened(tmp_path, names=held), None) == chosen


def test_the_input_is_as_given_and_must_be_there(tmp_path: Path) -> None:
    record = opened(tmp_path, names=("I", "II", "V1", "ECG"))
    assert select(record, ("V1", "II", "I")) == ("I", "II", "V1")
    with pytest.raises(SourceError, match=r"no channel is said to be V4; found .* type for example --map ECG=V4"):
        select(record, THREE)
    with pytest.raises(SourceError, match="I, V1 are too few"):
        select(record, ("I", "V1"))


@pytest.mark.data
def test_real_records_are_read_as_wfdb_reads_them(data_dir: Path) -> None:
    path = sorted((data_dir / "originals" / "ptbxl").glob("*_hr.hea"))[0]
    record = open_record(path)
    assert (record.leads, record.rate, record.n_samples, record.gain) == (LEADS, 500, 5000, 1000)
    expected = wfdb.rdrecord(str(path.with_suffix(""))).p_signal.T.astype(np.float32)
    assert np.array_equal(record.read(0, 5000), expected)
    assert np.array_equal(record.read(1234, 4321), expected[:, 1234:4321])
    flac = open_record(sorted((data_dir / "ludb" / "data").glob("*.hea"))[0])
    assert flac.leads == INDEPENDENT
    assert np.array_equal(flac.read(1000, 2000), flac.read(0, flac.n_samples)[:, 1000:2000], equal_nan=True)


@pytest.mark.data
def test_a_real_record_says_what_to_map(data_dir: Path) -> None:
    path = data_dir / "originals" / "mitdb" / "100"
    with pytest.raises(SourceError, match=r"found 1 MLII .mV., 2 V5 .mV."):
        select(open_record(path), None)
    with pytest.raises(SourceError, match=r"no channel 'II' .II = I.; found 1 MLII"):
        open_record(path, parse_map(["II=I"]))
    record = open_record(path, parse_map(["MLII=II", "V5=I"]))
    assert select(record, None) == ("I", "II")
    expected = wfdb.rdrecord(str(path), sampfrom=300_001, sampto=300_500).p_signal.T[::-1]
    assert np.array_equal(record.read(300_001, 300_500)[:2], expected.astype(np.float32))


@pytest.mark.data
def test_a_cut_off_copy_of_a_real_record_is_refused(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "originals" / "mitdb"
    shutil.copy(source / "100.hea", tmp_path)
    (tmp_path / "100.dat").write_bytes((source / "100.dat").read_bytes()[:300_000])
    with pytest.raises(SourceError, match="is cut off: it holds 100000 of the 650000 samples"):
        open_record(tmp_path / "100", parse_map(["MLII=II"]))
