"""A bed settles every index once, in order, and nothing depends on how chunks were cut or on what comes later."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.leads import Origin
from engine.model import load
from stream.bed import Bed, Estimator
from stream.framer import FRAME, due, newest
from stream.items import Block, Chunk
from tests.stream.chunks import Samples, cut, joined


@dataclass
class Averaging:
    """An engine that sees exactly its contexts: each lead's mean over what is known in them, all columns at once."""

    stride: int = 20
    look_ahead: int = 50
    left_context: int = 300
    calls: list[int] = field(default_factory=list)

    @dataclass
    class Result:
        leads: Samples
        interval: Samples
        origin: np.ndarray

    def estimate(self, samples: Samples, keep: int) -> "Averaging.Result":
        assert samples.shape == (12, FRAME)
        self.calls.append(keep)
        padded = np.pad(samples[:, -keep - self.left_context :], ((0, 0), (0, self.look_ahead)), constant_values=np.nan)
        seen = np.lib.stride_tricks.sliding_window_view(padded, self.left_context + 1 + self.look_ahead, axis=1)
        known = ~np.isnan(seen)
        with np.errstate(invalid="ignore"):
            mean = (np.where(known, seen, 0).sum(axis=2, dtype=np.float64) / known.sum(axis=2)).astype(np.float32)
        measured = ~np.isnan(samples[:, -keep:])
        origin = np.where(measured, Origin.MEASURED, Origin.ESTIMATED).astype(np.uint8)
        return self.Result(mean, mean / 10, origin)


@pytest.fixture(scope="module")
def engine() -> Estimator:
    return load()


def leads(seed: int, length: int) -> Samples:
    """Wandering noise on I, II and V4, with a gap."""
    rng = np.random.default_rng(seed)
    samples = np.full((12, length), np.nan, np.float32)
    samples[[0, 1, 9]] = 0.1 * np.cumsum(rng.standard_normal((3, length)), axis=1)
    samples[:, length // 3 : length // 3 + 40] = np.nan
    return samples


def run(bed: Bed, samples: Samples, sizes: list[int], truth: Samples | None = None) -> list[Block]:
    blocks = [block for chunk in cut(samples, sizes, truth) for block in bed.push(chunk)]
    return blocks + bed.finish()


def assert_equal(blocks: list[Block], others: list[Block]) -> None:
    for name in ("leads", "interval", "origin"):
        assert np.array_equal(joined(blocks, name), joined(others, name), equal_nan=True)


@given(
    rate=st.sampled_from([360, 500, 1000]),
    sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=5),
    length=st.integers(0, 3000),
    look_ahead=st.integers(0, 50),
    hops=st.integers(1, 6),
)
@settings(max_examples=25)
def test_any_chunking_gives_the_same_blocks(
    rate: float, sizes: list[int], length: int, look_ahead: int, hops: int
) -> None:
    samples, truth = leads(1, length), leads(2, length)
    hop = 20 * hops
    chunked, whole = (
        run(Bed(Averaging(), rate, look_ahead, hop), samples, each, truth) for each in (sizes, [max(1, length)])
    )
    assert [block.start for block in chunked] == [block.start for block in whole]
    assert_equal(chunked, whole)
    assert np.array_equal(joined(chunked, "truth"), joined(whole, "truth"), equal_nan=True)
    for one, other in zip(chunked, whole, strict=True):
        assert (one.tail is None) == (other.tail is None)
        if one.tail and other.tail:
            assert one.tail.leads.shape[1] <= look_ahead
            assert np.array_equal(one.tail.leads, other.tail.leads, equal_nan=True)


@given(sizes=st.lists(st.integers(1, 900), min_size=1, max_size=4), length=st.integers(0, 1800))
@settings(max_examples=6)
def test_any_chunking_gives_the_same_blocks_with_the_model(engine: Estimator, sizes: list[int], length: int) -> None:
    samples = leads(3, length)
    chunked, whole = (run(Bed(engine, 500), samples, each) for each in (sizes, [max(1, length)]))
    assert_equal(chunked, whole)
    known = ~np.isnan(samples)
    assert np.array_equal(joined(chunked, "leads")[known], samples[known])


@given(now=st.integers(1, 1100), size=st.integers(1, 400))
@settings(max_examples=6)
def test_later_samples_never_change_what_is_settled(engine: Estimator, now: int, size: int) -> None:
    samples, other = leads(4, 1200), leads(5, 1200)
    other[:, :now] = samples[:, :now]
    one, two = Bed(engine, 500), Bed(engine, 500)
    first = [block for chunk in cut(samples[:, :now], [size]) for block in one.push(chunk)]
    second = run(two, other, [size])
    n = one.settled
    assert n >= now - engine.look_ahead - engine.stride
    for name in ("leads", "interval", "origin"):
        assert np.array_equal(joined(first, name), joined(second, name)[:, :n], equal_nan=True)


