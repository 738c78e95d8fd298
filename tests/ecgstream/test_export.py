"""Exports: what edfio, pyedflib and a spreadsheet read is what was recorded, and we read it again."""

import csv
import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pyedflib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.exports.csv import write_csv
from ecgstream.exports.edf import _grid, _packed, _scale, write_edf
from ecgstream.exports.survey import Survey, Whole, open_whole, survey
from engine.errors import SourceError
from engine.leads import DISCLAIMER, INDEX, LEADS
from stream.channels import parse_map
from stream.edf import Annotation
from stream.items import Event, Gap, Item, Kind
from stream.sinks.recorder import Recorder
from stream.sources.record import Note, open_record
from tests.ecgstream.command import BUNDLED, ecgstream
from tests.stream.records import write_record
from tests.stream.sinks.recording import MEASURED, leads
from tests.stream.sinks.test_recorder import block

BEGAN = datetime(2026, 3, 1, 12, 30, 45, 250_000)
NAMES = ["I", "II", "dIII", "daVR", "daVL", "daVF", "dV1", "dV2", "dV3", "V4", "dV5", "dV6"]


def recorded(folder: Path, samples: np.ndarray, events: Sequence[Event] = (), **how: Any) -> Path:
    """A recording of our own, gaps where all is NaN."""
    recorder = Recorder(folder, "r", leads_in=MEASURED, **how)
    items: list[Item] = []
    for start in range(0, samples.shape[1], 50):
        some = samples[:, start : start + 50]
        items.append(Gap(start, some.shape[1]) if np.isnan(some).all() else block(start, some))
        items += [event for event in events if start <= event.index < start + 50]
    for item in items:
        recorder.push(item)
    recorder.close()
    return recorder.path


def exported(path: Path, to: str, *arguments: object) -> list[Path]:
    """Export it, and give the files."""
    done = ecgstream("export", path, "--to", to, *arguments)
    assert done.returncode == 0, done.stderr
    written = done.stdout.splitlines()[0].removeprefix("written: ")
    assert " and " not in written
    return [Path(each) for each in written.split(", ")]


def physical(path: Path) -> np.ndarray:
    """As edfio reads it, (leads, n) mV."""
    return np.array([signal.data for signal in edfio.read_edf(path).signals]) / 1000


def test_a_recording_becomes_an_edf_that_others_read(tmp_path: Path) -> None:
    events = [
        Event(600, Kind.BEAT, "II", value=60.0),
        Event(1200, Kind.LEAD_OFF, "V4", "stands still"),
        Event(4900, Kind.SOURCE, text="lost"),
    ]
    samples = leads(5000)
    samples[9, 1200:1900] = np.nan
    path = recorded(tmp_path, samples, events, begun=BEGAN)
    (out,) = exported(path, "edf")
    assert out == tmp_path / "r.edf"
    file = edfio.read_edf(out)
    assert file.reserved == "EDF+C"
    assert file.startdatetime == BEGAN
    assert list(file.labels) == [f"ECG {name}" for name in NAMES]
    assert {signal.physical_dimension for signal in file.signals} == {"uV"}
    assert [signal.transducer_type for signal in file.signals[1:3]] == ["", DISCLAIMER]
    assert {signal.sampling_frequency for signal in file.signals} == {500}
    assert np.array_equal(physical(out)[:9].astype(np.float32), samples[:9])
    v4 = physical(out)[9].astype(np.float32)
    assert np.array_equal(v4, np.nan_to_num(samples[9]))
    assert [tuple(each) for each in file.annotations] == [
        (0.0, None, DISCLAIMER),
        (1.2, None, "N"),
        (2.4, None, "lead off: V4 stands still"),
        (2.4, 1.4, "missing: V4"),
        (9.8, None, "source: lost"),
    ]
    with pyedflib.EdfReader(str(out)) as other:
        assert other.getSignalLabels() == [f"ECG {name}" for name in NAMES]
        assert np.allclose(other.readSignal(1) / 1000, samples[1], atol=1e-6)
        assert other.getNSamples().tolist() == [5000] * 12
        assert other.getEquipment() == "ecgstream"


