"""Small recordings of every kind, to be damaged, and what a program does with one."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import wfdb

from stream.items import Gap
from stream.sinks.recorder import Recorder
from stream.sources.record import Record, open_record, select
from tests.stream.records import write_record
from tests.stream.sinks.recording import MEASURED, leads
from tests.stream.sinks.test_recorder import block
from tests.stream.sources.damage import damaged
from tests.stream.sources.xdf_files import Stream, write_xdf

LENGTH = 1000


@dataclass(frozen=True)
class Seed:
    """A recording that is whole.

    Attributes
    ----------
    path : Path
        What is opened.
    targets : tuple of Path
        The files that may be damaged.
    header : int
        Bytes at their start that say most.
    """

    path: Path
    targets: tuple[Path, ...]
    header: int


def samples() -> np.ndarray:
    """(LENGTH, 3) uV."""
    return np.cumsum(np.random.default_rng(0).normal(0, 5, (LENGTH, 3)), axis=0).round(1)


def wfdb_seeds(folder: Path) -> list[Seed]:
    """Formats of several widths, a compressed one, segments, a header without a count; annotations beside them."""
    seeds = []
    for fmt, gain in (("16", 1000), ("212", 200), ("24", 1000), ("80", 30), ("516", 1000)):
        home = folder / f"format {fmt}"
        home.mkdir()
        write_record(home / "r", samples() / 1000, MEASURED, fmt=fmt, gain=gain)
        seeds.append(home)
    uncounted = folder / "uncounted"
    shutil.copytree(seeds[0], uncounted)
    header = (uncounted / "r.hea").read_text()
    (uncounted / "r.hea").write_text(header.replace(f"r 3 500 {LENGTH}", "r 3 500"))
    seeds.append(uncounted)
    recorder = Recorder(folder / "segments", "r", leads_in=MEASURED)
    recorder.push(block(0, leads(600)))
    recorder.push(Gap(600, 700))
    recorder.push(block(1300, leads(700)))
    recorder.close()
    seeds.append(folder / "segments")
    for home in seeds:
        wfdb.wrann(
            "r", "atr", np.array([7, 500, 900]), ["N", '"', "+"], aux_note=["", "off", "(A"], write_dir=str(home)
        )
    return [Seed(home / "r.hea", _often(sorted(home.iterdir())), 200) for home in seeds]


def edf_seeds(folder: Path) -> list[Seed]:
    """With annotations, without, and as if there were gaps."""
    notes = [edfio.EdfAnnotation(0.5, None, "hello"), edfio.EdfAnnotation(1.5, 0.25, "there")]
    signals = _signals(edfio.EdfSignal)
    edfio.Edf(signals, annotations=notes, recording=edfio.Recording(startdate=date(2026, 1, 2))).write(folder / "a.edf")
    content = (folder / "a.edf").read_bytes()
    (folder / "b.edf").write_bytes(content[:192] + b"EDF+D" + content[197:])
    edfio.Edf(signals).write(folder / "c.edf")
    return [Seed(path, (path,), 1300) for path in sorted(folder.glob("*.edf"))]


def bdf_seeds(folder: Path) -> list[Seed]:
    """Plain."""
    edfio.Bdf(_signals(edfio.BdfSignal)).write(folder / "a.bdf")
    return [Seed(folder / "a.bdf", (folder / "a.bdf",), 1100)]


def xdf_seeds(folder: Path) -> list[Seed]:
    """All stamped, some stamped, with a clock and a stream of markers."""
    stamps = 10 + np.arange(LENGTH) / 500
    markers = Stream(2, np.array([["a"]] * 20), 10 + np.arange(20.0) / 10, rate=0, format="string", channels=())
    offsets = [(float(second), 0.01) for second in range(10)]
    write_xdf(folder / "a.xdf", [Stream(1, samples(), stamps, offsets=offsets)])
    write_xdf(folder / "b.xdf", [Stream(1, samples(), stamps, format="int16"), markers])
    write_xdf(folder / "c.xdf", [Stream(1, samples(), np.where(np.arange(LENGTH) % 64, np.nan, stamps))])
    return [Seed(path, (path,), 2000) for path in sorted(folder.glob("*.xdf"))]


def csv_seeds(folder: Path) -> list[Seed]:
    """Seconds, milliseconds with decimal commas, and dates."""
    rows = samples().tolist()
    (folder / "a.csv").write_text(
        "time (s),I (uV),II (uV),V4 (uV)\n"
        + "".join(f"{n / 500:.3f},{a},{b},{c}\n" for n, (a, b, c) in enumerate(rows))
    )
    commas = "".join(f"{2 * n};{a};{b};{c};\n".replace(".", ",") for n, (a, b, c) in enumerate(rows))
    (folder / "b.csv").write_text(f"Time (ms);I [uV];II [uV];V4 [uV];note\n{commas}")
    dates = "".join(f"2026-01-01T12:00:{n / 500:06.3f},{a},{b}\n" for n, (a, b, _) in enumerate(rows))
    (folder / "c.csv").write_text(f"timestamp,I (uV),II (uV)\n{dates}")
    return [Seed(path, (path,), 300) for path in sorted(folder.glob("*.csv"))]


SEEDS: dict[str, Callable[[Path], list[Seed]]] = {
    "wfdb": wfdb_seeds,
    "edf": edf_seeds,
    "bdf": bdf_seeds,
    "xdf": xdf_seeds,
    "csv": csv_seeds,
}


def make(seeds: list[Seed], random: np.random.Generator, folder: Path) -> Path:
    """A damaged copy of one of them, in the place of what is in the folder."""
    seed = seeds[random.integers(len(seeds))]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = seed.targets[random.integers(len(seed.targets))]
    for file in {seed.path, *seed.targets}:
        content = file.read_bytes()
        (folder / file.name).write_bytes(damaged(content, random, seed.header) if file == target else content)
    return folder / seed.path.name


def use(path: Path) -> Record:
    """Open it, choose its leads, and read all of it."""
    record = open_record(path)
    select(record, None)
    for run in record.runs:
        for start in range(run.start, run.end, 100_000):
            record.read(start, min(start + 100_000, run.end))
    record.notes()
    return record


def _often(files: list[Path]) -> tuple[Path, ...]:
    """Headers more often than data."""
    return (*files, *(file for file in files if file.suffix == ".hea"), *(f for f in files if f.suffix == ".hea"))


def _signals(kind: Any) -> list[Any]:
    return [
        kind(samples()[:, n], 500, label=f"ECG {lead}", physical_dimension="uV", physical_range=(-5000, 5000))
        for n, lead in enumerate(MEASURED)
    ]
