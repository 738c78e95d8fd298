"""The shipped model through the engine: exact where physics holds, bounded in what it sees."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import physics
from engine.leads import LEADS, Origin
from engine.model import load
from engine.reconstruction import Engine

FRAME = 5000


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


def some_leads(seed: int, rows: list[int], length: int = FRAME, largest: float = 8) -> np.ndarray:
    """Random smooth samples on some leads, a few mV and an offset."""
    rng = np.random.default_rng(seed)
    samples = np.full((12, length), np.nan, np.float32)
    smooth = np.cumsum(rng.standard_normal((len(rows), length)), axis=1)
    samples[rows] = 0.05 * smooth + rng.uniform(-2, 2, (len(rows), 1))
    return np.clip(samples, -largest, largest)


@given(seed=st.integers(0, 2**32 - 1), rows=st.sets(st.integers(0, 11), min_size=1), holes=st.floats(0, 0.3))
@settings(max_examples=25)
def test_measured_to_the_bit_and_computed_to_rounding(engine: Engine, seed: int, rows: set[int], holes: float) -> None:
    # Leads that contradict each other are solved to several times their size, and float32 holds 1e-6 mV up to 16 mV.
    samples = some_leads(seed, sorted(rows), largest=2)
    samples[np.random.default_rng(seed).random(samples.shape) < holes] = np.nan
    result = engine.estimate(samples, 400)
    shown = samples[:, -400:]
    measured = ~np.isnan(shown)
    assert np.array_equal(result.leads[measured], shown[measured])
    assert (result.origin[measured] == Origin.MEASURED).all()
    assert not result.interval[measured].any()
    computed = result.origin == Origin.COMPUTED
    assert not computed[6:].any()
    expected = physics.LIMB_MATRIX @ result.leads[:2].astype(np.float64)
    assert np.abs(result.leads[:6] - expected)[computed[:6]].max(initial=0) <= 1e-6
    nothing = ~measured.any(axis=0)
    assert np.isnan(result.leads[:, nothing]).all()
    assert not np.isnan(result.leads[:, ~nothing]).any()
    assert (result.interval[result.origin == Origin.ESTIMATED] > 0).all()


def test_estimates_see_no_more_than_the_look_ahead(engine: Engine) -> None:
    samples = some_leads(3, [0, 1, 9])
    first = engine.estimate(samples, 400)
    end = FRAME - 200
    later = samples.copy()
    later[:, end:] = some_leads(4, [0, 1, 9])[:, end:]
    second = engine.estimate(later, 400)
    settled = 200 - engine.look_ahead
    assert np.array_equal(first.leads[:, :settled], second.leads[:, :settled])
    assert not np.array_equal(first.leads[6, settled:200], second.leads[6, settled:200])  # the bound is tight


def test_left_context_is_enough(engine: Engine) -> None:
    samples = some_leads(5, [0, 1, 9], FRAME + 40 * engine.stride)
    long = engine.estimate(samples, 200)
    other_past = samples.copy()
    other_past[[0, 1, 9], : -engine.left_context - 200 - engine.stride] = 3.0
    assert np.array_equal(engine.estimate(other_past, 200).leads, long.leads)
    shorter = engine.estimate(samples[:, -FRAME:], 200)
    assert np.abs(shorter.leads - long.leads).max() < 1e-4


def test_an_offset_changes_nothing_but_itself(engine: Engine) -> None:
    samples = some_leads(6, [0, 1, 9])
    lifted = samples + np.float32(256)
    difference = engine.estimate(lifted, 400).leads - engine.estimate(samples, 400).leads
    assert np.abs(difference[[6, 7, 8, 10, 11]]).max() < 1e-2
    assert np.abs(difference[9] - 256).max() < 1e-4


def test_backends_agree(engine: Engine) -> None:
    reference = load(backend="torch")
    for seed, rows in ((1, [0, 1, 9]), (2, [1, 2]), (3, [0, 1, 7, 10]), (4, [8])):
        samples = some_leads(seed, rows)
        a, b = engine.estimate(samples, 2000), reference.estimate(samples, 2000)
        assert np.abs(a.leads - b.leads).max() < 1e-4
        assert np.abs(a.interval - b.interval).max() < 1e-4
        assert np.array_equal(a.origin, b.origin)


def test_the_interval_is_wider_with_fewer_leads(engine: Engine, data_dir: Path) -> None:
    import wfdb

    record = wfdb.rdrecord(str(data_dir / "originals" / "ptbxl" / "00009_hr"))
    twelve = record.p_signal.T.astype(np.float32)
    assert [name.upper() for name in record.sig_name] == [lead.upper() for lead in LEADS]
    widths = []
    for rows in ([0, 1], [0, 1, 7, 10]):
        samples = np.full_like(twelve, np.nan)
        samples[rows] = twelve[rows]
        widths.append(engine.estimate(samples, 4000).interval[8].mean())
    assert widths[0] > widths[1]


@pytest.mark.parametrize(("length", "keep"), [(4999, 10), (5000, 0), (5000, 5001)])
def test_a_frame_that_does_not_fit_is_refused(engine: Engine, length: int, keep: int) -> None:
    with pytest.raises(ValueError, match="stride"):
        engine.estimate(np.zeros((12, length), np.float32), keep)
