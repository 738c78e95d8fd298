"""XDF files: the stream that is meant, its samples where their stamps say, and no belief in what a file says."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import EcgStreamError, SourceError
from stream.channels import parse_map
from stream.sources import xdf
from stream.sources.record import Record, open_record, select
from tests.stream.sources.xdf_files import Stream, write_xdf

ROWS = [0, 1, 9]
HEADERLESS: dict[str, Any] = {"description": ""}


def noise(length: int, seed: int = 1) -> np.ndarray:
    """(length, 3) whole microvolts, within a byte."""
    return np.random.default_rng(seed).integers(-100, 100, (length, 3))


def stream(length: int = 1000, **how: Any) -> Stream:
    settings = {"stamps": 5000 + np.arange(length) / (how.get("rate") or 500), **how}
    return Stream(settings.pop("number", 1), settings.pop("samples", noise(length)), **settings)


def markers(number: int = 2) -> Stream:
    texts = np.array([[f"beat {n}"] for n in range(30)])
    return Stream(
        number, texts, 5000 + np.arange(30.0), rate=0, name="Notes", type="Markers", format="string", **HEADERLESS
    )


def opened(folder: Path, *streams: Stream, pairs: tuple[str, ...] = (), name: str | None = None) -> Record:
    return open_record(write_xdf(folder / "r.xdf", streams), parse_map(pairs), stream=name)


def samples(record: Record) -> np.ndarray:
    return record.read(0, record.n_samples)[ROWS] * 1000


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "float32", "double64"])
@pytest.mark.parametrize("left_out", [1, 2, 64])
def test_samples_are_in_mv_whatever_their_format(tmp_path: Path, kind: str, left_out: int) -> None:
    stamps = 5000 + np.arange(1000) / 500
    stamps[np.arange(1000) % left_out > 0] = np.nan  # which pyxdf then deduces
    record = opened(tmp_path, stream(format=kind, stamps=stamps))
    assert (record.rate, record.n_samples, record.leads) == (500, 1000, ("I", "II", "V4"))
    assert np.allclose(samples(record), noise(1000).T, rtol=1e-6)
    assert np.allclose(record.read(200, 300)[ROWS] * 1000, noise(1000)[200:300].T, rtol=1e-6)
    assert record.gain == (pytest.approx(1000) if "int" in kind else 0)
    assert select(record, None) == ("I", "II", "V4")


def test_a_gap_is_a_gap_of_its_length(tmp_path: Path) -> None:
    stamps = 5000 + np.arange(3000) / 500
    stamps[1000:] += 2.5
    stamps[2000:] += 3600
    record = opened(tmp_path, stream(3000, stamps=stamps))
    assert [(run.start, run.length) for run in record.runs] == [(0, 1000), (2250, 1000), (1_803_250, 1000)]
    assert np.isnan(record.read(1000, 2250)).all()


def test_the_clock_of_another_computer_is_brought_to_the_recorders(tmp_path: Path) -> None:
    """A device that began anew has another clock: only measured offsets tell how long it was away."""
    stamps = np.concatenate([1000 + np.arange(15_000) / 500, 5 + np.arange(15_000) / 500])
    offsets = [(1000.0 + n, 100.0) for n in range(0, 30, 5)] + [(5.0 + n, 1135.0) for n in range(0, 30, 5)]
    record = opened(tmp_path, stream(30_000, stamps=stamps, offsets=offsets, per_chunk=500))
    assert [run.length for run in record.runs] == [15_000, 15_000]
    assert record.runs[1].start == pytest.approx(40 * 500, abs=2)  # from 1100 s to 1140 s of the recorder's clock


def test_the_one_stream_that_can_be_an_input_is_taken(tmp_path: Path) -> None:
    breath = stream(100, number=3, rate=25, name="Belt", samples=noise(100)[:, :1], channels=[("Resp", "L")])
    moves = stream(number=4, name="ACC", channels=[("X", "g"), ("Y", "g"), ("Z", "g")])
    record = opened(tmp_path, markers(), breath, stream(name="Patch"), moves)
    assert np.allclose(samples(record), noise(1000).T)


def test_of_several_one_is_chosen_by_name_or_number(tmp_path: Path) -> None:
    two = stream(name="One"), stream(number=7, name="Two", samples=noise(1000, seed=2)), markers()
    with pytest.raises(
        SourceError,
        match=r"several streams that may be an ECG; choose one of 1 'One' \(ECG, 500 Hz, 3 channels\).*: --stream One",
    ):
        opened(tmp_path, *two)
    for name in ("two", "7"):
        assert np.allclose(samples(opened(tmp_path, *two, name=name)), noise(1000, seed=2).T)
    with pytest.raises(SourceError, match=r"has no stream 'Three'; choose one of 1 'One'.*--stream One"):
        opened(tmp_path, *two, name="Three")
    alike = stream(name="One"), stream(number=7, name="One")
    with pytest.raises(SourceError, match=r"has several streams 'One'; choose one of .*--stream 1$"):
        opened(tmp_path, *alike, name="One")


def test_channels_without_a_name_are_mapped(tmp_path: Path) -> None:
    bare = stream(description="")
    with pytest.raises(SourceError, match=r"3 channels without a label.*--map 1=I:0\.806uV --map 2=II:0\.806uV"):
        opened(tmp_path, bare, markers())
    record = opened(tmp_path, bare, pairs=("1=I:1uV", "2=II:2uV", "3=V4:1mV"))
    assert np.allclose(samples(record), noise(1000).T * [[1], [2], [1000]])


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        ([], "has no stream of samples"),
        ([markers()], "has no stream of samples"),
        ([stream(rate=0)], "has no stream of samples"),
        ([stream(0)], "holds no sample"),
        ([stream(rate=50)], "rate 50.0 Hz; records of 100 to 2000 Hz can be read"),
        ([stream(400)], "0.8 s of samples; at least 1 s"),
        ([stream(channels=[("I", "mmHg"), ("II", "uV"), ("V4", "uV")])], None),
    ],
)
def test_what_cannot_be_an_input_is_said(tmp_path: Path, streams: list[Stream], words: str | None) -> None:
    with pytest.raises(EcgStreamError, match=words) as caught:
        select(opened(tmp_path, *streams), None)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "r.xdf") in str(caught.value)


def test_what_a_killed_recorder_left_is_read(tmp_path: Path) -> None:
    path = write_xdf(tmp_path / "r.xdf", [stream(per_chunk=100)], footers=False)
    whole = path.read_bytes()
    chunk = 100 * (9 + 12) + 11
    for lost in (1, 5, 100, chunk - 1, chunk):
        path.write_bytes(whole[:-lost])
        record = open_record(path)
        assert record.n_samples == 900
        assert np.allclose(samples(record), noise(1000)[:900].T)


def test_what_is_cut_off_by_a_chunk_that_says_too_much_is_damage(tmp_path: Path) -> None:
    path = write_xdf(tmp_path / "r.xdf", [stream(9000)])
    whole = path.read_bytes()
    at = whole.index(b"\x04", whole.index(b"\x03\0\x01\0\0\0") - 5)
    path.write_bytes(whole[: at + 1] + b"\xff\xff\xff\0" + whole[at + 5 :])
    with pytest.raises(SourceError, match="is damaged at byte"):
        open_record(path)
    short = write_xdf(tmp_path / "s.xdf", [stream()]).read_bytes()
    boundary = b"\x01\x12\x05\0" + bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
    path.write_bytes(short[:-9000] + b"\x04\xff\xff\xff\0" + short[-9000:] + boundary)
    with pytest.raises(SourceError, match="is damaged at byte"):
        open_record(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<channel_count>3", b"<channel_count>4"),
        (b"<channel_count>3", b"<channel_count>0"),
        (b"<info><name>", b"<info><nome>"),
        (b"<?xml version", b"<!DOCTYPE x ["),
        (b"<info><sample_count>", b"<!ENTITY x '12'><nt>"),
        (b"\x02\x00\x01\x00\x00\x00", b"\x03\x00\x01\x00\x00\x00"),
        (b"XDF:", b"XDFx"),
    ],
)
def test_a_damaged_file_is_said_to_be(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = write_xdf(tmp_path / "r.xdf", [stream()])
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(SourceError, match=r"is damaged at byte|is no XDF file") as caught:
        open_record(path)
    assert "\n" not in str(caught.value)


def test_what_a_chunk_says_of_its_length_is_not_believed(tmp_path: Path) -> None:
    path = write_xdf(tmp_path / "r.xdf", [stream(per_chunk=500)])
    whole = path.read_bytes()
    at = whole.index(b"\x03\0\x01\0\0\0\x04") + 7
    assert whole[at : at + 4] == (500).to_bytes(4, "little")
    path.write_bytes(whole[:at] + b"\xff\xff\xff\x7f" + whole[at + 4 :])
    with pytest.raises(SourceError, match="is damaged at byte"):
        open_record(path)


def test_what_does_not_fit_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xdf(tmp_path / "r.xdf", [stream(offsets=[(float(n), 0.0) for n in range(5)])])
    monkeypatch.setattr(xdf, "LARGEST", 1000 * 20 - 1)
    with pytest.raises(SourceError, match="which is held in memory"):
        open_record(path)
    monkeypatch.setattr(xdf, "LARGEST", 1000 * 20)
    monkeypatch.setattr(xdf, "MOST_OFFSETS", 4)
    with pytest.raises(SourceError, match="it measures a clock 5 times"):
        open_record(path)


def test_without_pyxdf_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xdf(tmp_path / "r.xdf", [stream()])
    monkeypatch.setitem(sys.modules, "pyxdf", None)
    with pytest.raises(SourceError, match=r"needs pyxdf; type: pip install 'ecgstream\[formats\]'"):
        open_record(path)


@pytest.mark.data
def test_real_files_of_the_xdf_project(data_dir: Path) -> None:
    folder = data_dir / "originals" / "xdf"
    for name in ("minimal", "empty_streams"):
        with pytest.raises(SourceError):
            open_record(folder / f"{name}.xdf", parse_map(["1=I:1uV"]))
    record = open_record(folder / "clock_resets.xdf", parse_map(["1=I:1uV", "2=II:1uV"]), stream="BioSemi")
    assert record.rate == 100
    assert len(record.runs) > 1
    assert sum(run.length for run in record.runs) == 27_815
    longest = max(later.start - run.end for run, later in zip(record.runs, record.runs[1:], strict=False))
    assert longest > 500  # the device was off for some seconds
