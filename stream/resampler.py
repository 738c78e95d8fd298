"""Any rate to 500 Hz, piece by piece, as if it had been done at once."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from engine.leads import LEADS, RATE
from stream.items import Chunk

HALF_WIDTH = 12
"""Periods of the lower of the two rates that the filter sees to either side."""
CUT_OFF = 0.49
"""Of the filter, as a fraction of the lower rate."""
KAISER_BETA = 6.75
"""Found by scanning: with the two above a sine below 0.4 of the lower rate is off by at most 0.00073 of its size."""
LARGEST_DENOMINATOR = 1000
MOST_PHASES = 5000
"""Rates with up to one decimal need no more; for others the filter's phase (never the position) is rounded to this."""
LONGEST_BRIDGE = 12
"""Missing samples in a row that a straight line stands for under the filter."""
PIECE = 1 << 14
"""Columns computed at once: bounds the memory, not the result."""

Samples = NDArray[np.float32]


class Resampler:
    """Linear-phase polyphase filter from a source's rate to 500 Hz.

    The delay is compensated: output index i is the time i / 500 s of the source, exactly. It is computed as soon as
    12 periods of the lower rate after that time have arrived: 24 ms from 500 Hz up, 33 ms at 360 Hz, 120 ms at
    100 Hz. At 500 Hz samples pass untouched and at once.

    An output sample is NaN where its nearest input sample is missing, that is not finite (either, where it lies in the
    middle). Beside a few missing samples a straight line stands for them; beside more, and at the stream's ends, the
    filter's weights are scaled to the samples that are known. Either way offsets stay exact.

    The stop band begins at 0.58 of the lower rate and is at least 60 dB down. What lies between 0.49 and 0.58 of it
    comes through weakened and folds to 0.42 of it and above: to 210 Hz where a faster source is brought to 500 Hz,
    beyond the 150 Hz of an electrocardiogram. A narrower transition would need a longer filter, and that is latency.

    Parameters
    ----------
    rate : float
        Of the source, Hz.
    """

    def __init__(self, rate: float) -> None:
        step = Fraction(rate).limit_denominator(LARGEST_DENOMINATOR) / RATE
        self._step = step
        """Input samples per output sample."""
        self._half = math.ceil(HALF_WIDTH * max(Fraction(1), step))
        self._weights = _weights(min(step.denominator, MOST_PHASES), float(max(Fraction(1), step)), self._half)
        self._rows = 0
        self._received = 0
        self._made = 0
        # Unknown samples stand before the first one, as they do wherever nothing arrived.
        self._kept_from = -self._half
        self._kept: Samples = np.empty((0, 0), np.float32)

    def push(self, chunk: Chunk) -> list[Chunk]:
        """What is due after a chunk at the source's rate.

        Returns
        -------
        list of Chunk
            At 500 Hz, in order. Where a jump of the source's index left a gap, short ones are columns of NaN and longer
            ones a jump of the index: a gap costs the same, however long it is.

        Raises
        ------
        ValueError
            If the chunk begins before the end of the last.
        """
        missing = chunk.index - self._received
        if missing < 0:
            raise ValueError(f"a chunk at {chunk.index} follows {self._received} samples")
        if self._step == 1:
            self._received = chunk.end
            return [chunk] if chunk.samples.shape[1] else []
        self._begin(chunk)
        made = self._skip(missing)
        samples = chunk.samples if chunk.truth is None else np.concatenate([chunk.samples, chunk.truth])
        pieces = [self._feed(samples[:, at : at + PIECE]) for at in range(0, samples.shape[1], PIECE)]
        return [*made, *self._chunks(pieces)]

    def flush(self) -> list[Chunk]:
        """What is left when the stream has ended, up to the last sample's time and half a period beyond."""
        if self._step == 1 or not self._received:
            return []
        stop = math.ceil((self._received - Fraction(1, 2)) / self._step)
        self._kept = np.concatenate([self._kept, self._gap(self._half)], axis=1)
        return self._chunks([self._make(stop)])

    def _begin(self, chunk: Chunk) -> None:
        if not self._rows:
            self._rows = len(LEADS) * (1 if chunk.truth is None else 2)
            self._kept = self._gap(self._half)

    def _gap(self, length: int) -> Samples:
        return np.full((self._rows, length), np.nan, np.float32)

    def _skip(self, missing: int) -> list[Chunk]:
        """What a gap of the source brings to its end, and the place after it."""
        shortest = 2 * self._half
        if missing <= shortest:
            return self._chunks([self._feed(self._gap(missing))])
        made = self._chunks([self._feed(self._gap(self._half + 1))])
        self._received += missing - self._half - 1
        # The first output whose nearest sample is the next one; the filter then sees nothing from before the gap.
        self._made = math.floor((self._received - Fraction(1, 2)) / self._step) + 1
        self._kept, self._kept_from = self._gap(shortest), self._received - shortest
        return made

    def _feed(self, samples: Samples) -> Samples:
        """What is due after more input."""
        self._received += samples.shape[1]
        self._kept = np.concatenate([self._kept, samples], axis=1)
        # Index i looks up to floor(i * step) + half.
        last = self._received - 1 - self._half
        return self._make(max(0, math.ceil((last + 1) / self._step)))

    def _make(self, stop: int) -> Samples:
        """The output from what was made up to `stop`; drops the input that no later output looks at."""
        index = np.arange(self._made, max(self._made, stop), dtype=np.int64)
        p, q = self._step.numerator, self._step.denominator
        before, phase = np.divmod(index * p, q)
        result = _filter(self._kept, before - self._kept_from, phase, q, self._weights)
        self._made += len(index)
        first = self._made * p // q - self._half + 1
        drop = min(max(0, first - self._kept_from), self._kept.shape[1])
        self._kept = self._kept[:, drop:].copy()
        self._kept_from += drop
        return result

    def _chunks(self, pieces: list[Samples]) -> list[Chunk]:
        made = np.concatenate(pieces, axis=1) if pieces else self._gap(0)
        if not made.shape[1]:
            return []
        n = len(LEADS)
        truth = np.ascontiguousarray(made[n:]) if self._rows > n else None
        return [Chunk(self._made - made.shape[1], np.ascontiguousarray(made[:n]), truth)]


