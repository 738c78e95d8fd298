"""A recording in a process of its own, to be killed: it says on its output how far it is."""

import sys
from pathlib import Path

import numpy as np

from engine.leads import Origin
from stream.items import Block, Event, Gap, Kind
from stream.sinks.recorder import Recorder

MEASURED = ("I", "II", "V4")
STEP = 100
"""Samples pushed at once."""


def leads(length: int, seed: int = 1) -> np.ndarray:
    """Twelve leads on the grid of 1000 counts/mV."""
    return (np.random.default_rng(seed).integers(-3000, 3000, (12, length)) / 1000).astype(np.float32)


def gaps(length: int, seed: int) -> list[tuple[int, int]]:
    """Where nothing is known: short gaps and long ones, in steps."""
    random = np.random.default_rng(seed)
    starts = np.sort(random.integers(0, length // STEP, 6)).tolist()
    return [(start * STEP, (start + each) * STEP) for start, each in zip(starts, [1, 12, 3, 30, 7, 5], strict=True)]


def samples(length: int, seed: int) -> np.ndarray:
    """What is recorded."""
    made = leads(length, seed)
    for start, stop in gaps(length, seed):
        made[:, start:stop] = np.nan
    return made


def record(folder: Path, length: int, seed: int) -> None:
    """Record all of it, and say after each step where the next one begins."""
    made = samples(length, seed)
    recorder = Recorder(folder, "r", leads_in=MEASURED)
    for start in range(0, length, STEP):
        some = made[:, start : start + STEP]
        if np.isnan(some).all():
            recorder.push(Gap(start, STEP))
        else:
            origin = np.full(some.shape, Origin.ESTIMATED, np.uint8)
            origin[[0, 1, 9]] = Origin.MEASURED
            recorder.push(Block(start, some, np.zeros_like(some), origin))
        recorder.push(Event(start, Kind.TIME, value=1.8e9 + start / 500))
        if start % 500 == 0:
            recorder.push(Event(start, Kind.BEAT, "II", value=60.0))
        print(start + STEP, flush=True)


if __name__ == "__main__":
    record(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