def test_what_was_exported_is_read_again_to_the_bit(tmp_path: Path) -> None:
    samples = leads(5432)
    samples[9, 1200:1900] = samples[[0, 9], 5000:] = samples[:, 3000:3250] = np.nan
    path = recorded(tmp_path, samples, begun=BEGAN)
    ours = open_record(path)
    expected = ours.read(0, ours.n_samples)
    for to in ("edf", "csv"):
        (out,) = exported(path, to)
        again = open_record(out)
        assert (again.rate, again.n_samples, again.leads) == (500, 5432, ("I", "II", "V4"))
        assert np.array_equal(again.read(0, 5432), expected, equal_nan=True)
        whole = open_whole(out)
        assert [whole.names[lead] for lead in LEADS] == NAMES
        assert np.array_equal(whole.record.read(0, 5432), samples, equal_nan=True)


def test_each_stretch_is_a_file_of_its_own_and_says_where_it_belongs(tmp_path: Path) -> None:
    samples = leads(9000)
    samples[:, 2000:3500] = samples[:, 6000:6500] = np.nan
    events = [Event(2100, Kind.SOURCE, text="lost"), Event(3600, Kind.BEAT)]
    path = recorded(tmp_path, samples, events, begun=BEGAN)
    outs = exported(path, "edf", "--out", tmp_path / "edf")
    assert outs == [tmp_path / "edf" / f"r_{part}.edf" for part in (1, 2, 3)]
    for part, (out, start, stop) in enumerate(zip(outs, (0, 3500, 6500), (2000, 6000, 9000), strict=True), 1):
        file = edfio.read_edf(out)
        assert file.startdatetime == BEGAN + timedelta(seconds=start / 500)
        assert np.array_equal(physical(out).astype(np.float32), samples[:, start:stop])
        texts = [each.text for each in file.annotations]
        assert texts[:2] == [DISCLAIMER, f"part {part} of 3, {start / 500:.3f} s after the recording's first sample"]
    notes = [[(each.onset, each.text) for each in edfio.read_edf(out).annotations[2:]] for out in outs]
    assert notes == [[(3.998, "source: lost")], [(0.2, "N")], []]


def test_a_gap_is_no_row_of_a_table(tmp_path: Path) -> None:
    samples = leads(9000)
    samples[:, 2000:3500] = samples[:, 6000:6100] = samples[9, 100:105] = np.nan
    (out,) = exported(recorded(tmp_path, samples), "csv")
    with out.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["time (s)", *(f"{name} (mV)" for name in NAMES), DISCLAIMER]
    assert len(rows) == 9000 - 1500
    assert rows[0][0] == "0.000"
    assert rows[2000][0] == "7.000"
    assert {len(row) for row in rows} == {14}
    assert rows[102][10] == rows[102][13] == ""
    assert rows[4550] == ["12.100", *[""] * 13]
    assert float(rows[7][2]) == pytest.approx(samples[1, 7])
    again = open_record(out)
    assert np.array_equal(again.read(0, 9000)[9], samples[9], equal_nan=True)


@pytest.mark.parametrize("to", ["edf", "csv"])
def test_the_bundled_record_is_said_to_be_synthetic(tmp_path: Path, to: str) -> None:
    (out,) = exported(BUNDLED, to, "--out", tmp_path / "x" / f"one.{to}")
    assert out == tmp_path / "x" / f"one.{to}"
    again, source = open_record(out), open_record(BUNDLED)
    assert again.leads == source.leads
    assert np.array_equal(again.read(0, 30_000), source.read(0, 30_000))
    if to == "edf":
        assert again.synthetic


