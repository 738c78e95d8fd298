"""Replaying as a user does it: real processes, a real window, real signals."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from PyQt6.QtGui import QImage

from engine.leads import INDEX, LEADS
from stream.sources.record import open_record
from tests.ecgstream.command import BUNDLED, COMMAND, ecgstream, write_record

KEYS = {
    *("record", "leads_in", "samples", "seconds", "hop", "look_ahead_ms", "backend", "model", "frames"),
    *("frames_skipped", "latency_ms"),
}
MEASURED = ("I", "II", "V4")


def summary_of(*arguments: object) -> dict[str, Any]:
    done = ecgstream("replay", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def leads_of(path: Path) -> np.ndarray:
    """A recorded file, rows in the order of `LEADS`."""
    record = wfdb.rdrecord(str(path))
    assert [name.removeprefix("d") for name in record.sig_name] == list(LEADS)
    return np.asarray(record.p_signal.T, np.float32)


def seconds(first: float, last: float) -> np.ndarray:
    return open_record(BUNDLED).read(int(500 * first), int(500 * last))


def test_the_bundled_record_headless(tmp_path: Path) -> None:
    summary = summary_of("--headless", "--speed", "max", "--record", tmp_path)
    assert summary.keys() >= KEYS
    assert (summary["samples"], summary["seconds"], summary["synthetic"]) == (30_000, 60.0, True)
    assert (summary["leads_in"], summary["backend"]) == (list(MEASURED), "onnx")
    assert summary["frames"] == 30_000 // summary["hop"]
    assert summary["frames_skipped"] == summary["dropped"] == summary["clipped"] == 0
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"] <= summary["latency_ms"]["max"]
    origins = {lead: figures["origin"] for lead, figures in summary["leads"].items()}
    assert [lead for lead in LEADS if origins[lead] == "measured"] == list(MEASURED)
    assert [lead for lead in LEADS if origins[lead] == "computed"] == ["III", "aVR", "aVL", "aVF"]
    for lead, figures in summary["leads"].items():
        assert figures["rmse_uv"] >= 0
        assert figures["r"] > (0.5 if origins[lead] == "estimated" else 0.999)

    recorded, truth = leads_of(tmp_path / "synthetic"), seconds(0, 60)
    rows = [INDEX[lead] for lead in MEASURED]
    assert np.array_equal(recorded[rows], truth[rows])
    assert "synthetic" in (tmp_path / "synthetic.hea").read_text().lower()
    assert open_record(tmp_path / "synthetic").synthetic


def test_three_leads_alone_have_nothing_to_compare_with(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", seconds(0, 3)[[0, 1, 9]], leads=MEASURED)
    summary = summary_of(path, "--headless", "--speed", "max")
    assert "r" not in summary["leads"]["V1"]
    assert summary["leads"]["V1"]["origin"] == "estimated"


def test_channels_are_mapped_and_any_rate_is_read(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", seconds(0, 4)[[1, 2, 10], ::2], rate=250, leads=("MLII", "MLIII", "V5"))
    summary = summary_of(path, "--map", "MLII=II", "--map", "MLIII=III", "--headless", "--speed", "max")
    assert summary["leads_in"] == ["II", "III", "V5"]
    assert summary["samples"] == 1999  # up to half a period of the record beyond its last sample
    assert summary["leads"]["I"]["origin"] == "computed"


def test_a_gap_stays_a_gap_and_a_lead_that_fell_off_is_estimated(tmp_path: Path) -> None:
    samples = seconds(0, 12)[[0, 1, 9]]
    samples[:, 2000:2600] = np.nan
    samples[2, 3500:] = 1.0
    path = write_record(tmp_path, "r", samples, leads=MEASURED)
    summary_of(path, "--headless", "--speed", "max", "--record", tmp_path / "out")
    recorded = leads_of(tmp_path / "out" / "r")
    assert recorded.shape == (12, 6000)
    assert np.isnan(recorded[:, 2000:2600]).all()
    assert not np.isnan(recorded[:9, :2000]).any()
    assert np.array_equal(recorded[:2, 2600:], samples[:2, 2600:])
    assert np.isnan(recorded[9, 4000:]).all()  # V4 was to be measured, and was not
    assert not np.isnan(recorded[6, 4000:]).any()


def test_a_swapped_electrode_shows_in_what_is_redundant(tmp_path: Path) -> None:
    samples = seconds(0, 5)[[0, 1, 2, 9]]
    good = write_record(tmp_path, "good", samples, leads=("I", "II", "III", "V4"))
    bad = write_record(tmp_path, "bad", samples[[0, 1, 0, 3]], leads=("I", "II", "III", "V4"))
    assert summary_of(good, "--headless", "--speed", "max")["limb_residual_uv"]["III"] < 5
    assert summary_of(bad, "--headless", "--speed", "max")["limb_residual_uv"]["III"] > 50
    assert "III strays" in ecgstream("replay", bad, "--headless", "--speed", "max").stdout


def test_what_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", seconds(0, 2))
    arguments = ["replay", path, "--headless", "--speed", "max", "--record", tmp_path / "out"]
    assert ecgstream(*arguments).returncode == 0
    before = (tmp_path / "out" / "r.dat").read_bytes()
    refused = ecgstream(*arguments, "--leads", "I,II,V2")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "out" / "r.dat").read_bytes() == before
    assert ecgstream(*arguments, "--leads", "I,II,V2", "--force").returncode == 0
    assert (tmp_path / "out" / "r.dat").read_bytes() != before


@pytest.mark.parametrize(("speed", "least", "most"), [(1, 4.0, 7.0), (4, 1.0, 4.0)])
def test_it_keeps_its_time(speed: float, least: float, most: float, tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", seconds(0, 4))
    began = time.monotonic()
    nothing = ecgstream("replay", path, "--headless", "--speed", "max")
    overhead = time.monotonic() - began
    began = time.monotonic()
    done = ecgstream("replay", path, "--headless", "--speed", speed, "--json")
    took = time.monotonic() - began
    assert nothing.returncode == done.returncode == 0
    assert least <= took <= most + overhead
    look_ahead = json.loads(done.stdout)["look_ahead_ms"]
    assert json.loads(done.stdout)["latency_ms"]["p50"] >= look_ahead / speed


def counted(header: Path) -> int:
    """Samples that a header says there are."""
    return int(header.read_text().split()[3]) if header.exists() else 0


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A replay that has recorded for two seconds or more."""
    command = [*COMMAND, "replay", "--headless", "--record", str(tmp_path), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while counted(tmp_path / "synthetic.hea") < 2 * 500:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_leaves_a_whole_file(playing: subprocess.Popen[str], tmp_path: Path, number: int, code: int) -> None:
    playing.send_signal(number)
    out, err = playing.communicate(timeout=3)  # a thread left behind would hold it
    assert (playing.returncode, err) == (code, "")
    recorded = leads_of(tmp_path / "synthetic")
    settled = json.loads(out)["samples"]
    assert recorded.shape == (12, settled)
    assert 1000 <= settled < 30_000
    rows = [INDEX[lead] for lead in MEASURED]
    assert np.array_equal(recorded[rows], seconds(0, 60)[rows, :settled])
    assert np.isfinite(recorded).all()


def test_a_killed_replay_leaves_what_it_wrote(playing: subprocess.Popen[str], tmp_path: Path) -> None:
    playing.kill()
    playing.communicate()
    recorded = leads_of(tmp_path / "synthetic")
    assert recorded.shape[1] >= 1000
    rows = [INDEX[lead] for lead in MEASURED]
    assert np.array_equal(recorded[rows], seconds(0, 60)[rows, : recorded.shape[1]])


@pytest.mark.data
def test_a_real_record_in_a_real_window_in_real_time(data_dir: Path, tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "page.png"
    began = time.monotonic()
    record = data_dir / "originals" / "ptbxl" / "00009_hr"
    summary = summary_of(record, "--snapshot", picture, "--truth")
    assert time.monotonic() - began >= 10
    assert (summary["seconds"], summary["dropped"], summary["synthetic"]) == (10.0, 0, False)
    image = QImage(str(picture))
    assert image.width() >= 1000
    assert image.height() >= 640
    colours = {image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
    assert len(colours) > 50  # paper, grid, three inks and their edges


def test_a_snapshot_without_a_window(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    path = write_record(tmp_path, "r", seconds(0, 2))
    arguments = ["replay", path, "--speed", "max", "--headless", "--snapshot", tmp_path / "page.png"]
    assert ecgstream(*arguments, env=environment).returncode == 0
    assert not QImage(str(tmp_path / "page.png")).isNull()
    assert ecgstream(*arguments, env=environment).returncode == 2


def test_ctrl_c_closes_the_window(tmp_path: Path) -> None:
    command = [*COMMAND, "replay", "--record", str(tmp_path), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not counted(tmp_path / "synthetic.hea"):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 130
    assert leads_of(tmp_path / "synthetic").shape[1] == json.loads(out)["samples"]


def test_the_window_stays_open_when_the_record_is_over(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", seconds(0, 2))
    process = subprocess.Popen([*COMMAND, "replay", str(path), "--speed", "max"], stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=8)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 130
    assert "2.0 s from I II V4" in out


def limited_to(size: int) -> Callable[[], None]:
    """What makes every file of a process end at a size, as a full disk does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_on_a_full_disk_all_but_the_recording_goes_on(tmp_path: Path) -> None:
    arguments = ["replay", "--headless", "--speed", "16", "--record", tmp_path / "out", "--json"]
    done = ecgstream(*arguments, preexec_fn=limited_to(20 * 500 * 24))
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["samples"] == 30_000
    [failure] = summary["failures"]
    assert failure.startswith("recorder: cannot write")
    assert done.stderr == f"ecgstream: {failure}\n"
    recorded, truth = leads_of(tmp_path / "out" / "synthetic"), seconds(0, 60)
    rows = [INDEX[lead] for lead in MEASURED]
    written = np.isfinite(recorded[rows]).all(axis=0)
    assert written[:9500].all()
    assert not written.all()
    assert np.array_equal(recorded[rows][:, written], truth[rows, : recorded.shape[1]][:, written])
    notes = wfdb.rdann(str(tmp_path / "out" / "synthetic"), "atr").aux_note
    assert any(note.startswith("sink failed: recorder: cannot write") for note in notes)


HANGING = """
import time
from pathlib import Path
from stream.sinks.recorder import Recorder

def hang(recorder, at, data):
    Path({mark!r}).touch()
    time.sleep(3600)

Recorder._put = hang
from ecgstream.commands.main import main
main()
"""


def test_a_disk_that_hangs_does_not_hold_ctrl_c(tmp_path: Path) -> None:
    """The recorder's own thread hangs in a write; the run goes on, and ends within five seconds of Ctrl-C."""
    hangs = tmp_path / "hangs"
    options = ["replay", "--headless", "--record", str(tmp_path / "out"), "--json"]
    script = HANGING.format(mark=str(hangs))
    process = subprocess.Popen(
        [sys.executable, "-c", script, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not hangs.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode == 1
    assert json.loads(out)["failures"] == ["recorder: did not end; what it had not written is lost"]
    assert err == "ecgstream: recorder: did not end; what it had not written is lost\n"


def test_beats_and_events_stand_beside_the_record(tmp_path: Path) -> None:
    samples = seconds(0, 20)[[0, 1, 9]]
    samples[2, 5000:8000] = 1.0
    path = write_record(tmp_path, "r", samples, leads=MEASURED)
    summary_of(path, "--headless", "--speed", "max", "--record", tmp_path / "out")
    found = wfdb.rdann(str(tmp_path / "out" / "r"), "atr")
    beats = [index for index, symbol in zip(found.sample, found.symbol, strict=True) if symbol == "N"]
    assert len(beats) == pytest.approx(20 * 70 / 60, abs=4)
    for beat in beats:  # each stands at the top of lead II
        around = samples[1, max(0, beat - 50) : beat + 50]
        assert samples[1, max(0, beat - 8) : beat + 9].max() == around.max()
    notes = [(int(index), note) for index, note in zip(found.sample, found.aux_note, strict=True) if note]
    assert [note for _, note in notes if "lead" in note] == ["lead off: V4 stands still", "lead back: V4"]
    assert [index for index, note in notes if "lead" in note] == pytest.approx([5150, 8000], abs=30)
    assert notes[0][1] == "source: live"