def _weights(phases: int, width: float, half: int) -> NDArray[np.float64]:
    """Kaiser-windowed sinc for positions 0, 1/phases, ... 1 after a sample, (phases + 1, 2 * half); each sums to 1."""
    position = np.arange(phases + 1)[:, None] / phases
    distance = (position - np.arange(1 - half, half + 1)) / width
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / HALF_WIDTH) ** 2, 0, None)))
    weights = np.sinc(2 * CUT_OFF * distance) * np.where(abs(distance) < HALF_WIDTH, window, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, np.float64)


def _filter(
    samples: Samples,
    before: NDArray[np.int64],
    phase: NDArray[np.int64],
    denominator: int,
    weights: NDArray[np.float64],
) -> Samples:
    """Filtered values at the positions `before` + `phase` / `denominator` of the samples.

    Taps are added one after the other, element by element, so that no value depends on how many are made at once.
    """
    result = np.full((len(samples), len(before)), np.nan, np.float32)
    all_known = np.isfinite(samples)
    rows = np.flatnonzero(all_known.any(axis=1))
    if not len(before) or not len(rows):
        return result
    known = all_known[rows]
    values = np.where(known, samples[rows], np.float32(0)).astype(np.float64)
    position = (phase * (len(weights) - 1) + denominator // 2) // denominator
    by_tap = np.ascontiguousarray(weights[position].T)
    half = len(by_tap) // 2
    total = np.zeros((len(rows), len(before)))
    for tap, weight in enumerate(by_tap, 1 - half):
        total += weight * values.take(before + tap, axis=1)
    nearest = (known.take(before, axis=1) | (2 * phase > denominator)) & (
        known.take(before + 1, axis=1) | (2 * phase < denominator)
    )
    row, column = np.nonzero(nearest & (_count(known, before, half) < 2 * half))
    if len(row):
        total[row, column] = _over_holes(known, values, row, before[column], by_tap[:, column])
    result[rows] = np.where(nearest, total, np.nan)
    return result


def _over_holes(
    known: NDArray[np.bool_],
    values: NDArray[np.float64],
    row: NDArray[np.int64],
    before: NDArray[np.int64],
    by_tap: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Filtered values where the filter sees missing samples.

    A short hole with known samples on both sides under the filter is bridged by a straight line: weights scaled to what
    is known would make spikes beside it, of .7 mV beside one lost sample of 360 Hz. All else is scaled. What is bridged
    depends on nothing but the samples under the filter.
    """
    half = len(by_tap) // 2
    at = np.arange(known.shape[1])
    left = np.maximum.accumulate(np.where(known, at, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, at, known.shape[1])[:, ::-1], axis=1)[:, ::-1]
    is_short = ~known & (left >= 0) & (right < known.shape[1]) & (right - left <= LONGEST_BRIDGE + 1)
    hole_row, hole = np.nonzero(is_short)
    low, high = left[hole_row, hole], right[hole_row, hole]
    bridge = values.copy()
    bridge[hole_row, hole] = values[hole_row, low] + (values[hole_row, high] - values[hole_row, low]) * (
        (hole - low) / (high - low)
    )
    total, used_weight = np.zeros(len(row)), np.zeros(len(row))
    for tap, weight in enumerate(by_tap, 1 - half):
        under = before + tap
        is_bridged = is_short[row, under] & (left[row, under] > before - half) & (right[row, under] <= before + half)
        used = weight * (known[row, under] | is_bridged)
        total += used * bridge[row, under]
        used_weight += used
    return total / used_weight


def _count(known: NDArray[np.bool_], before: NDArray[np.int64], half: int) -> NDArray[np.int64]:
    """How many of the samples under the filter are known."""
    running = np.zeros((len(known), known.shape[1] + 1), np.int64)
    np.cumsum(known, axis=1, out=running[:, 1:])
    return running.take(before + half + 1, axis=1) - running.take(before - half + 1, axis=1)
