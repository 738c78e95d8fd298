"""The causal filters: bands as promised, the same however the stream is cut, and no ringing after gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.filters import BAND_LABEL, BANDS, CausalFilter
from engine.leads import RATE


def gain_at(band: str, frequency: float, mains: float | None = None) -> float:
    """Amplitude that a sine of 1 mV settles to."""
    time = np.arange(120 * RATE) / RATE
    sine = np.sin(2 * np.pi * frequency * time).astype(np.float32)[None]
    last = CausalFilter(band, 1, mains).push(sine)[0, -20 * RATE :]
    return float(np.sqrt(2 * np.mean(last**2)))


def with_gaps(seed: int, rows: int, n: int) -> NDArray[np.float32]:
    """Noise with offsets, missing samples and whole rows that come and go."""
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.uniform(-300, 300, (rows, 1)), 1, (rows, n)).astype(np.float32)
    for _ in range(rng.integers(0, 6)):
        start = rng.integers(0, n)
        x[rng.integers(0, rows), start : start + rng.integers(1, 30)] = np.nan
    return x


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 40), max_size=8),
    band=st.sampled_from(sorted(BANDS)),
    mains=st.sampled_from([None, 50, 60]),
)
def test_any_chunking_equals_whole(seed: int, sizes: list[int], band: str, mains: float | None) -> None:
    x = with_gaps(seed, 3, 160)
    pieces = np.split(x, np.minimum(np.cumsum(sizes, dtype=int), x.shape[1]), axis=1)
    chunked = CausalFilter(band, 3, mains)
    whole = CausalFilter(band, 3, mains).push(x)
    assert np.array_equal(np.concatenate([chunked.push(piece) for piece in pieces], axis=1), whole, equal_nan=True)
    assert np.array_equal(np.isnan(whole), np.isnan(x))
    assert whole.dtype == np.float32


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 100))
def test_peek_tells_what_comes_and_leaves_no_trace(seed: int, cut: int) -> None:
    x = with_gaps(seed, 2, 100)
    filter_ = CausalFilter("monitor", 2)
    filter_.push(x[:, :cut])
    peeked = filter_.peek(x[:, cut:])
    filter_.peek(-x)
    assert np.array_equal(filter_.push(x[:, cut:]), peeked, equal_nan=True)


@given(seed=st.integers(0, 2**32 - 1))
def test_rows_do_not_touch_each_other(seed: int) -> None:
    x = with_gaps(seed, 3, 120)
    together = CausalFilter("diagnostic", 3).push(x)
    for row in range(3):
        assert np.array_equal(
            CausalFilter("diagnostic", 1).push(x[row : row + 1]), together[row : row + 1], equal_nan=True
        )


@given(seed=st.integers(0, 2**32 - 1), gap=st.integers(1, 50))
def test_after_a_gap_a_row_starts_anew(seed: int, gap: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(0, 5, (2, 1, 80)).astype(np.float32)
    x = np.concatenate([before, np.full((1, gap), np.nan, np.float32), after], axis=1)
    assert np.array_equal(CausalFilter("monitor", 1).push(x)[:, -80:], CausalFilter("monitor", 1).push(after))


@given(seed=st.integers(0, 2**32 - 1), band=st.sampled_from(sorted(BANDS)))
def test_what_is_not_finite_is_not_known(seed: int, band: str) -> None:
    missing = with_gaps(seed, 3, 160)
    garbage = np.random.default_rng(seed).choice(np.array([np.nan, np.inf, -np.inf], np.float32), missing.shape)
    garbage = np.where(np.isnan(missing), garbage, missing)
    expected = CausalFilter(band, 3).push(missing)
    assert np.array_equal(CausalFilter(band, 3).push(garbage), expected, equal_nan=True)


@pytest.mark.parametrize("band", ["monitor", "diagnostic"])
def test_an_electrode_offset_leaves_no_transient(band: str) -> None:
    assert np.abs(CausalFilter(band, 1).push(np.full((1, 2000), 300, np.float32))).max() < 1e-6


@pytest.mark.parametrize("band", ["monitor", "diagnostic"])
def test_the_corners_are_where_the_page_says(band: str) -> None:
    corners = BANDS[band]
    assert corners is not None
    assert BAND_LABEL[band] == f"{corners[0]:g}-{corners[1]:g} Hz"
    for corner in corners:
        assert gain_at(band, corner) == pytest.approx(0.5**0.5, abs=0.01)
    assert gain_at(band, 10) == pytest.approx(1, abs=0.01)


def test_the_diagnostic_band_passes_the_impulse_test_of_electrocardiographs() -> None:
    x = np.zeros((1, 5 * RATE), np.float32)
    x[0, RATE : RATE + 50] = 3  # 3 mV for 100 ms: 0.3 mV s
    after = CausalFilter("diagnostic", 1).push(x)[0, RATE + 50 + 10 :]
    assert np.abs(after).max() < 0.1
    assert np.abs(np.diff(after[10:])).max() * RATE < 0.3  # mV/s


def test_none_changes_nothing() -> None:
    x = with_gaps(0, 4, 200)
    assert np.array_equal(CausalFilter("none", 4).push(x), x, equal_nan=True)


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("band", list(BANDS))
def test_the_notch_takes_the_mains_and_little_else(band: str, mains: float) -> None:
    assert gain_at(band, mains, mains) < 0.001
    assert gain_at(band, mains - 5, mains) == pytest.approx(gain_at(band, mains - 5), rel=0.05)


@pytest.mark.parametrize(("band", "mains"), [("ward", None), ("monitor", 55)])
def test_what_there_is_not_is_refused(band: str, mains: float | None) -> None:
    with pytest.raises(UsageError, match="choose"):
        CausalFilter(band, 1, mains)