def test_signals_that_are_no_leads_are_said_to_be_left_out(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(-500, 500, (1000, 4)) / 1000
    path = write_record(tmp_path / "r", data, ["I", "II", "MLIII", "Resp"])
    done = ecgstream("export", path, "--to", "csv")
    assert done.stderr == "ecgstream: left out: MLIII (mV), Resp (mV); if one is a lead, say which with --map\n"
    assert done.stdout == f"written: {tmp_path / 'r.csv'}\n"
    done = ecgstream("export", path, "--to", "csv", "--map", "MLIII=III", "--force")
    assert "left out: Resp (mV);" in done.stderr
    assert open_record(tmp_path / "r.csv").leads == ("I", "II", "III")


def test_nothing_is_overwritten_without_force_and_no_input_ever(tmp_path: Path) -> None:
    samples = leads(3000)
    samples[:, 1000:2000] = np.nan
    path = recorded(tmp_path, samples)
    (tmp_path / "r_2.edf").write_text("mine")
    (tmp_path / "r.csv").write_text("mine")
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    for to in ("edf", "csv"):
        done = ecgstream("export", path, "--to", to)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert "is there already; add --force" in done.stderr
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before
    assert len(exported(path, "edf", "--force")) == 2
    assert edfio.read_edf(tmp_path / "r_2.edf").num_data_records == 2
    (out,) = exported(path, "csv", "--force")
    done = ecgstream("export", out, "--to", "csv", "--force")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is what is read; choose another name" in done.stderr
    done = ecgstream("export", path, "--to", "edf", "--out", "/proc/nowhere/x.edf")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "--to", "edf"], "name its .hea file"),
        ([BUNDLED, "--to", "xdf"], "--to xdf: choose edf, csv"),
        ([BUNDLED], "see ecgstream export --help"),
        ([BUNDLED, "--to", "edf", "--rate", "500"], "--rate 500 is for tables"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(tmp_path: Path, arguments: list[object], words: str) -> None:
    done = ecgstream("export", *arguments, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def whole_of(path: Path) -> tuple[Whole, Survey]:
    whole = open_whole(path)
    return whole, survey(whole.record, lambda share: None)


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = recorded(tmp_path, leads(3000))
    whole, found = whole_of(path)
    out = tmp_path / "r.csv"
    out.write_text("mine")
    path.with_suffix(".dat").unlink()
    with pytest.raises(SourceError):
        write_csv(out, whole, found, lambda share: None)
    with pytest.raises(SourceError):
        write_edf(tmp_path / "r.edf", whole, found, 0, [], lambda share: None)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["r.csv", "r.hea"]
    assert out.read_text() == "mine"


@pytest.mark.parametrize("rate", [100, 128, 128.5, 249.97, 333.25, 360, 2000])
def test_any_rate(tmp_path: Path, rate: float) -> None:
    length = round(12.3 * rate)
    data = np.random.default_rng(1).integers(-2000, 2000, (length, 3)) / 1000
    path = write_record(tmp_path / "r", data, MEASURED, rate=rate)
    for to in ("edf", "csv"):
        (out,) = exported(path, to)
        again = open_record(out)
        assert again.rate == pytest.approx(rate, rel=1e-6 if to == "edf" else 1e-4)
        assert again.n_samples == length
        assert np.array_equal(again.read(0, length)[[0, 1, 9]], data.T.astype(np.float32))


@given(rate=st.floats(100, 2000), leads=st.integers(1, 12))
def test_data_records_hold_whole_samples_at_the_rate(rate: float, leads: int) -> None:
    grid = _grid(rate, leads)
    assert grid.rate == pytest.approx(rate, rel=2e-6)
    assert 0.1 <= grid.record_s <= 10
    assert len(f"{grid.record_s:.7g}") <= 8


@given(
    gain=st.sampled_from([0.0, 100, 200, 204.8, 1000, 2000.5, 6000, 1e6, math.inf]),
    limits=st.tuples(st.floats(-300, 300), st.floats(-300, 300)).map(sorted),
)
def test_nothing_clips_and_the_resolution_is_the_recordings_where_it_fits(gain: float, limits: list[float]) -> None:
    low, high = limits
    scale = _scale(low, high, gain)
    assert scale.physical_min <= 1000 * low + 1e-6
    assert scale.physical_max >= 1000 * high - 1e-6
    samples = np.linspace(low, high, 1001, dtype=np.float32)
    step = (scale.physical_max - scale.physical_min) / (2 * scale.counts)
    read = (scale.digital(samples).astype(int) + scale.counts) * step + scale.physical_min
    assert np.abs(read - 1000 * samples).max() <= 0.51 * step + 0.1
    reach = max(-low, high)
    if 0 < gain < math.inf and gain * reach <= 30_000:
        assert step == pytest.approx(1000 / gain, rel=1e-3)
        grid = np.arange(-100, 101) / gain
        inside = grid[np.abs(grid) <= reach].astype(np.float32)
        assert np.allclose(
            (scale.digital(inside).astype(int) + scale.counts) * step + scale.physical_min, 1000 * inside, atol=1e-3
        )
    else:
        assert step <= max(1000 / gain if 0 < gain < math.inf else 0, (1000 * (high - low) + 2) * 1.01 / 65_534, 0)


@given(
    onsets=st.lists(st.floats(0, 9.999), max_size=60).map(sorted),
    n_records=st.integers(1, 10),
    length=st.integers(1, 80),
)
def test_annotations_find_room_wherever_they_crowd(onsets: list[float], n_records: int, length: int) -> None:
    said = [Annotation(round(onset, 3), "x" * length) for onset in onsets]
    starts = [float(n) for n in range(n_records)]
    room, records = _packed(said, starts)
    assert room % 2 == 0
    assert {len(each) for each in records} == {room}
    joined = b"".join(records)
    assert joined.count(b"\x14" + b"x" * length + b"\x14") == len(said)
    assert [each.startswith(b"+%d\x14\x14\0" % n) for n, each in enumerate(records)] == [True] * n_records


def test_a_thousand_beats_a_second_are_no_thousand_bytes_a_second_for_a_day(tmp_path: Path) -> None:
    said = [Annotation(5.0, "N")] * 1000
    room, _ = _packed(said, [float(n) for n in range(1000)])
    assert room < 200


def test_what_was_taken_with_an_offset_is_not_clipped(tmp_path: Path) -> None:
    data = 250 + np.random.default_rng(1).normal(0, 0.5, (2000, 3))
    lines = ["I (mV),II (mV),V4 (mV)", *(",".join(f"{each:.6f}" for each in row) for row in data.tolist())]
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    (out,) = exported(tmp_path / "r.csv", "edf", "--rate", "500")
    assert np.abs(physical(out) - data.T).max() < 0.0001


def test_leads_without_a_sample_are_left_out_and_without_any_it_is_said(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(-500, 500, (1000, 3)) / 1000
    data[:, 2] = np.nan
    whole, found = whole_of(write_record(tmp_path / "r", data, MEASURED))
    assert found.leads == ("I", "II")
    data[:] = np.nan
    with pytest.raises(SourceError, match="no lead holds a sample; there is nothing to export"):
        whole_of(write_record(tmp_path / "s", data, MEASURED))
    assert whole.record.leads == MEASURED


@given(
    spans=st.dictionaries(
        st.sampled_from(MEASURED), st.lists(st.tuples(st.integers(0, 2999), st.integers(1, 700)), max_size=4)
    )
)
def test_what_is_missing_is_found(
    tmp_path_factory: pytest.TempPathFactory, spans: dict[str, list[tuple[int, int]]]
) -> None:
    samples = leads(3000)
    for lead, each in spans.items():
        for start, length in each:
            samples[INDEX[lead], start : start + length] = np.nan
    samples[[row for row in range(12) if row not in (0, 1, 9)]] = np.nan
    samples[0, 0] = samples[0, 2999] = 0.001
    path = write_record(tmp_path_factory.mktemp("r") / "r", samples[[0, 1, 9]].T, MEASURED)
    _, found = whole_of(path)
    known = np.isfinite(samples)
    inside = np.zeros(3000, np.bool_)
    for start, stop in found.stretches:
        inside[start:stop] = True
        assert known[:, start].any()
        assert known[:, stop - 1].any()
    assert not known[:, ~inside].any()
    for (_, before), (after, _) in zip(found.stretches, found.stretches[1:], strict=False):
        assert after - before >= 500
    for lead in found.leads:
        missing = np.zeros(3000, np.bool_)
        for start, stop in found.missing[lead]:
            missing[start:stop] = True
        assert np.array_equal(missing, inside & ~known[INDEX[lead]])


def test_notes_of_any_recording_go_with_it(tmp_path: Path) -> None:
    path = recorded(tmp_path, leads(3000), [Event(700, Kind.BEAT), Event(900, Kind.NOTICE, text="look")])
    (out,) = exported(path, "edf")
    (again,) = exported(out, "edf", "--out", tmp_path / "again.edf")
    kept = [note for note in open_record(again).notes() if note.text != DISCLAIMER]
    assert kept == [Note(700, "N"), Note(900, "notice: look")]


def test_damaged_annotations_are_said(tmp_path: Path) -> None:
    path = recorded(tmp_path, leads(3000), [Event(700, Kind.BEAT)])
    path.with_suffix(".atr").write_bytes(b"\x07\xec" + b"\xff" * 9)
    done = ecgstream("export", path, "--to", "edf")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert re.search(r"r\.atr is no annotation file .*; get it again, or move it away", done.stderr)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("to", ["edf", "csv"])
def test_a_day_fits_the_memory(tmp_path: Path, to: str) -> None:
    from tools.bench import long_record

    path = long_record(tmp_path, hours=24)
    script = f"""
import resource
from ecgstream.commands.main import app
app(["export", {str(path)!r}, "--to", {to!r}], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 500


def test_maps_go_through(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(-500, 500, (1000, 2)) / 1000
    whole = open_whole(write_record(tmp_path / "r", data, ["a", "b"]), parse_map(["a=I", "b=II"]))
    assert (whole.names, whole.left_out, whole.has_derived) == ({"I": "I", "II": "II"}, (), False)
