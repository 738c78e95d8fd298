"""What is recorded is read back by wfdb, at any moment and after any end."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import SinkError, UsageError
from engine.leads import DISCLAIMER, Origin
from stream.items import Block, Event, Gap, Item, Kind
from stream.sinks.annotations import Annotations
from stream.sinks.recorder import FINEST_GAIN, Recorder
from stream.sources.record import open_record
from tests.stream.chunks import Samples, cut
from tests.stream.sinks import recording
from tests.stream.sinks.recording import leads

ROOT = Path(__file__).resolve().parents[3]
LABELS = ["I", "II", "dIII", "daVR", "daVL", "daVF", "dV1", "dV2", "dV3", "V4", "dV5", "dV6"]


def items(samples: Samples, sizes: Sequence[int] = (40,)) -> Iterator[Block | Gap]:
    """Blocks of these sizes, and gaps where no lead is known."""
    for chunk in cut(samples, sizes):
        known = np.atleast_1d(np.isfinite(chunk.samples).any(axis=0))
        edges = [0, *(np.flatnonzero(np.diff(known)) + 1).tolist(), len(known)]
        for start, stop in pairwise(edges):
            if start < stop and not known[start]:
                yield Gap(chunk.index + start, stop - start)
            elif start < stop:
                yield block(chunk.index + start, chunk.samples[:, start:stop])


def block(start: int, samples: Samples) -> Block:
    origin = np.full(samples.shape, Origin.ESTIMATED, np.uint8)
    origin[[0, 1, 9]] = Origin.MEASURED
    origin[np.isnan(samples)] = Origin.NONE
    return Block(start, samples, np.zeros_like(samples), origin)


def record(folder: Path, samples: Samples, name: str = "r", **settings: object) -> Recorder:
    recorder = Recorder(folder, name, leads_in=("I", "II", "V4"), **settings)  # type: ignore[arg-type]
    for item in items(samples):
        recorder.push(item)
    recorder.close()
    return recorder


def read(path: Path) -> Samples:
    physical = wfdb.rdrecord(str(path.with_suffix(""))).p_signal
    return np.asarray(physical.T, np.float32)


def test_what_was_derived_is_never_written_under_a_measured_name(tmp_path: Path) -> None:
    samples = leads(600)
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    for chunk in cut(samples, [40]):
        each = block(chunk.index, chunk.samples)
        origin = each.origin.copy()
        if 200 <= each.start < 400:  # V4 fell off
            origin[9] = Origin.ESTIMATED
        recorder.push(replace(each, origin=origin))
    recorder.close()
    expected = samples.copy()
    expected[9, 200:400] = np.nan
    assert np.array_equal(read(recorder.path), expected, equal_nan=True)


def test_wfdb_reads_what_was_pushed(tmp_path: Path) -> None:
    samples = leads(1234)
    samples[3, 100:200] = np.nan  # one lead's missing samples are no gap
    recorder = record(tmp_path, samples, comments=["model: test"])
    assert np.array_equal(read(recorder.path), samples, equal_nan=True)
    header = wfdb.rdheader(str(tmp_path / "r"))
    assert (header.sig_name, header.fs, header.sig_len) == (LABELS, 500, 1234)
    assert header.comments[0] == "model: test"
    assert header.comments[1].startswith("derived: dIII, daVR")
    assert header.comments[2:] == [DISCLAIMER, "clipped samples: 0"]
    again = wfdb.rdrecord(str(tmp_path / "r"), physical=False)
    assert [each % 65536 for each in again.checksum] == again.calc_checksum()  # stored as signed 16 bits
    assert again.init_value == again.d_signal[0].tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea"]


@given(
    gaps=st.lists(st.tuples(st.integers(0, 2500), st.integers(1, 900)), max_size=3),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=3),
)
@settings(max_examples=10)
def test_gaps_are_gaps_of_their_length(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[int, int]], sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("gaps")
    samples = leads(2600)
    for start, length in gaps:
        samples[:, start : start + length] = np.nan
    recorder = Recorder(folder, "r", leads_in=("I", "II", "V4"))
    written = 0
    for item in items(samples, sizes):
        recorder.push(item)
        if recorder.samples == written:
            continue
        written = recorder.samples
        if not np.isnan(samples[0, :written]).all():
            so_far = read(recorder.path)  # whole while it is open, too
            assert np.array_equal(so_far, samples[:, : so_far.shape[1]], equal_nan=True)
            assert written - so_far.shape[1] in (0, np.isnan(samples[0, :written])[::-1].argmin())
    recorder.close()
    assert np.array_equal(read(recorder.path), samples, equal_nan=True)
    ours = open_record(recorder.path)
    assert ours.leads == ("I", "II", "V4")
    assert np.array_equal(ours.read(0, 2600)[[0, 1, 9]], samples[[0, 1, 9]], equal_nan=True)


def test_a_gap_is_a_segment_of_its_own(tmp_path: Path) -> None:
    samples = leads(2000)
    samples[:, 700:1300] = np.nan
    record(tmp_path, samples)
    header = wfdb.rdheader(str(tmp_path / "r"))
    assert header.seg_name == ["r_layout", "r_segment_0001", "~", "r_segment_0002"]
    assert header.seg_len == [0, 700, 600, 700]


@pytest.mark.parametrize("gap", [False, True])
def test_a_killed_recording_opens(tmp_path: Path, gap: bool) -> None:
    script = f"""
