"""The limb leads: exact, from any two of them, whatever falls off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine import physics
from engine.leads import INDEPENDENT_ROWS, LEADS, LIMB, RATE, Origin
from engine.physics import LimbChange, LimbCheck

ROUNDING_MV = 1e-6
Samples = NDArray[np.float32]


def twelve(seed: int, length: int = 40) -> Samples:
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


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_not_finite_is_not_known(seed: int) -> None:
    rng = np.random.default_rng(seed)
    missing = np.where(rng.random((12, 40)) < 0.6, twelve(seed), np.float32(np.nan))
    what = rng.choice(np.array([np.nan, np.inf, -np.inf], np.float32), missing.shape)
    garbage = np.where(np.isnan(missing), what, missing)
    (known, mask, origin), expected = physics.solve(garbage), physics.solve(missing)
    assert np.array_equal(known, expected[0], equal_nan=True)
    assert np.array_equal(mask, expected[1])
    assert np.array_equal(origin, expected[2])
    assert physics.limb_residual_uv(garbage) == physics.limb_residual_uv(missing)


def test_one_infinity_is_one_unknown_sample() -> None:
    samples = np.full((12, 3), np.nan, np.float32)
    samples[:2] = twelve(0, 3)[:2]
    samples[0, 1] = np.inf
    known, mask, origin = physics.solve(samples)
    assert np.isfinite(known[:6, [0, 2]]).all()
    assert np.isnan(known[[0, 2, 3, 4, 5], 1]).all()
    assert mask[:2].tolist() == [[True, False, True], [True, True, True]]
    assert origin[:3, 1].tolist() == [Origin.ESTIMATED, Origin.MEASURED, Origin.ESTIMATED]


def test_matrix_is_einthoven_and_goldberger() -> None:
    rows = dict(zip(LEADS, physics.MATRIX[:, :2].tolist(), strict=True))
    assert rows["III"] == [-1, 1]
    assert rows["aVR"] == [-0.5, -0.5]
    assert rows["aVL"] == [1, -0.5]
    assert rows["aVF"] == [-0.5, 1]
    assert rows["V3"] == [0, 0]


def strayed(seconds: list[float], lead: str = "III", seed: int = 0) -> Samples:
    """Six limb leads, one of which strays in each second by so many uV."""
    x = twelve(seed, len(seconds) * RATE)
    x[6:] = np.nan
    x[LIMB.index(lead)] += np.repeat(np.array(seconds, np.float32), RATE) / 1000 * (-1) ** np.arange(x.shape[1])
    return x


def told(changes: list[LimbChange]) -> list[tuple[int, str, int, bool]]:
    """The changes with a residual rounded to 1 uV."""
    return [(change.index, change.lead, round(change.residual_uv), change.disagree) for change in changes]


def test_a_limb_lead_that_strays_disagrees_until_it_strays_by_half_the_limit() -> None:
    changes = LimbCheck(LIMB).push(strayed([0, 49, 51, 49, 26, 51, 24, 49, 100]))
    assert told(changes) == [
        (3 * RATE - 1, "III", 51, True),
        (7 * RATE - 1, "III", 24, False),
        (9 * RATE - 1, "III", 100, True),
    ]


def test_an_inverted_lead_shows_in_each_redundant_one_in_order() -> None:
    x = twelve(1, 2 * RATE)
    x[0] *= -1
    changes = LimbCheck(LIMB).push(x)
    assert [(change.index, change.lead) for change in changes] == [(RATE - 1, lead) for lead in LIMB[2:]]
    residuals = physics.limb_residual_uv(x[:, :RATE])
    assert {change.lead: change.residual_uv for change in changes} == residuals


@pytest.mark.parametrize("rows", [[], [1], [0, 1], [2, 5], [0, 6, 7, 8]])
def test_nothing_is_redundant_with_two_limb_leads(rows: list[int]) -> None:
    x = np.full((12, 3 * RATE), np.nan, np.float32)
    x[rows] = np.random.default_rng(0).normal(0, 5, (len(rows), 3 * RATE))
    assert LimbCheck(LIMB).push(x) == []


def test_without_the_usual_pair_another_is_used_and_without_a_third_lead_the_verdict_stands() -> None:
    x = strayed([0, 80, 0, 0, 0], "aVF")
    x[[0, 3]] = np.nan  # II and III are the first pair that is left
    x[5, 2 * RATE : 4 * RATE] = np.nan
    assert told(LimbCheck(LIMB).push(x)) == [(2 * RATE - 1, "aVF", 80, True), (5 * RATE - 1, "aVF", 0, False)]


def test_a_second_is_judged_by_what_is_known_in_it() -> None:
    x = strayed([80, 80])
    x[2, : RATE + 400] = np.nan
    x[0, RATE + 450 :] = np.inf
    assert told(LimbCheck(LIMB).push(x)) == [(2 * RATE - 1, "III", 80, True)]


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 800), max_size=8),
    gap=st.tuples(st.integers(0, 3000), st.sampled_from([0, 1, 200, 499, 500, 501, 1300])),
)
def test_any_chunking_tells_the_same_and_a_gap_is_what_is_missing(
    seed: int, sizes: list[int], gap: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    x = strayed(rng.uniform(0, 100, 6).tolist(), LIMB[rng.integers(6)], seed)
    for _ in range(rng.integers(0, 6)):
        row, start = rng.integers(0, 6), rng.integers(0, x.shape[1])
        x[row, start : start + rng.integers(1, 1500)] = rng.choice([np.nan, np.inf])
    cut, length = gap
    missing = np.full((12, length), np.nan, np.float32)
    expected = LimbCheck(LIMB).push(np.concatenate([x[:, :cut], missing, x[:, cut:]], axis=1))
    check, changes = LimbCheck(LIMB), []
    for part in np.split(x[:, :cut], np.minimum(np.cumsum(sizes, dtype=int), cut), axis=1):
        changes += check.push(part)
    changes += check.skip(length)
    changes += check.push(x[:, cut:])
    assert changes == expected


def test_a_day_is_skipped_as_fast_as_a_sample_and_its_indices_count() -> None:
    day = 24 * 3600 * RATE
    check = LimbCheck(LIMB)
    x = strayed([80, 80])
    changes = [*check.push(x[:, :100]), *check.skip(day), *check.push(x[:, 100:])]
    assert told(changes) == [(RATE - 1, "III", 80, True)]
    check = LimbCheck(LIMB)
    check.skip(day + 7)
    assert told(check.push(x)) == [(day + RATE - 1, "III", 80, True)]
