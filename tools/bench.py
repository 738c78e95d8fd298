"""Measures speed and memory on this machine and writes docs/performance.json; tools/tables.py puts it into the docs.

    python -m tools.bench [--hours 24] [--against COMMIT]

With ``--against`` the same commands of an older commit are measured in turn with today's, and the medians of the ratios
stand beside the figures. Real recordings are used where ECGSTREAM_DATA (or ../shared/data beside the checkout) holds
them, else the bundled one.
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
from typing import Any

import numpy as np
import psutil

from engine.leads import INDEX, LEADS, RATE
from engine.model import load
from stream.bed import Bed
from stream.framer import FRAME
from stream.items import Chunk
from stream.sources.record import open_record
from tools.chain import chain

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "performance.json"
COMMAND = [sys.executable, "-m", "ecgstream"]
BUNDLED = ROOT / "ecgstream" / "records" / "synthetic.hea"
FRAMES = 200
POLL_S = 0.1
PAIRS = 5
PAIRED_HOURS = 1.0
PAIRED_S = 20


def main() -> None:
    """Measure everything and write it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--hours", type=float, default=24, help="length of the record that is converted")
    arguments.add_argument("--against", metavar="COMMIT", help="measure in pairs against this commit")
    given = arguments.parse_args()
    hours = given.hours
    figures = {
        "measured": datetime.date.today().isoformat(),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()},
        "frame": frame_ms(),
        "replay": replay(),
        "chain": chain(),
        "start": {"help_s": start_s("--help")},
        "convert": convert(hours),
    }
    if given.against:
        figures["paired"] = paired(given.against)
    elif OUT.is_file():
        kept = json.loads(OUT.read_text(encoding="utf-8")).get("paired")
        figures |= {"paired": kept} if kept else {}
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


def paired(commit: str) -> dict[str, object]:
    """Whole commands of an older commit and of this checkout in turn: medians of the ratios, new over old."""
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = folder / "old"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(old), commit], cwd=ROOT, check=True)
        try:
            record, short = long_record(folder, PAIRED_HOURS), long_record(folder, PAIRED_S / 3600, "short", most=2)
            longer = long_record(folder, 10 * PAIRED_S / 3600, "longer")
            for turn in range(PAIRS):
                places = (old, ROOT) if turn % 2 else (ROOT, old)
                found = {place: _measure(place, record, short, longer, folder / "out") for place in places}
                for what, value in found[ROOT].items():
                    ratios.setdefault(what, []).append(value / found[old][what])
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(old)], cwd=ROOT, check=True)
    medians = {what: round(statistics.median(each), 3) for what, each in ratios.items()}
    return {"against": commit, "pairs": PAIRS, "ratios": medians}


def _measure(place: Path, record: Path, short: Path, longer: Path, out: Path) -> dict[str, float]:
    """What the commands of a checkout take: converting, frame after frame, and waiting for an estimate."""
    environment = {**os.environ, "PYTHONPATH": str(place)}

    def run(*arguments: object) -> tuple[float, float, dict[str, Any]]:
        """Seconds by the clock, seconds of all cores together, and the summary."""
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(
            [*COMMAND, *map(str, arguments), "--json"],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        took, after = time.perf_counter() - began, os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return took, spent, json.loads(done.stdout)

    convert_s, _, _ = run("convert", record, "--out", out, "--force")
    # Of all cores together, as the old code takes both and today's one; what starting costs cancels out.
    few, many = (run("replay", each, "--speed", "max", "--headless") for each in (short, longer))
    latency = run("replay", short, "--headless")[2]["latency_ms"]
    return {
        f"`convert`, {PAIRED_HOURS:g} h": convert_s,
        "a frame of `replay --speed max`, CPU": (many[1] - few[1]) / (many[2]["frames"] - few[2]["frames"]),
        "arrival to estimate, p50": latency["p50"],
        "arrival to estimate, p99": latency["p99"],
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


def long_record(folder: Path, hours: float, name: str = "long", most: int | None = None) -> Path:
    """Twelve leads at 500 Hz, the recordings (or the first so many) one after the other, again and again."""
    paths = recordings()[:most]
    leads = np.concatenate([open_record(path).read(0, open_record(path).n_samples) for path in paths], axis=1)
    counts = np.rint(leads * 1000).astype("<i2")
    repeats = max(1, round(hours * 3600 * RATE / counts.shape[1]))
    content = np.ascontiguousarray(counts.T).tobytes()
    with (folder / f"{name}.dat").open("wb") as file:
        for _ in range(repeats):
            file.write(content)
    lines = [f"{name} {len(LEADS)} {RATE} {repeats * counts.shape[1]}"]
    lines += [f"{name}.dat 16 1000(0)/mV 16 0 {counts[row, 0]} 0 0 {lead}" for row, lead in enumerate(LEADS)]
    (folder / f"{name}.hea").write_text("\n".join([*lines, ""]))
    return folder / name


if __name__ == "__main__":
    main()
