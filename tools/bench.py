"""Measures speed and memory on this machine and writes docs/performance.json; tools/tables.py puts it into the docs.

    python tools/bench.py [--hours 24]

Real recordings are used where ECGSTREAM_DATA (or ../shared/data beside the checkout) holds them, else the bundled one.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from engine.leads import INDEX, LEADS, RATE
from engine.model import load
from stream.bed import Bed
from stream.framer import FRAME
from stream.items import Chunk
from stream.sources.record import open_record

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "performance.json"
COMMAND = [sys.executable, "-m", "ecgstream"]
BUNDLED = ROOT / "ecgstream" / "records" / "synthetic.hea"
FRAMES = 200
POLL_S = 0.1


def main() -> None:
    """Measure everything and write it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--hours", type=float, default=24, help="length of the record that is converted")
    hours = arguments.parse_args().hours
    figures = {
        "measured": datetime.date.today().isoformat(),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()},
        "frame": frame_ms(),
        "replay": replay(),
        "start": {"help_s": start_s("--help")},
        "convert": convert(hours),
    }
    OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def recordings() -> list[Path]:
    """Real recordings of 10 s at 500 Hz, or the bundled one."""
    data = Path(os.environ.get("ECGSTREAM_DATA", ROOT.parent / "shared" / "data"))
    return sorted((data / "originals" / "ptbxl").glob("*_hr.hea")) or [BUNDLED]


def frame_ms() -> dict[str, float]:
    """What a live frame costs: the last hop and look-ahead of 10 s, three leads in."""
    engine = load()
    truth = open_record(recordings()[0]).read(0, FRAME)
    leads = ("I", "II", "V4")
    samples = np.full_like(truth, np.nan)
    rows = [INDEX[lead] for lead in leads]
    samples[rows] = truth[rows]
    *_, frame = Bed(engine, RATE, leads).push(Chunk(0, samples))
    times = []
    for _ in range(FRAMES):
        began = time.perf_counter()
        engine.estimate([frame])
        times.append(1000 * (time.perf_counter() - began))
    quantiles = statistics.quantiles(times, n=100)
    return {"median_ms": round(statistics.median(times), 2), "p99_ms": round(quantiles[-1], 2)}


def replay() -> dict[str, object]:
    """Latency of the live path at speed 1, headless, over the bundled minute."""
    done = subprocess.run(
        [*COMMAND, "replay", "--headless", "--json"],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    summary = json.loads(done.stdout)
    return {name: summary[name] for name in ("seconds", "hop", "look_ahead_ms", "latency_ms", "frames_skipped")}


def start_s(*arguments: str) -> float:
    """Wall time of a command that does nothing else, the best of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    return round(min(times), 2)


def convert(hours: float) -> dict[str, float]:
    """Speed and peak memory of `ecgstream convert` on a long record at 500 Hz."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = long_record(folder, hours)
        began = time.perf_counter()
        process = subprocess.Popen(
            [*COMMAND, "convert", str(record), "--out", str(folder / "out"), "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        peak = peak_bytes(process)
        out, _ = process.communicate()
        took = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"convert ended with {process.returncode}")
    seconds = json.loads(out)["seconds"]
    return {
        "hours": round(seconds / 3600, 2),
        "took_s": round(took, 1),
        "times_real_time": round(seconds / took),
        "peak_mb": round(peak / 1e6),
    }


def peak_bytes(process: "subprocess.Popen[str]") -> int:
    """The most memory a process had resident until its end."""
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(POLL_S)
    return peak


def long_record(folder: Path, hours: float) -> Path:
    """Twelve leads at 500 Hz, the recordings one after the other, again and again."""
    leads = np.concatenate([open_record(path).read(0, open_record(path).n_samples) for path in recordings()], axis=1)
    counts = np.rint(leads * 1000).astype("<i2")
    repeats = max(1, round(hours * 3600 * RATE / counts.shape[1]))
    content = np.ascontiguousarray(counts.T).tobytes()
    with (folder / "long.dat").open("wb") as file:
        for _ in range(repeats):
            file.write(content)
    lines = [f"long {len(LEADS)} {RATE} {repeats * counts.shape[1]}"]
    lines += [f"long.dat 16 1000(0)/mV 16 0 {counts[row, 0]} 0 0 {lead}" for row, lead in enumerate(LEADS)]
    (folder / "long.hea").write_text("\n".join([*lines, ""]))
    return folder / "long"


if __name__ == "__main__":
    main()