import os, numpy as np
from pathlib import Path
from tests.stream.sinks.test_recorder import Recorder, items, leads
recorder = Recorder(Path({str(tmp_path)!r}), "r", leads_in=("I", "II", "V4"))
samples = leads(2600)
if {gap}:
    samples[:, 600:900] = np.nan
for item in items(samples):
    recorder.push(item)
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    samples = leads(2600)
    if gap:
        samples[:, 600:900] = np.nan
    kept = read(tmp_path / "r")
    assert kept.shape[1] >= 2600 - 520  # all but the last second
    assert np.array_equal(kept, samples[:, : kept.shape[1]], equal_nan=True)
    ours = open_record(tmp_path / "r")
    assert ours.n_samples == kept.shape[1]
    assert np.array_equal(ours.read(550, 950)[0], samples[0, 550:950], equal_nan=True)


def test_clipping_is_counted_and_said(tmp_path: Path) -> None:
    samples = leads(600)
    samples[2, 10:15] = 40.0
    samples[7, 20] = -33.0
    recorder = record(tmp_path, samples)
    assert recorder.clipped == 6
    assert "clipped samples: 6" in wfdb.rdheader(str(tmp_path / "r")).comments
    assert np.array_equal(read(recorder.path), np.clip(samples, -32.767, 32.767))


