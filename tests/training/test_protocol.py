"""The protocol's bands and figures, against the formulas of docs/design.md."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from training.protocol import BANDS, DIAGNOSTIC, MONITOR, Band, compare


@pytest.mark.parametrize(
    ("band", "name", "rate", "high", "high_order", "low", "low_order"),
    [(MONITOR, "0.5-40", 100, 0.5, 3, 40.0, 3), (DIAGNOSTIC, "0.05-150", 500, 0.05, 1, 150.0, 4)],
)
def test_a_band_is_two_butterworth_filters_without_phase(
    band: Band, name: str, rate: int, high: float, high_order: int, low: float, low_order: int
) -> None:
    assert (band.name, band.rate) == (name, rate)
    length = 200_001
    impulse = np.zeros((1, length))
    impulse[0, length // 2] = 1
    answer = band.apply(impulse)[0]
    assert np.abs(answer - answer[::-1]).max() < 1e-6
    frequency = np.fft.rfftfreq(length, 1 / 500)[1:]
    warped, high_warped, low_warped = (np.tan(np.pi * f / 500) for f in (frequency, high, low))
    # Each filter runs forth and back, so its gain is squared: a half at the corner.
    expected = 1 / (1 + (high_warped / warped) ** (2 * high_order)) / (1 + (warped / low_warped) ** (2 * low_order))
    gain = np.abs(np.fft.rfft(answer))[1:]
    judged = frequency < 249
    assert np.abs(gain - expected)[judged].max() < 1e-3
    for corner in (high, low):
        assert gain[np.abs(frequency - corner).argmin()] == pytest.approx(0.5, abs=0.02)


def test_the_bands_are_these_two() -> None:
    assert BANDS == (MONITOR, DIAGNOSTIC)


def test_a_band_takes_each_lead_for_itself() -> None:
    leads = np.random.default_rng(1).standard_normal((2, 3, 2000)).astype(np.float32)
    whole = MONITOR.apply(leads)
    assert whole.dtype == np.float64
    assert np.allclose(whole[1, 2], MONITOR.apply(leads[1, 2]), atol=1e-9)
    assert np.array_equal(MONITOR.apply(leads), whole)


def test_figures_of_a_case_worked_by_hand() -> None:
    truth = np.array([[0.0, 1.0, 0.0, -1.0]])
    figures = compare(truth, 0.5 * truth + 0.25)
    assert figures.r[0] == pytest.approx(1)
    assert figures.rmse_uv[0] == pytest.approx(1000 * np.sqrt((0.25**2 * 2 + 0.25**2 + 0.75**2) / 4))
    assert figures.mae_uv[0] == pytest.approx(1000 * (0.25 + 0.25 + 0.25 + 0.75) / 4)
    assert figures.snr_db[0] == pytest.approx(10 * np.log10(2 / 0.75))


@given(seed=st.integers(0, 2**32 - 1), offset=st.floats(-5, 5))
def test_figures_are_their_formulas(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((2, 3, 200)) + offset
    estimate = truth + rng.standard_normal(truth.shape)
    figures = compare(truth, estimate)
    error = estimate - truth
    assert figures.r == pytest.approx(pearsonr(truth, estimate, axis=-1).statistic, abs=1e-9)
    assert figures.rmse_uv == pytest.approx(1000 * np.sqrt(np.mean(error**2, axis=-1)))
    assert figures.mae_uv == pytest.approx(1000 * np.mean(np.abs(error), axis=-1))
    # The signal is the truth without its mean: an offset is no signal.
    assert figures.snr_db == pytest.approx(10 * np.log10(truth.var(axis=-1) / np.mean(error**2, axis=-1)))
    assert figures.counted.all()


@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_r_knows_no_gain_and_no_offset(seed: int, gain: float, offset: float) -> None:
    truth, estimate = np.random.default_rng(seed).standard_normal((2, 4, 100))
    r = compare(truth, estimate).r
    assert compare(truth, gain * estimate + offset).r == pytest.approx(r, abs=1e-8)
    assert compare(gain * truth + offset, estimate).r == pytest.approx(r, abs=1e-8)
    assert compare(truth, -gain * estimate).r == pytest.approx(-r, abs=1e-8)


@pytest.mark.parametrize(("height_uv", "counted"), [(0.0, False), (9.9, False), (10.1, True)])
def test_truth_below_10_uv_is_not_counted(height_uv: float, counted: bool) -> None:
    truth = np.zeros((1, 100)) + 3.0
    truth[0, 50] += height_uv / 1000
    figures = compare(truth, np.random.default_rng(1).standard_normal((1, 100)))
    assert figures.counted.tolist() == [counted]
    assert np.isfinite([figures.r, figures.rmse_uv, figures.mae_uv, figures.snr_db]).all()


def test_a_flat_estimate_has_no_r_and_counts() -> None:
    figures = compare(np.sin(np.arange(100.0))[None], np.ones((1, 100)))
    assert figures.r.tolist() == [0]
    assert figures.counted.all()


@pytest.mark.parametrize("row", [0, 1])
def test_a_gap_is_not_counted(row: int) -> None:
    both = np.random.default_rng(1).standard_normal((2, 1, 100))
    both[row, 0, 40] = np.nan
    assert not compare(*both).counted.any()
