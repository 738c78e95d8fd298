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
from stream.bed import Bed, offline_bed
from stream.items import Block
from stream.sinks.comparison import Comparison
from stream.sources.record import Record, open_record
from stream.sources.replay import Replay
from tests.ecgstream.command import BUNDLED, COMMAND, ecgstream
from tools.bench import convert as measure_conversion
from tools.bench import long_record

MEASURED = ("I", "II", "V4")


class Kept:
    """A sink that keeps every block."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.closed = 0

    def push(self, block: Block) -> None:
        self.blocks.append(block)

    def close(self) -> None:
        self.closed += 1

    def joined(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(block, name) for block in self.blocks], axis=1)


@pytest.fixture
def record() -> Record:
    return open_record(BUNDLED)


def test_it_gives_what_the_live_path_gives(record: Record) -> None:
    engine = load()
    offline, live = Kept(), Kept()
    convert(record, MEASURED, offline_bed(engine, record.rate), [offline])
    bed = Bed(engine, record.rate)
    for chunk in Replay(record, MEASURED, None).chunks():
        for block in bed.push(chunk):
            live.push(block)
    for block in bed.finish():
        live.push(block)
    assert np.array_equal(offline.joined("origin"), live.joined("origin"))
    assert np.allclose(offline.joined("leads"), live.joined("leads"), atol=1e-4)
    measured = live.joined("origin") == Origin.MEASURED
    assert np.array_equal(offline.joined("leads")[measured], live.joined("leads")[measured])


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
    class Full(Kept):
        def push(self, block: Block) -> None:
            raise SinkError("the disk is full")

    full, other = Full(), Kept()
    with pytest.raises(SinkError):
        convert(record, MEASURED, offline_bed(load(), record.rate), [other, full])
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
    convert(record, MEASURED, offline_bed(engine, record.rate), [kept, whole])
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
    estimate, truth = (CausalFilter("monitor", 12).push(kept.joined(name)) for name in ("leads", "truth"))
    for row, (lead, figures) in enumerate(whole.figures().items()):
        assert lead == LEADS[row]
        assert figures.r == pytest.approx(np.corrcoef(estimate[row], truth[row])[0, 1], abs=1e-4)
        error = (estimate[row] - truth[row]).astype(np.float64)
        assert figures.rmse_uv == pytest.approx(1000 * np.sqrt((error**2).mean()), abs=0.06)
