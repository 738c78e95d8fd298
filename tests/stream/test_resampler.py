"""Any rate to 500 Hz: chunked equals whole to the bit, on time, exact in level, honest about what is missing."""

import itertools
import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from ecgstream.records import BUNDLED
from stream.items import Chunk
from stream.resampler import HALF_WIDTH, Resampler
from stream.sources.record import open_record
from tests.stream.chunks import Samples, cut, joined

RATES = [100, 128, 250, 257, 360, 499.5, 500, 1000, 2000]
BLOCK = 360


def resampled(rate: float, samples: Samples, sizes: list[int], truth: Samples | None = None) -> list[Chunk]:
    return pushed(Resampler(rate), cut(samples, sizes, truth))


def pushed(resampler: Resampler, chunks: Iterable[Chunk]) -> list[Chunk]:
    return [*(made for chunk in chunks for made in resampler.push(chunk)), *resampler.flush()]


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


@pytest.mark.parametrize("rate", [130, 250, 360, 1000])
def test_beside_lost_samples_there_is_no_spike(rate: int) -> None:
    """A heart's lead with 5 % of its samples lost, one by one; scaled weights alone were off by up to .5 mV."""
    record = open_record(BUNDLED)
    whole = joined(resampled(500, record.read(0, 10_000), [10_000]))
    part = Fraction(rate, 500)
    samples = resample_poly(whole, part.numerator, part.denominator, axis=1).astype(np.float32)
    holed = samples.copy()
    holed[:, np.random.default_rng(5).random(samples.shape[1]) < 0.05] = np.nan
    error = joined(resampled(rate, holed, [97])) - joined(resampled(rate, samples, [97]))
    assert np.nanmax(np.abs(error)) < (0.3 if rate == 130 else 0.1)
    assert np.sqrt(np.nanmean(error**2)) < 0.006


def test_500_hz_passes_untouched_and_at_once() -> None:
    samples = leads(4, 100, holes=0.1)
    resampler = Resampler(500)
    for chunk in cut(samples, [9], truth=leads(5, 100)):
        [made] = resampler.push(chunk)
        assert made is chunk
    assert resampler.flush() == []


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("jump", [1, 20, 300])
def test_a_jump_of_the_index_is_a_gap_of_its_length(rate: float, jump: int) -> None:
    samples = leads(6, 600 + jump)
    samples[:, 300 : 300 + jump] = np.nan
    samples[:, :100] = np.nan  # the stream may begin with one
    jumping = [Chunk(100, samples[:, 100:300]), Chunk(300 + jump, samples[:, 300 + jump :])]
    result = joined(pushed(Resampler(rate), jumping))
    assert np.array_equal(result, joined(resampled(rate, samples, [600 + jump])), equal_nan=True)
    assert abs(np.isnan(result[0]).sum() - (100 + jump) * 500 / rate) <= 4


@pytest.mark.parametrize("rate", RATES)
def test_a_long_jump_is_a_jump_and_costs_nothing(rate: float) -> None:
    samples = leads(6, 300)
    day = round(24 * 3600 * rate)
    made = pushed(Resampler(rate), [Chunk(0, samples), Chunk(day, samples)])
    assert sum(chunk.samples.shape[1] for chunk in made) <= 600 * 500 / rate + 4 * HALF_WIDTH * max(1, 500 / rate)
    assert made[0].index == 0
    assert made[-1].end == pytest.approx((day + 300) * 500 / rate, abs=max(1, 500 / rate))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != 500])
def test_what_is_not_finite_spoils_nothing_around_it(rate: float, bad: float) -> None:
    samples, missing = leads(4, 400), leads(4, 400)
    samples[1, 200], missing[1, 200] = bad, np.nan
    result = joined(resampled(rate, samples, [37]))
    assert np.array_equal(result, joined(resampled(rate, missing, [37])), equal_nan=True)
    assert np.isnan(result[1]).sum() <= max(1, math.ceil(500 / rate)) + 1


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
        made += sum(due.samples.shape[1] for due in resampler.push(chunk))
        newest = (next(sent) - 1) / rate
        assert newest - made / 500 <= HALF_WIDTH / min(rate, 500) + 1 / rate


STOP_BAND = 0.58
"""Of the lower rate: from there on the filter's stop band."""


@pytest.mark.parametrize("rate", [600, 1000, 1024, 2000])
def test_what_500_hz_cannot_hold_is_taken_away(rate: int) -> None:
    """A sine in the stop band comes out at least 60 dB smaller, wherever it would fold to."""
    length = 3 * rate
    for frequency in np.linspace(STOP_BAND * 500, rate / 2, 12):
        samples = np.full((12, length), np.nan, np.float32)
        samples[0] = np.sin(2 * np.pi * frequency * np.arange(length) / rate + 0.3)
        result = joined(resampled(rate, samples, [97]))[0]
        assert np.abs(result[50:-50]).max() < 1e-3, frequency


@pytest.mark.parametrize("rate", [100, 128, 250, 360, 400])
def test_a_slower_source_leaves_no_image(rate: int) -> None:
    """What is not the sine itself is at least 60 dB smaller, whatever frequency its images would have."""
    seconds = 8
    time_in, time_out = np.arange(seconds * rate) / rate, np.arange(seconds * 500) / 500
    for part in np.linspace(0.02, 1 - STOP_BAND, 8):
        frequency = round(part * rate)
        samples = np.full((12, len(time_in)), np.nan, np.float32)
        samples[0] = np.sin(2 * np.pi * frequency * time_in)
        result = joined(resampled(rate, samples, [97]))[0, : len(time_out)]
        inner = slice(1000, 3000)  # whole periods
        spectrum = np.abs(np.fft.rfft(result[inner].astype(np.float64) * np.blackman(2000))) / (2000 * 0.42 / 2)
        hertz = np.fft.rfftfreq(2000, 1 / 500)
        assert spectrum[np.abs(hertz - frequency) > 2].max() < 1e-3, frequency
