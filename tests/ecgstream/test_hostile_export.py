"""Damaged files, exported: what could be read is written, in a place that is left alone when it cannot."""

from pathlib import Path

import numpy as np
import pytest

from ecgstream.exports.csv import write_csv
from ecgstream.exports.edf import write_edf
from ecgstream.exports.survey import open_whole, survey
from engine.errors import EcgStreamError
from stream.edf import EdfError
from tests.stream.sources.hostile import SEEDS, make

LONGEST_S = 3600
"""A gap that is longer says nothing more here."""


def export(path: Path, folder: Path) -> bool:
    """Write it as EDF and as CSV; whether that could be done."""
    try:
        whole = open_whole(path)
        if whole.record.seconds > LONGEST_S:
            return False
        found = survey(whole.record, lambda share: None)
        notes = whole.record.notes()
        write_csv(folder / "r.csv", whole, found, lambda share: None)
        for part in range(len(found.stretches)):
            write_edf(folder / "r.edf", whole, found, part, notes, lambda share: None)
    except (EcgStreamError, EdfError):
        return False
    return True


def check(kind: str, folder: Path, count: int) -> None:
    """Damage so many files, and export each."""
    home, out = folder / "whole", folder / "out"
    home.mkdir()
    out.mkdir()
    seeds = SEEDS[kind](home)
    written = 0
    for number in range(count):
        path = make(seeds, np.random.default_rng(number), folder / "damaged")
        try:
            written += export(path, out)
        except Exception as error:
            raise AssertionError(f"{kind} file number {number} raised {error!r}") from error
        assert {each.name for each in out.iterdir()} <= {"r.csv", "r.edf"}
    assert written > count / 50


@pytest.mark.parametrize("kind", SEEDS)
def test_a_hundred(tmp_path: Path, kind: str) -> None:
    check(kind, tmp_path, 100)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", SEEDS)
def test_ten_thousand(tmp_path: Path, kind: str) -> None:
    check(kind, tmp_path, 10_000)
