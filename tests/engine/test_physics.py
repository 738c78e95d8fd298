"""The limb leads: exact, from any two of them, whatever falls off."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine import physics
from engine.leads import INDEPENDENT_ROWS, LEADS, Origin

ROUNDING_MV = 1e-6


def twelve(seed: int, length: int = 40) -> np.ndarray:
    """Random twelve leads that obey physics, up to 8 mV."""
    eight = np.random.default_rng(seed).uniform(-4, 4, (8, length))
    return (physics.MATRIX @ eight).astype(np.float32)


@given(seed=st.integers(0, 2**32 - 1), pair=st.sets(st.integers(0, 5), min_size=2, max_size=6))
def test_any_two_limb_leads_give_all_six(seed: int, pair: set[int]) -> None:
    truth = twelve(seed)
    samples = np.full_like(truth, np.nan)
    samples[list(pair)] = truth[list(pair)]
    known, mask, origin = physics.solve(samples)
    assert np.abs(known[:6] - truth[:6]).max() <= 2 * ROUNDING_MV  # the truth itself is rounded
    measured = sorted(pair)
    assert np.array_equal(known[measured], samples[measured])
    assert (origin[measured] == Origin.MEASURED).all()
    assert (origin[[row for row in range(6) if row not in pair]] == Origin.COMPUTED).all()
    assert mask[:2].all()
    assert not mask[2:].any()


@given(seed=st.integers(0, 2**32 - 1))
def test_computed_leads_follow_the_measured_samples_to_rounding(seed: int) -> None:
    samples = np.full((12, 40), np.nan, np.float32)
    samples[:2] = np.random.default_rng(seed).uniform(-4, 4, (2, 40)).astype(np.float32)
    known, _, _ = physics.solve(samples)
    first, second = samples[:2].astype(np.float64)
    expected = [second - first, -(first + second) / 2, first - second / 2, second - first / 2]
    assert np.abs(known[2:6] - expected).max() <= ROUNDING_MV


@given(seed=st.integers(0, 2**32 - 1))
def test_each_sample_is_solved_from_what_is_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = twelve(seed)
    samples = np.where(rng.random(truth.shape) < 0.5, truth, np.float32(np.nan))
    known, mask, origin = physics.solve(samples)
    for column in range(truth.shape[1]):
        alone, alone_mask, alone_origin = physics.solve(samples[:, column : column + 1])
        assert np.array_equal(known[:, column], alone[:, 0], equal_nan=True)
        assert np.array_equal(origin[:, column], alone_origin[:, 0])
        assert np.array_equal(mask[:, column], alone_mask[:, 0])
    assert np.array_equal(mask, ~np.isnan(known[list(INDEPENDENT_ROWS)]))


def test_nothing_known_is_nothing_claimed() -> None:
    known, mask, origin = physics.solve(np.full((12, 3), np.nan, np.float32))
    assert np.isnan(known).all()
    assert not mask.any()
    assert (origin == Origin.NONE).all()


def test_redundant_limb_leads_are_checked() -> None:
    truth = twelve(1)
    assert max(physics.limb_residual_uv(truth).values()) < 0.001
    swapped = truth.copy()
    swapped[[3, 4]] = truth[[4, 3]]
    assert physics.limb_residual_uv(swapped)["aVR"] > 100
    only_two = np.full_like(truth, np.nan)
    only_two[:2] = truth[:2]
    assert physics.limb_residual_uv(only_two) == {}


def test_matrix_is_einthoven_and_goldberger() -> None:
    rows = dict(zip(LEADS, physics.MATRIX[:, :2].tolist(), strict=True))
    assert rows["III"] == [-1, 1]
    assert rows["aVR"] == [-0.5, -0.5]
    assert rows["aVL"] == [1, -0.5]
    assert rows["aVF"] == [-0.5, 1]
    assert rows["V3"] == [0, 0]
