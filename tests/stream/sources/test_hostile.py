"""Damaged files of every kind: read as far as they make sense, or refused in one line; soon, and in little memory."""

import resource
import time
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EcgStreamError
from tests.stream.sources.hostile import SEEDS, make, use

LONGEST_S = 5.0
"""Of one file, on a machine that has other things to do."""
MOST_GROWTH_MB = 150
"""Libraries that are imported late count too."""


def check(kind: str, folder: Path, count: int) -> None:
    """Damage so many files, and see that each is refused or read."""
    home = folder / "whole"
    home.mkdir()
    seeds = SEEDS[kind](home)
    for seed in seeds:
        use(seed.path)
    refused = 0
    before = _peak_mb()
    for number in range(count):
        path = make(seeds, np.random.default_rng(number), folder / "damaged")
        began = time.monotonic()
        said = refusal(kind, number, path)
        refused += said is not None
        assert said is None or ("\n" not in said and str(path.parent) in said)
        assert time.monotonic() - began < LONGEST_S, f"{kind} file number {number} took long"
    assert _peak_mb() - before < MOST_GROWTH_MB
    assert count / 5 < refused < count * 49 / 50


def refusal(kind: str, number: int, path: Path) -> str | None:
    """What is said of a file that cannot be read."""
    try:
        use(path)
    except EcgStreamError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"{kind} file number {number} raised {error!r}") from error
    return None


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("kind", SEEDS)
def test_three_hundred(tmp_path: Path, kind: str) -> None:
    check(kind, tmp_path, 300)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", SEEDS)
def test_ten_thousand(tmp_path: Path, kind: str) -> None:
    check(kind, tmp_path, 10_000)