@pytest.mark.parametrize(("given_gain", "used"), [(200, 1000), (1000, 1000), (2000.5, 2000.5), (1e6, FINEST_GAIN)])
def test_the_finer_gain_is_used(tmp_path: Path, given_gain: float, used: float) -> None:
    samples = leads(600)
    recorder = record(tmp_path, samples, gain=given_gain)
    assert open_record(recorder.path).gain == used
    assert np.abs(read(recorder.path) - samples).max() <= 0.5001 / used


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    gapped = leads(2000)
    gapped[:, 500:1500] = np.nan
    record(tmp_path, gapped)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="--force"):
        Recorder(tmp_path, "r")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    other = record(tmp_path, leads(700), name="r_1")
    replaced = record(tmp_path, leads(600, seed=2), force=True)
    assert np.array_equal(read(replaced.path), leads(600, seed=2))
    assert np.array_equal(read(other.path), leads(700))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea", "r_1.dat", "r_1.hea"]


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UsageError, match=r"cannot write into .*; choose another folder"):
        Recorder(tmp_path / folder, "r")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_are_made_and_names_made_fit(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a" / "b", leads(600), name="day 1.ecg")
    assert recorder.path == tmp_path / "a" / "b" / "day_1_ecg.hea"
    assert read(recorder.path).shape == (12, 600)


def test_a_recording_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    record(tmp_path, np.full((12, 900), np.nan, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_what_came_before_is_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    samples = leads(2500)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for item in items(samples, [500]):
        if item.start == 1000:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1200 * 24, limits[1]))
            try:
                with pytest.raises(SinkError, match="what came before is kept"):
                    recorder.push(item)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert np.array_equal(read(recorder.path), samples[:, :1000])
        else:
            recorder.push(item)
    recorder.close()
    samples[:, 1000:1500] = np.nan
    assert np.array_equal(read(recorder.path), samples, equal_nan=True)


def test_a_dropped_block_is_a_gap(tmp_path: Path) -> None:
    samples = leads(1500)
    recorder = Recorder(tmp_path, "r")
    for item in items(samples, [100]):
        if item.start != 700:
            recorder.push(item)
    recorder.close()
    samples[:, 700:800] = np.nan
    assert np.array_equal(read(recorder.path), samples, equal_nan=True)


def test_a_gap_of_a_day_costs_its_description(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    day = 24 * 3600 * 500
    samples = leads(700)
    recorder.push(block(0, samples))
    recorder.push(Gap(700, day))
    recorder.push(block(700 + day, samples))
    recorder.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 100_000
    header = wfdb.rdheader(str(tmp_path / "r"))
    assert header.seg_len == [0, 700, day, 700]
    assert open_record(recorder.path).n_samples == 1400 + day


def test_a_user_s_file_of_any_name_is_left_alone(tmp_path: Path) -> None:
    """Found: what tried out whether the folder can be written had a name that a user's file may have."""
    (tmp_path / "r_probe").write_text("mine")
    (tmp_path / "r.txt").write_text("mine too")
    record(tmp_path, leads(600))
    assert (tmp_path / "r_probe").read_text() == "mine"
    assert (tmp_path / "r.txt").read_text() == "mine too"


@pytest.mark.parametrize("linked", ["r.hea", "r.dat"])
def test_what_is_read_is_never_written_by_whatever_name(tmp_path: Path, linked: str) -> None:
    out, source = tmp_path / "out", tmp_path / "source"
    record(out, leads(600))
    source.mkdir()
    (source / linked).symlink_to(out / linked)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UsageError, match="holds the record that is read"):
        Recorder(out, "r", inputs=[source / linked], force=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (source / "r.hea").unlink(missing_ok=True)
    (source / "r.hea").symlink_to(out / "r.hea")
    with pytest.raises(UsageError, match="holds the record that is read"):  # and the other way round
        Recorder(source, "r", inputs=[out / "r.hea"], force=True)


def test_what_is_replaced_stays_until_there_is_something_in_its_place(tmp_path: Path) -> None:
    record(tmp_path, leads(700))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    recorder = Recorder(tmp_path, "r", force=True)
    recorder.push(block(0, leads(300, seed=2)))
    assert {path: path.read_bytes() for path in before} == before
    recorder.push(block(300, leads(300, seed=3)))
    assert read(recorder.path).shape == (12, 600)
    recorder.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea"]
    nothing = Recorder(tmp_path, "r", force=True)
    nothing.push(Gap(0, 1000))
    nothing.close()
    assert read(recorder.path).shape == (12, 600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea"]


def test_beats_and_events_are_annotations_in_order(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    start, length = 1000, 40_000
    told: list[Item] = [
        Event(start + 5200, Kind.LEAD_OFF, "V4", "stands still"),
        Event(start + 5900, Kind.LEAD_BACK, "V4"),
        Event(start + 6000, Kind.LATENCY, value=100.0),  # no matter of a recording
        Event(start + 30_000, Kind.SINK_FAILED, text="screen: what is this \u00b5"),
    ]
    beats = list(range(start + 100, start + length, 2500))
    for at in range(start, start + length, 100):
        recorder.push(block(at, leads(100)))
        for event in told:
            if isinstance(event, Event) and at <= event.index < at + 100:
                recorder.push(event)
        for beat in beats:
            if at <= beat + 1700 < at + 100:  # beats are told late
                recorder.push(Event(beat, Kind.BEAT, "II", value=70.0))
    open_one = wfdb.rdann(str(tmp_path / "r"), "atr")
    recorder.close()
    whole = wfdb.rdann(str(tmp_path / "r"), "atr")
    assert whole.fs == 500
    assert whole.sample.tolist() == sorted(whole.sample.tolist())
    assert whole.sample[: len(open_one.sample)].tolist() == open_one.sample.tolist()
    assert len(open_one.sample) >= len(whole.sample) - 5
    symbols = dict.fromkeys(whole.symbol)
    assert list(symbols) == ["N", '"']
    found = [index for index, symbol in zip(whole.sample.tolist(), whole.symbol, strict=True) if symbol == "N"]
    assert found == [beat - start for beat in beats if beat + 1700 < start + length]
    notes = {index: note for index, note in zip(whole.sample.tolist(), whole.aux_note, strict=True) if note.strip("\0")}
    assert notes == {
        5200: "lead off: V4 stands still",
        5900: "lead back: V4",
        30_000: "sink failed: screen: what is this ?",
    }


def test_a_beat_that_is_told_after_a_long_block_stands_in_its_place(tmp_path: Path) -> None:
    """Found: comments of a block were written before the beats that follow it, which then stood with them."""
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    for start in (0, 10_000, 20_000):
        recorder.push(block(start, leads(10_000)))
        recorder.push(Event(start + 9900, Kind.LEAD_OFF, "V4", "stands still"))
        if start:
            recorder.push(Event(start - 140, Kind.BEAT, "II", value=60.0))
        recorder.push(Event(start + 500, Kind.BEAT, "II", value=60.0))
    recorder.close()
    found = wfdb.rdann(str(tmp_path / "r"), "atr")
    beats = [index for index, symbol in zip(found.sample.tolist(), found.symbol, strict=True) if symbol == "N"]
    assert beats == [500, 9860, 10_500, 19_860, 20_500]


def test_annotations_can_be_read_when_the_disk_has_filled(tmp_path: Path) -> None:
    """Found: what ended the file was cut off with what did not fit."""
    annotations = Annotations(tmp_path / "r.atr")
    (tmp_path / "r.hea").write_text("r 1 500 100000\nr.dat 16 1000(0)/mV 16 0 0 0 0 II\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for index in range(0, 40_000, 500):
        annotations.add(Event(index + 1, Kind.LEAD_OFF, "V4", "stands still"))
    annotations.write(0, 3000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            annotations.write(0, 40_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert wfdb.rdann(str(tmp_path / "r"), "atr").sample.tolist() == list(range(1, 3000, 500))
    annotations.close(0)
    assert wfdb.rdann(str(tmp_path / "r"), "atr").sample.tolist() == list(range(1, 40_000, 500))


def test_short_gaps_cost_no_files(tmp_path: Path) -> None:
    samples = leads(20_000)
    samples[:, ::50] = np.nan
    samples[:, 9000:9499] = np.nan
    recorder = record(tmp_path, samples)
    assert len(list(tmp_path.iterdir())) <= 4
    assert np.array_equal(read(recorder.path), samples[:, 1:], equal_nan=True) or np.array_equal(
        read(recorder.path), samples, equal_nan=True
    )


def test_a_killed_recording_keeps_its_annotations(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    for at in range(0, 20_000, 100):
        recorder.push(block(at, leads(100)))
        if at % 1000 == 0:
            recorder.push(Event(at, Kind.BEAT, "II", value=60.0))
    assert wfdb.rdann(str(tmp_path / "r"), "atr").sample.tolist() == list(range(0, 17_500, 1000))
    recorder.close()


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def header_time(path: Path) -> datetime | None:
    found = wfdb.rdheader(str(path.with_suffix(""))).base_datetime
    assert found is None or isinstance(found, datetime)
    return found


@pytest.mark.parametrize("gap", [False, True])
def test_when_it_began_stands_in_the_header(tmp_path: Path, gap: bool) -> None:
    began = datetime(2026, 3, 1, 12, 30, 45, 250_000)
    samples = leads(2000)
    if gap:
        samples[:, 500:1500] = np.nan
    for name, zone in (("naive", None), ("aware", timezone(timedelta(hours=-7)))):
        recorder = record(tmp_path, samples, name=name, begun=began.replace(tzinfo=zone))
        local = began.replace(tzinfo=zone).astimezone().replace(tzinfo=None) if zone else began
        assert header_time(recorder.path) == local
        assert open_record(recorder.path).began == local
        said = [each for each in wfdb.rdheader(str(tmp_path / name)).comments if each.startswith("began: ")]
        assert [datetime.fromisoformat(each.removeprefix("began: ")) for each in said] == (
            [began.replace(tzinfo=zone)] if zone else []
        )
        assert np.array_equal(read(recorder.path), samples, equal_nan=True)


@pytest.mark.parametrize("first", [100, 700, 1900])
def test_the_first_event_that_tells_the_time_tells_when_it_began(tmp_path: Path, first: int) -> None:
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    start, unix = 1000, 1_772_000_000.125
    for at in range(0, 2500, 100):
        recorder.push(block(start + at, leads(100)))
        if at >= first:
            recorder.push(Event(start + at, Kind.TIME, value=unix + at / 500 + (at > first)))  # later ones drift
    local = datetime.fromtimestamp(unix).astimezone()
    assert header_time(recorder.path) == local.replace(tzinfo=None)  # while it is open, too
    recorder.close()
    assert header_time(recorder.path) == local.replace(tzinfo=None)
    assert f"began: {local.isoformat()}" in wfdb.rdheader(str(tmp_path / "r")).comments
    assert not (tmp_path / "r.atr").exists()


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -1e30, 1e30, 0.0])
def test_a_time_that_cannot_be_is_no_time(tmp_path: Path, value: float | None) -> None:
    recorder = Recorder(tmp_path, "r")
    recorder.push(block(0, leads(700)))
    recorder.push(Event(0, Kind.TIME, value=value))
    recorder.close()
    assert header_time(recorder.path) is None
    assert read(recorder.path).shape == (12, 700)


def test_what_waits_for_a_second_is_written_when_anything_is_pushed(tmp_path: Path) -> None:
    """A device that stalls after 0.7 s of samples leaves no more than that in memory."""
    clock = Clock()
    recorder = Recorder(tmp_path, "r", clock=clock)
    recorder.push(block(0, leads(350)))
    clock.now += 0.5
    recorder.push(Event(350, Kind.LATENCY, value=100.0))
    assert not recorder.path.exists()
    clock.now += 0.6
    recorder.push(Event(350, Kind.LATENCY, value=100.0))
    assert np.array_equal(read(recorder.path), leads(350))
    recorder.push(block(350, leads(100, seed=2)))
    clock.now += 1.1
    recorder.push(block(450, leads(50, seed=3)))
    assert read(recorder.path).shape == (12, 500)
    clock.now += 1.1
    recorder.push(Event(500, Kind.SOURCE, text="lost"))  # with nothing to write
    recorder.close()
    assert read(recorder.path).shape == (12, 500)


@pytest.mark.parametrize("seed", range(5))
def test_whenever_it_is_killed_what_was_there_a_second_ago_opens(tmp_path: Path, seed: int) -> None:
    length = 20_000
    command = [sys.executable, "-m", "tests.stream.sinks.recording", str(tmp_path), str(length), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = int(np.random.default_rng(seed).integers(recording.STEP * 12, length))
    said = 0
    for line in process.stdout:
        said = int(line)
        if said >= last:
            break
    process.kill()
    said = max([said, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    process.wait()
    process.stdout.close()
    kept, written = read(tmp_path / "r"), recording.samples(length, seed)
    first = int(np.isfinite(written[0]).argmax())
    written = written[:, first:]  # a record begins with the first sample
    behind = said - first - kept.shape[1]
    gap = np.isnan(written[0, : said - first])[::-1].argmin()
    assert behind <= 500 + gap  # a gap is written when its length is known
    assert np.array_equal(kept, written[:, : kept.shape[1]], equal_nan=True)
    ours = open_record(tmp_path / "r")
    assert ours.n_samples == kept.shape[1]
    assert ours.began is not None
    if said > 6000:
        beats = wfdb.rdann(str(tmp_path / "r"), "atr").sample.tolist()
        due = [each - first for each in range(0, said - 3100 - gap, 500) if each >= first]
        assert beats[: len(due)] == due


@pytest.mark.parametrize("gapped", [False, True])
def test_a_power_cut_costs_ten_seconds_and_never_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gapped: bool
) -> None:
    """Files hold what they held when they were last brought onto the disk; headers that, or what they hold now."""
    on_disk: dict[int, bytes] = {}

    def kept_by(real: Callable[[int], None]) -> Callable[[int], None]:
        def sync(handle: int) -> None:
            real(handle)
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode):
                on_disk[status.st_ino] = Path(f"/proc/self/fd/{handle}").read_bytes()

        return sync

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, kept_by(getattr(os, name)))
    clock = Clock()
    out, samples = tmp_path / "out", leads(500 * 65)
    if gapped:
        samples[:, 500 * 8 : 500 * 9 + 300] = samples[:, 500 * 30 : 500 * 33] = np.nan
    recorder = Recorder(out, "r", leads_in=("I", "II", "V4"), clock=clock)
    for n, item in enumerate(items(samples, [500])):
        recorder.push(item)
        recorder.push(Event(item.start, Kind.BEAT, "II", value=60.0))
        clock.now += item.end / 500 + 100 - clock.now
        if n % 4 or not recorder.is_there:
            continue
        for newest in (False, True):
            world = tmp_path / f"{n} {newest}"
            world.mkdir()
            for path in out.iterdir():
                content = on_disk.get(path.stat().st_ino)
                if newest and path.suffix == ".hea":
                    content = path.read_bytes()
                if content is not None:
                    (world / path.name).write_bytes(content)
            kept = read(world / "r")
            assert item.start - kept.shape[1] <= 500 * (11 + 4)
            same = kept == samples[:, : kept.shape[1]]
            lost = np.isnan(kept)
            assert (same | lost)[:, : kept.shape[1]].all()
            if kept.shape[1] > 11 * 500:
                sure = slice(0, item.start - 11 * 500)
                assert np.array_equal(kept[:, sure], samples[:, sure][:, : kept[:, sure].shape[1]], equal_nan=True)
            assert open_record(world / "r").n_samples == kept.shape[1]
            if item.start > 25 * 500:
                beats = wfdb.rdann(str(world / "r"), "atr").sample.tolist()
                assert beats[-1] >= item.start - 20 * 500
    recorder.close()
    assert np.array_equal(read(recorder.path), samples, equal_nan=True)
    assert all(on_disk[path.stat().st_ino] == path.read_bytes() for path in out.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk of its own")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_keeps_what_was_there_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 900_000)
    clock = Clock()
    recorder = Recorder(small_disk / "out", "r", leads_in=("I", "II", "V4"), clock=clock)
    samples = leads(500 * 140)
    lost, failures = [], []
    for item in items(samples, [500]):
        try:
            recorder.push(item)
        except SinkError as error:
            failures.append(str(error))
            kept = read(recorder.path)
            assert np.array_equal(kept, samples[:, : kept.shape[1]])
            lost.append((item.start, item.end))
            ballast.unlink()
        clock.now += 1
    recorder.close()
    assert len(lost) == 1
    assert failures == [f"cannot write {recorder.path}: No space left on device; what came before is kept"]
    for start, stop in lost:
        samples[:, start:stop] = np.nan
    assert np.array_equal(read(recorder.path), samples, equal_nan=True)


def test_a_total_that_is_behind_its_segments_is_read(tmp_path: Path) -> None:
    """What a reader may see between two writes: the first line of a header is changed last."""
    samples = leads(2000)
    samples[:, 600:1200] = np.nan
    recorder = record(tmp_path, samples)
    content = recorder.path.read_text()
    assert "r/4 12 500 2000 " in content
    recorder.path.write_text(content.replace("r/4 12 500 2000 ", "r/4 12 500 1900 "))
    assert np.array_equal(read(recorder.path), samples[:, :1900], equal_nan=True)


def test_events_are_told_with_their_figures_and_without_what_nobody_can_print(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    recorder.push(block(0, leads(700)))
    for index, event in enumerate(
        [
            Event(100, Kind.DROPPED, value=120.0),
            Event(200, Kind.NOTICE, text="no\nsignal\0 \u2013 look\x1b[2J"),
            Event(300, Kind.NOTICE),
            Event(400, Kind.CLOCK, text="3 samples came twice", value=3.0),
            Event(500, Kind.TIME, value=1.7e9),
            Event(550, Kind.LATENCY, value=100.0),
            Event(600, Kind.LIMB_DISAGREE, "aVF", value=250.0),
            Event(650, Kind.NOTICE, text="x" * 1000),
        ]
    ):
        recorder.push(replace(event, index=event.index + index))
    recorder.close()
    found = wfdb.rdann(str(tmp_path / "r"), "atr")
    notes = [note.strip("\0") for note in found.aux_note]
    assert notes[:-1] == [
        "dropped: 120",
        "notice: no signal  ? look [2J",
        "clock: 3 samples came twice",
        "limb leads disagree: aVF 250",
    ]
    assert notes[-1].startswith("notice: xxx")


@pytest.mark.slow
def test_thousands_of_gaps_stay_cheap(tmp_path: Path) -> None:
    """A day with a gap each minute: headers are brought up to date each second."""
    recorder = Recorder(tmp_path, "r", leads_in=("I", "II", "V4"))
    for n in range(1440):
        recorder.push(block(1000 * n, leads(500)))
        recorder.push(Gap(1000 * n + 500, 500))
    began = time.process_time()
    for n in range(200):
        recorder.push(block(1000 * 1440 + 500 * n, leads(500)))
    assert (time.process_time() - began) / 200 < 0.01
    recorder.close()
    assert open_record(recorder.path).n_samples == 1000 * 1440 + 500 * 200
