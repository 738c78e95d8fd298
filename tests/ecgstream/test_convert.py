"""Converting: the same twelve leads as live, faster, at constant memory."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgstream.conversion import convert
from engine.errors import SinkError
from engine.leads import LEADS, Origin
from engine.model import load
from stream.bed import Bed, offline_bed, passed
from stream.items import Block, Gap
from stream.sinks.comparison import Comparison
from stream.sources.record import Record, open_record
from stream.sources.replay import chunks
from tests.ecgstream.command import BUNDLED, COMMAND, ecgstream
from tests.stream.chunks import laid
from tests.stream.sinks.kept import Kept, Raising
from tools.bench import convert as measure_conversion
from tools.bench import long_record

MEASURED = ("I", "II", "V4")


@pytest.fixture
def record() -> Record:
    return open_record(BUNDLED)


def test_it_gives_what_the_live_path_gives(record: Record) -> None:
    engine = load()
    kept = Kept()
    convert(engine, record, MEASURED, offline_bed(engine, record.rate, MEASURED), [kept])
    bed = Bed(engine, record.rate, MEASURED)
    offline, live = laid(kept.items), laid(list(passed(engine, bed, chunks(record, MEASURED, 20))))
    assert np.array_equal(offline.origin, live.origin)
    assert np.allclose(offline.leads, live.leads, rtol=0, atol=1e-5)
    measured = live.origin == Origin.MEASURED
    assert np.array_equal(offline.leads[measured], live.leads[measured])


def test_the_command_writes_and_sums_up(tmp_path: Path) -> None:
    done = ecgstream("convert", BUNDLED, "--out", tmp_path / "out", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["samples"], summary["seconds"], summary["frames_skipped"]) == (30_000, 60.0, 0)
    assert summary["latency_ms"] == {"p50": None, "p99": None, "max": None}
    assert summary["recorded"] == str(tmp_path / "out" / "synthetic.hea")
    assert wfdb.rdrecord(str(tmp_path / "out" / "synthetic")).p_signal.shape == (30_000, 12)
    again = ecgstream("convert", BUNDLED, "--out", tmp_path / "out")
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_sinks_are_closed_whatever_happens(record: Record) -> None:
    full, other = Raising(SinkError("the disk is full")), Kept()
    engine = load()
    with pytest.raises(SinkError):
        convert(engine, record, MEASURED, offline_bed(engine, record.rate, MEASURED), [other, full])
    assert full.closed == other.closed == 1


def test_ctrl_c_leaves_a_whole_file(tmp_path: Path) -> None:
    path = long_record(tmp_path, hours=4)
    out = tmp_path / "out"
    command = [*COMMAND, "convert", str(path), "--out", str(out), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "long.dat").exists() or not (out / "long.dat").stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    recorded = wfdb.rdrecord(str(out / "long"))
    assert recorded.p_signal.shape == (json.loads(text)["samples"], 12)
    assert recorded.sig_len < open_record(path).n_samples


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_a_day_fits_the_memory_and_the_time(data_dir: Path) -> None:
    figures = measure_conversion(hours=24)
    assert figures["hours"] == pytest.approx(24, abs=0.02)
    assert figures["peak_mb"] < 600
    assert figures["times_real_time"] >= 200


def test_the_comparison_is_pearsons_r_in_the_band_of_the_monitor(record: Record) -> None:
    from engine.filters import CausalFilter

    engine = load()
    kept, whole, chunked = Kept(), Comparison(), Comparison()
    convert(engine, record, MEASURED, offline_bed(engine, record.rate, MEASURED), [kept, whole])
    result = laid(kept.items)
    for block in kept.blocks:
        for at in range(0, block.leads.shape[1], 777):
            some = slice(at, at + 777)
            chunked.push(
                Block(
                    block.start + at,
                    block.leads[:, some],
                    block.interval[:, some],
                    block.origin[:, some],
                    None if block.truth is None else block.truth[:, some],
                )
            )
    assert whole.figures() == chunked.figures()
    estimate, truth = (CausalFilter("monitor", 12).push(each) for each in (result.leads, result.truth))
    for row, (lead, figures) in enumerate(whole.figures().items()):
        assert lead == LEADS[row]
        assert figures.r == pytest.approx(np.corrcoef(estimate[row], truth[row])[0, 1], abs=1e-4)
        error = (estimate[row] - truth[row]).astype(np.float64)
        assert figures.rmse_uv == pytest.approx(1000 * np.sqrt((error**2).mean()), abs=0.06)


def test_a_gap_starts_the_filters_of_the_comparison_anew(record: Record) -> None:
    engine = load()
    kept, whole, halves = Kept(), Comparison(), Comparison()
    convert(engine, record, MEASURED, offline_bed(engine, record.rate, MEASURED), [kept])
    for block in kept.blocks:
        whole.push(block)
        halves.push(block)
        halves.push(Gap(block.end, 5))
    assert whole.figures() != halves.figures()
    assert halves.figures()["V1"].r == pytest.approx(whole.figures()["V1"].r, abs=0.05)


@pytest.mark.parametrize("linked", [".hea", ".dat"])
def test_a_source_that_is_linked_into_the_output_is_never_deleted(tmp_path: Path, linked: str) -> None:
    """Found: where the record that is read is a link into the output folder, --force deleted what it points to."""
    source, out = tmp_path / "a", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for suffix in (".hea", ".dat"):
        content = BUNDLED.with_suffix(suffix).read_bytes()
        home = out if suffix == linked else source
        (home / f"synthetic{suffix}").write_bytes(content)
        if home is out:
            (source / f"synthetic{suffix}").symlink_to(out / f"synthetic{suffix}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = ecgstream("convert", source / "synthetic", "--out", out, "--force")
    assert done.returncode == 2
    assert "holds the record that is read; choose another folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_gap_of_an_hour_is_recorded_as_a_gap(tmp_path: Path) -> None:
    gap = 3600 * 500
    for name in ("r_1", "r_2"):
        long_record(tmp_path, hours=1 / 360).with_suffix(".dat").rename(tmp_path / f"{name}.dat")
        header = (tmp_path / "long.hea").read_text().replace("long", name)
        (tmp_path / f"{name}.hea").write_text(header)
    lengths = [open_record(tmp_path / name).n_samples for name in ("r_1", "r_2")]
    (tmp_path / "r.hea").write_text(f"r/3 12 500 {sum(lengths) + gap}\nr_1 {lengths[0]}\n~ {gap}\nr_2 {lengths[1]}\n")
    done = ecgstream("convert", tmp_path / "r", "--out", tmp_path / "out", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["samples"] == sum(lengths) + gap
    header = wfdb.rdheader(str(tmp_path / "out" / "r"))
    assert header.seg_len == [0, lengths[0], gap, lengths[1]]
