"""mne-lsl, in an environment of its own, plays a record into `ecgstream serve`, and reads what comes out of it.

So does LabRecorder.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgstream.records import BUNDLED
from engine.leads import INDEX, LEADS, RATE
from stream.sources.record import open_record
from tests.conftest import ROOT

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

HERE = Path(__file__).parent
PEER = ROOT / ".venv-peer" / "bin" / "python"
PLAYED, TWELVE = "mne-lsl plays", "twelve"
LEADS_IN = ("I", "II", "V4")
ROWS = [INDEX[lead] for lead in LEADS_IN]
COUNT, AT_LEAST = 10 * RATE, 4 * RATE
"""Samples that are read; of both streams, from the same time on."""
INTERRUPTED = 128 + signal.SIGINT
"""How a run ends that Ctrl-C ends in good order."""
ALIGNED_BY = 200
VOLT, MILLI = 107, -3
"""FIFF's code of the unit, and the power of ten before it."""
MS = 1e-3


@dataclass
class Run:
    """What came of it."""

    played: NDArray[np.float32]
    seen: dict[str, NDArray[Any]]
    summary: dict[str, Any]
    record: Path
    xdf: Path

    def first(self, samples: NDArray[np.float32]) -> int:
        """Which sample of what was played this (3, n) begins with."""
        windows = np.lib.stride_tricks.sliding_window_view(self.played, ALIGNED_BY, axis=1)
        (first,) = np.flatnonzero((windows == samples[:, None, :ALIGNED_BY]).all(axis=(0, 2)))
        return int(first)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    if not PEER.is_file():
        pytest.fail("there is no .venv-peer; type make peer")
    folder = tmp_path_factory.mktemp("peer")
    source = open_record(BUNDLED)
    played = source.read(0, source.n_samples)[ROWS]
    np.savez(folder / "played.npz", leads=np.array(LEADS_IN), samples=played, rate=np.array(float(RATE)))

    def start(*command: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with ExitStack() as stack:
        serve = start(
            *(sys.executable, "-m", "ecgstream", "serve", f"lsl://{PLAYED}", "--json"),
            *("--out", f"lsl://{TWELVE}", "--record", folder / "record"),
        )
        viewer = start(PEER, HERE / "viewer.py", TWELVE, PLAYED, COUNT, folder / "seen.npz")
        player = start(PEER, HERE / "player.py", PLAYED, folder / "played.npz")
        recorder = start(PEER, HERE / "lab_recorder.py", TWELVE, folder / "twelve.xdf")
        for process in (serve, viewer, player, recorder):
            stack.callback(process.communicate)
            stack.callback(process.kill)
        while viewer.poll() is None and serve.poll() is None and player.poll() is None:
            time.sleep(0.1)
        if viewer.returncode != 0:
            for process in (player, serve, viewer):
                process.kill()
            pytest.fail("\n".join(process.communicate()[1] for process in (player, serve, viewer)))
        _, error = recorder.communicate(timeout=30)  # it ends as its input does
        assert recorder.returncode == 0, error
        serve.send_signal(signal.SIGINT)
        out, error = serve.communicate(timeout=30)
        assert serve.returncode == INTERRUPTED, error
        with np.load(folder / "seen.npz") as seen:
            (record,) = (path for path in (folder / "record").glob("*.hea") if "_segment" not in path.name)
            yield Run(played, dict(seen), json.loads(out), record.with_suffix(""), folder / "twelve.xdf")


def test_what_comes_out_of_the_measured_leads_is_what_was_played_number_for_number(run: Run) -> None:
    measured = run.seen["leads_samples"][ROWS]
    assert measured.dtype == np.float32
    assert measured.shape[1] >= COUNT
    first = run.first(measured)
    np.testing.assert_array_equal(measured, run.played[:, first : first + measured.shape[1]])


def test_limb_leads_are_computed_and_chest_leads_come_with_their_half_widths(run: Run) -> None:
    leads, widths = run.seen["leads_samples"], run.seen["widths_samples"]
    one, two = leads[INDEX["I"]], leads[INDEX["II"]]
    np.testing.assert_allclose(leads[INDEX["III"]], two - one, rtol=0, atol=1e-6)
    np.testing.assert_allclose(leads[INDEX["aVR"]], -(one + two) / 2, rtol=0, atol=1e-6)
    estimated = [INDEX[lead] for lead in LEADS[6:] if lead not in LEADS_IN]
    exact = [row for row in range(12) if row not in estimated]
    assert np.isfinite(leads).all()
    assert (widths[estimated] > 0).all()
    assert (widths[exact] == 0).all()


def test_names_types_units_and_rate_are_read(run: Run) -> None:
    labels = ["I", "II", "dIII", "daVR", "daVL", "daVF", "dV1", "dV2", "dV3", "V4", "dV5", "dV6"]
    assert run.seen["leads_names"].tolist() == labels
    assert run.seen["widths_names"].tolist() == [f"{label} half-width" for label in labels]
    for stream in ("leads", "widths"):
        assert set(run.seen[f"{stream}_types"]) == {"ecg"}
        assert run.seen[f"{stream}_units"].tolist() == [[VOLT, MILLI]] * 12
        assert run.seen[f"{stream}_rate"] == RATE


def test_each_sample_keeps_the_time_the_player_gave_it(run: Run) -> None:
    given, stamps, widths = (run.seen[f"{stream}_stamps"] for stream in ("played", "leads", "widths"))
    began = run.first((run.seen["played_samples"] * 1e3).astype(np.float32))
    offset = run.first(run.seen["leads_samples"][ROWS]) - began  # the viewer began to read at different times
    there = np.arange(max(0, -offset), min(len(stamps), len(given) - offset))
    assert len(there) > AT_LEAST
    off = np.abs(stamps[there] - given[there + offset])
    # The player stamps 20 ms ahead of time; until LSL has compared the clocks, samples were taken when they came.
    assert off.max() < 25 * MS
    assert off[-AT_LEAST:].max() < 1 * MS
    assert np.diff(stamps).min() > 0.9 / RATE
    both = (widths >= stamps[0]) & (widths <= stamps[-1])
    assert both.sum() > AT_LEAST
    assert np.isin(widths[both], stamps).all()


def test_beats_are_markers_at_their_r_peaks(run: Run) -> None:
    texts, stamps = run.seen["marker_texts"], run.seen["marker_stamps"]
    beats = stamps[texts == "beat"]
    leads, times = run.seen["leads_samples"], run.seen["leads_stamps"]
    inside = beats[(beats > times[0] + 0.2) & (beats < times[-1] - 0.2)]
    assert len(inside) >= 4
    rhythm = leads[INDEX["II"]]
    for beat in inside:
        at = int(np.argmin(np.abs(times - beat)))
        around = np.abs(rhythm[at - 100 : at + 100])
        assert abs(int(around.argmax()) - 100) <= 10


def test_nothing_was_lost(run: Run) -> None:
    assert run.summary["failures"] == []
    assert run.summary["gaps"] == 0
    assert run.summary["lost"] == 0


def recorded(run: Run) -> NDArray[np.float32]:
    """The measured leads as wfdb reads them."""
    import wfdb

    record = wfdb.rdrecord(str(run.record))
    assert record.fs == RATE
    assert set(record.units) == {"mV"}
    columns = [record.sig_name.index(lead) for lead in LEADS_IN]
    return np.asarray(record.p_signal[:, columns].T, np.float32)


def test_the_recording_opens_in_wfdb(run: Run) -> None:
    import wfdb

    measured = recorded(run)
    assert measured.shape[1] > COUNT
    first = run.first(measured)
    np.testing.assert_array_equal(measured, run.played[:, first : first + measured.shape[1]])
    assert wfdb.rdann(str(run.record), "atr").symbol.count("N") > 5


def test_the_recording_exported_to_edf_opens_in_edfio(run: Run) -> None:
    import edfio

    command = [sys.executable, "-m", "ecgstream", "export", str(run.record), "--to", "edf"]
    subprocess.run(command, check=True, cwd=run.record.parent, capture_output=True)
    (path,) = run.record.parent.glob("*.edf")
    edf = edfio.read_edf(path)
    measured = recorded(run)
    labels = [signal.label for signal in edf.signals]
    assert labels[:4] == ["ECG I", "ECG II", "ECG dIII", "ECG daVR"]
    for row, lead in enumerate(LEADS_IN):
        signal = edf.signals[labels.index(f"ECG {lead}")]
        assert signal.sampling_frequency == RATE
        to_mv = {"mV": 1, "uV": 1e-3}[signal.physical_dimension]
        step = to_mv * (signal.physical_max - signal.physical_min) / (signal.digital_max - signal.digital_min)
        length = min(measured.shape[1], len(signal.data))
        assert length > COUNT
        np.testing.assert_allclose(to_mv * signal.data[:length], measured[row, :length], rtol=0, atol=step)


def test_labrecorder_records_it_for_xdf(run: Run) -> None:
    import pyxdf

    streams, _ = pyxdf.load_xdf(str(run.xdf), dejitter_timestamps=False)
    found = {stream["info"]["name"][0]: stream for stream in streams}
    assert set(found) == {TWELVE, f"{TWELVE}-half-widths", f"{TWELVE}-events"}
    twelve = found[TWELVE]
    channels = twelve["info"]["desc"][0]["channels"][0]["channel"]
    assert [channel["label"][0] for channel in channels] == run.seen["leads_names"].tolist()
    assert {channel["unit"][0] for channel in channels} == {"millivolts"}
    measured = twelve["time_series"].T[ROWS].astype(np.float32)
    assert measured.shape[1] > AT_LEAST
    first = run.first(measured)
    np.testing.assert_array_equal(measured, run.played[:, first : first + measured.shape[1]])
    # The same samples have the same stamps as the viewer got, but for what LSL finds between the two clocks.
    offset = first - run.first(run.seen["leads_samples"][ROWS])
    there = np.arange(max(0, -offset), min(measured.shape[1], len(run.seen["leads_stamps"]) - offset))
    assert len(there) > AT_LEAST
    off = twelve["time_stamps"][there] - run.seen["leads_stamps"][there + offset]
    assert np.abs(off).max() < 1 * MS
