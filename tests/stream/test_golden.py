"""What was settled of ten real records before: the same to a millionth of a mV, and what was measured to the bit."""

from pathlib import Path

import numpy as np
import pytest

from engine.model import load
from engine.reconstruction import Engine
from stream.bed import Bed, passed
from tests.stream.chunks import cut, laid
from tests.stream.golden.make import CHUNK_MS, FILE, RECORDS, Settled, samples_of, summed_up

TOLERANCE_MV = 1e-6


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


def settle(engine: Engine, samples: np.ndarray, rate: float, leads: tuple[str, ...]) -> Settled:
    """What the live path settles, in chunks as a device sends them."""
    size = max(1, round(rate * CHUNK_MS / 1000))
    result = laid(list(passed(engine, Bed(engine, rate, leads), cut(samples, [size]))))
    return result.leads, result.interval, result.origin


@pytest.mark.data
@pytest.mark.parametrize("number", range(len(RECORDS)), ids=[record[1] for record in RECORDS])
def test_settled_leads_are_those_of_before(data_dir: Path, engine: Engine, number: int) -> None:
    name, _, rate, leads = RECORDS[number]
    found = summed_up(settle(engine, samples_of(data_dir, name, rate, leads), rate, leads))
    with np.load(FILE) as kept:
        golden = {key: kept[f"{number}.{key}"] for key in found}
    for key in ("length", "measured", "origin"):
        assert np.array_equal(found[key], golden[key]), key
    for key in ("derived", "interval"):
        assert np.abs(found[key] - golden[key]).max() <= TOLERANCE_MV, key