def test_a_sample_is_exactly_what_the_engine_gives_once_its_look_ahead_is_there() -> None:
    samples = leads(6, 7003)
    averaging = Averaging()
    whole = np.pad(samples, ((0, 0), (300, 50)), constant_values=np.nan)
    seen = np.lib.stride_tricks.sliding_window_view(whole, 351, axis=1)
    known = ~np.isnan(seen)
    with np.errstate(invalid="ignore"):
        expected = np.where(known, seen, 0).sum(axis=2, dtype=np.float64) / known.sum(axis=2)
    result = joined(run(Bed(averaging, 500), samples, [333]), "leads")
    assert np.allclose(result, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert max(averaging.calls) <= 20 + 50


@given(look_ahead=st.integers(0, 50), hops=st.integers(1, 5))
@settings(max_examples=10)
def test_an_index_settles_in_the_first_frame_that_holds_its_look_ahead(look_ahead: int, hops: int) -> None:
    bed = Bed(Averaging(), 500, look_ahead, 20 * hops)
    for chunk in cut(leads(7, 600), [1]):
        bed.push(chunk)
        end = (chunk.index + 1) // bed.hop * bed.hop
        assert bed.settled == max(0, end - look_ahead)
    bed.finish()
    assert bed.settled == bed.received == 600
    assert bed.finish() == []


def test_late_computes_only_what_it_must() -> None:
    samples = leads(8, 12_000)
    averaging = Averaging(left_context=4000)
    bed = Bed(averaging, 500)
    blocks = bed.push(Chunk(0, samples[:, :500]), late=True)
    assert (len(blocks), bed.frames, bed.frames_skipped, bed.settled) == (1, 1, 24, 450)
    blocks += bed.push(Chunk(500, samples[:, 500:]), late=True)
    assert bed.settled == 11_950
    assert max(averaging.calls) <= FRAME - 4000
    assert bed.frames + bed.frames_skipped == 12_000 // 20
    assert bed.frames == 1 + len(blocks[1:]) <= 15
    blocks += bed.finish()
    in_time = run(Bed(Averaging(left_context=4000), 500, hop=400), samples, [400])
    assert np.allclose(joined(blocks, "leads"), joined(in_time, "leads"), rtol=1e-5, atol=1e-6, equal_nan=True)


def test_a_long_gap_costs_no_engine_call() -> None:
    bed = Bed(Averaging(), 500)
    samples = leads(9, 200)
    bed.push(Chunk(0, samples))
    bed.push(Chunk(20_000, samples))
    blocks = bed.finish()
    assert bed.settled == 20_200
    assert bed.frames < 2 * (FRAME + 400) / 20
    silent = Bed(Averaging(), 500)
    blocks = silent.push(Chunk(0, np.full((12, 400), np.nan, np.float32)))
    assert silent.frames == 0
    assert not joined(blocks, "origin").any()
    assert np.isnan(joined(blocks, "leads")).all()


@pytest.mark.parametrize(
    ("look_ahead", "hop", "left_context", "words"),
    [
        (51, None, 300, "look-ahead"),
        (-1, None, 300, "look-ahead"),
        (None, 30, 300, "multiple of 20"),
        (None, 0, 300, "multiple of 20"),
        (None, 20, 4940, "fit the frame"),
        (50, 4660, 300, "fit the frame"),
    ],
)
def test_what_does_not_fit_is_refused(look_ahead: int | None, hop: int | None, left_context: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Bed(Averaging(left_context=left_context), 500, look_ahead, hop)


def test_frames_are_due_at_multiples_of_the_hop() -> None:
    assert due(0, 39, 40) == []
    assert due(39, 120, 40) == [40, 80, 120]
    assert due(40, 79, 40) == []


@given(first=st.integers(1, 50), count=st.integers(1, 80), look_ahead=st.integers(0, 50), span=st.integers(90, 400))
def test_the_newest_frames_still_settle_everything(first: int, count: int, look_ahead: int, span: int) -> None:
    ends = [40 * turn for turn in range(first, first + count)]
    settled = max(0, ends[0] - 40 - look_ahead)
    span = max(span, ends[0] - settled)
    kept = newest(ends, settled, look_ahead, span)
    assert kept[-1] == ends[-1]
    for end in kept:
        assert end - settled <= span
        settled = max(settled, end - look_ahead)


def test_a_lead_that_stands_still_is_off_and_estimated(engine: Estimator) -> None:
    samples = leads(10, 4000)
    samples[9, 1500:] = samples[9, 1499]
    bed = Bed(engine, 500)
    blocks = run(bed, samples, [77])
    origin = joined(blocks, "origin")
    assert bed.leads_off == ("V4",)
    assert (origin[9, :1400] != Origin.ESTIMATED).all()
    assert (origin[9, 2100:] == Origin.ESTIMATED).all()
    assert not np.array_equal(joined(blocks, "leads")[9, 2100:], samples[9, 2100:])


def test_a_longer_frame_changes_nothing_but_rounding(engine: Estimator) -> None:
    samples = leads(11, 12_000)
    usual = joined(run(Bed(engine, 500), samples, [500]), "leads")
    longer = joined(run(Bed(engine, 500, hop=5840, frame=10_000), samples, [12_000]), "leads")
    assert np.allclose(usual, longer, atol=1e-4, equal_nan=True)
