"""Any rate to 500 Hz: chunked equals whole to the bit, on time, exact in level, honest about what is missing."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.items import Chunk
from stream.resampler import HALF_WIDTH, Resampler
from tests.stream.chunks import Samples, cut, joined

RATES = [100, 128, 250, 257, 360, 499.5, 500, 1000, 2000]
BLOCK = 360


def resampled(rate: float, samples: Samples, sizes: list[int], truth: Samples | None = None) -> list[Chunk | None]:
    resampler = Resampler(rate)
    return [*map(resampler.push, cut(samples, sizes, truth)), resampler.flush()]


def leads(seed: int, length: int, holes: float = 0.0) -> Samples:
    """Noise with an offset on three leads, some of it missing."""
    rng = np.random.default_rng(seed)
    samples = np.full((12, length), np.nan, np.float32)
    samples[[0, 1, 9]] = rng.standard_normal((3, length)) + rng.uniform(-300, 300, (3, 1))
    samples[rng.random(samples.shape) < holes] = np.nan
    return samples


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_chunked_equals_whole(rate: float, length: int) -> None:
    samples = leads(1, length, holes=0.02)
    whole = joined(resampled(rate, samples, [max(1, length)]))
    for size in (1, 7, BLOCK):
        assert np.array_equal(joined(resampled(rate, samples, [size])), whole, equal_nan=True)


@given(
    rate=st.one_of(st.sampled_from(RATES), st.floats(100, 2000)),
    sizes=st.lists(st.integers(1, 200), min_size=1, max_size=5),
    length=st.integers(0, 700),
    holes=st.sampled_from([0, 0.01, 0.3]),
)
def test_any_chunking_of_any_rate_equals_whole(rate: float, sizes: list[int], length: int, holes: float) -> None:
    samples, truth = leads(2, length, holes), leads(3, length)
    chunked, whole = resampled(rate, samples, sizes, truth), resampled(rate, samples, [max(1, length)], truth)
    for field in ("samples", "truth"):
        assert np.array_equal(joined(chunked, field), joined(whole, field), equal_nan=True)
    step = Fraction(rate).limit_denominator(1000) / 500
    expected = length if step == 1 else math.ceil((length - Fraction(1, 2)) / step) if length else 0
    assert joined(whole).shape[1] == expected


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("part", [0.01, 0.1, 0.25, 0.39])
def test_sines_come_out_on_time(rate: float, part: float) -> None:
    frequency = part * min(rate, 500)
    length = int(4 * rate)
    samples = np.full((12, length), np.nan, np.float32)
    samples[0] = np.sin(2 * np.pi * frequency * np.arange(length) / rate + 0.3)
    result = joined(resampled(rate, samples, [97]))[0]
    expected = np.sin(2 * np.pi * frequency * np.arange(len(result)) / 500 + 0.3)
    edge = math.ceil(HALF_WIDTH * 500 / min(rate, 500)) + 1
    assert np.abs(result - expected)[edge:-edge].max() < 1e-3


@given(
    rate=st.sampled_from(RATES), offset=st.floats(-300, 300, width=32), holes=st.floats(0, 0.9), seed=st.integers(0, 99)
)
def test_offsets_stay_exact_whatever_is_missing(rate: float, offset: float, holes: float, seed: int) -> None:
    samples = np.full((12, 300), offset, np.float32)
    samples[np.random.default_rng(seed).random(samples.shape) < holes] = np.nan
    result = joined(resampled(rate, samples, [300]))
    assert set(np.unique(result[~np.isnan(result)])) <= {np.float32(offset)}


@given(rate=st.sampled_from([rate for rate in RATES if rate != 500]), seed=st.integers(0, 99))
def test_missing_where_the_nearest_is(rate: float, seed: int) -> None:
    samples = leads(seed, 200, holes=0.2)
    result = joined(resampled(rate, samples, [200]))
    step = Fraction(rate) / 500
    for index in range(result.shape[1]):
        position = index * step
        nearest = {math.ceil(position - Fraction(1, 2)), math.floor(position + Fraction(1, 2))}
        assert np.array_equal(np.isnan(result[:, index]), np.isnan(samples[:, sorted(nearest)]).any(axis=1))


def test_500_hz_passes_untouched_and_at_once() -> None:
    samples = leads(4, 100, holes=0.1)
    resampler = Resampler(500)
    for chunk in cut(samples, [9], truth=leads(5, 100)):
        assert resampler.push(chunk) is chunk
    assert resampler.flush() is None


@pytest.mark.parametrize("rate", RATES)
def test_a_jump_of_the_index_is_a_gap_of_its_length(rate: float) -> None:
    samples = leads(6, 900)
    samples[:, 300:600] = np.nan
    samples[:, :100] = np.nan  # the stream may begin with one
    resampler = Resampler(rate)
    jumping = [Chunk(100, samples[:, 100:300]), Chunk(600, samples[:, 600:])]
    result = joined([*map(resampler.push, jumping), resampler.flush()])
    assert np.array_equal(result, joined(resampled(rate, samples, [900])), equal_nan=True)
    assert abs(np.isnan(result[0]).sum() - 400 * 500 / rate) <= 4


def test_going_back_is_refused() -> None:
    resampler = Resampler(360)
    resampler.push(Chunk(0, leads(7, 100)))
    with pytest.raises(ValueError, match="follows"):
        resampler.push(Chunk(99, leads(7, 100)))


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != 500])
def test_latency_is_what_the_docstring_says(rate: float) -> None:
    resampler = Resampler(rate)
    sent = itertools.count(1)
    made = 0
    for chunk in cut(leads(8, 400), [1]):
        due = resampler.push(chunk)
        made += due.samples.shape[1] if due else 0
        newest = (next(sent) - 1) / rate
        assert newest - made / 500 <= HALF_WIDTH / min(rate, 500) + 1 / rate
