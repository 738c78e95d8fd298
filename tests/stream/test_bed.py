"""A bed settles every index once, in order, and nothing depends on how chunks were cut or on what comes later."""

import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import physics
from engine.errors import UsageError
from engine.frame import Estimate, Frame
from engine.leads import INDEX, LEADS, RATE, Origin
from engine.model import load
from engine.quality import FROZEN
from engine.reconstruction import Engine
from stream.bed import Bed, offline_bed, passed
from stream.framer import FRAME, due, newest
from stream.items import Block, Chunk, Event, Gap, Item, Kind, Why
from tests.stream.chunks import Laid, Samples, cut, laid

IN = ("I", "II", "V4")
ROWS = [INDEX[lead] for lead in IN]


@dataclass
class Averaging:
    """An engine that sees exactly its contexts: at each column the mean of what is known in them, of all leads."""

    stride: int = 20
    look_ahead: int = 50
    left_context: int = 300
    lengths: list[int] = field(default_factory=list)

    def estimate(self, frames: Sequence[Frame]) -> list[Estimate]:
        return [self._estimate(frame) for frame in frames]

    def _estimate(self, frame: Frame) -> Estimate:
        self.lengths.append(frame.leads.shape[1])
        assert not (frame.leads * (1 - frame.mask)).any()
        around = ((0, 0), (self.left_context, self.look_ahead))
        width = self.left_context + 1 + self.look_ahead
        seen, known = (
            np.lib.stride_tricks.sliding_window_view(np.pad(each, around), width, axis=1)
            for each in (frame.leads, frame.mask)
        )
        total, count = seen.sum(axis=(0, 2), dtype=np.float64), known.sum(axis=(0, 2))
        mean = np.where(count > 0, total / np.maximum(count, 1), 0).astype(np.float32)
        leads = np.repeat(mean[None], len(LEADS), axis=0) * np.arange(1, 13, dtype=np.float32)[:, None]
        return Estimate(leads, np.abs(leads) / 10 + 1)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


def leads(seed: int, length: int) -> Samples:
    """Wandering noise on I, II and V4, with a gap."""
    rng = np.random.default_rng(seed)
    samples = np.full((12, length), np.nan, np.float32)
    samples[ROWS] = 0.1 * np.cumsum(rng.standard_normal((3, length)), axis=1)
    samples[:, length // 3 : length // 3 + 40] = np.nan
    return samples


def a_bed(engine: Averaging | Engine, rate: float = 500, **options: int | None) -> Bed:
    return Bed(engine, rate, IN, **options)  # type: ignore[arg-type]


def run(
    engine: Averaging | Engine, bed: Bed, samples: Samples, sizes: list[int], truth: Samples | None = None
) -> list[Item]:
    return list(passed(engine, bed, cut(samples, sizes, truth)))


def assert_equal(one: Laid, other: Laid) -> None:
    for name in ("leads", "interval", "origin", "truth"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name
    assert one.gaps == other.gaps


def assert_same(one: list[Item], other: list[Item]) -> None:
    """The very same items."""
    assert [describe(item) for item in one] == [describe(item) for item in other]
    assert_equal(laid(one), laid(other))


def describe(item: Item) -> object:
    if isinstance(item, Block):
        tail = item.tail and (item.tail.leads.shape[1], np.nan_to_num(item.tail.leads).tobytes())
        return item.start, item.end, tail
    return item


@st.composite
def streams(draw: st.DrawFn, rate: int = RATE) -> tuple[Samples, list[int]]:
    """What a device may send: (12, n), and where it jumps: pairs of the column and how much is missing before it.

    Leads fall off (missing, not finite, or still) and come back; all may be missing; there are jumps.
    """
    length = draw(st.integers(1, 4 * rate))
    samples = leads(draw(st.integers(0, 9)), length)
    for _ in range(draw(st.integers(0, 4))):
        rows = draw(st.sampled_from([*([row] for row in ROWS), ROWS]))
        start = draw(st.integers(0, length - 1))
        stop = start + draw(st.integers(1, 2 * rate))
        samples[rows, start:stop] = draw(st.sampled_from([np.nan, np.inf, 0.25]))
    jumps = [0] * length
    for _ in range(draw(st.integers(0, 3))):
        jumps[draw(st.integers(0, length - 1))] = draw(st.sampled_from([1, 7, 39, 250, 6000, 10**6]))
    return samples, jumps


def chunks_of(stream: tuple[Samples, list[int]], sizes: list[int]) -> list[Chunk]:
    """A stream in chunks of these sizes, again and again; a jump always begins a new one."""
    samples, jumps = stream
    chunks, at, turn, index = [], 0, 0, 0
    while at < samples.shape[1]:
        index += jumps[at]
        stop = min(at + sizes[turn % len(sizes)], samples.shape[1])
        stop = next((column for column in range(at + 1, stop) if jumps[column]), stop)
        chunks.append(Chunk(index, samples[:, at:stop]))
        index, at, turn = index + stop - at, stop, turn + 1
    return chunks


sizes_of_chunks = st.lists(st.integers(1, 900), min_size=1, max_size=5)


@given(
    rate=st.sampled_from([360, 500, 1000]), sizes=sizes_of_chunks, stream=streams(), look_ahead=st.integers(0, 50),
    hops=st.integers(1, 6),
)  # fmt: skip
@settings(max_examples=60)
def test_any_chunking_of_any_stream_gives_the_same_items(
    rate: float, sizes: list[int], stream: tuple[Samples, list[int]], look_ahead: int, hops: int
) -> None:
    """With gaps, lead changes and restarts: in order, each index once, and the same to the last event."""
    engine = Averaging()
    chunked, whole = (
        list(passed(engine, a_bed(engine, rate, look_ahead=look_ahead, hop=20 * hops), chunks_of(stream, each)))
        for each in (sizes, [10**6])
    )
    assert_same(chunked, whole)
    result = laid(whole)
    samples, jumps = stream
    if rate == RATE:
        assert result.end == samples.shape[1] + sum(jumps)
        index = np.cumsum(jumps) + np.arange(samples.shape[1])
        measured = result.origin[:, index] == Origin.MEASURED
        assert np.array_equal(result.leads[:, index][measured], samples[measured])
        assert not measured[~np.isfinite(samples)].any()
    for item in whole:
        if isinstance(item, Block) and item.tail:
            assert item.tail.leads.shape[1] <= look_ahead


@given(sizes=sizes_of_chunks, stream=streams())
@settings(max_examples=6)
def test_any_chunking_gives_the_same_items_with_the_model(
    engine: Engine, sizes: list[int], stream: tuple[Samples, list[int]]
) -> None:
    chunked, whole = (laid(list(passed(engine, a_bed(engine), chunks_of(stream, each)))) for each in (sizes, [10**6]))
    assert np.allclose(chunked.leads, whole.leads, rtol=0, atol=1e-5, equal_nan=True)
    assert np.array_equal(chunked.origin, whole.origin)
    assert (chunked.gaps, chunked.events) == (whole.gaps, whole.events)


@given(stream=streams(), other=streams(), share=st.floats(0, 1), size=st.integers(1, 400))
@settings(max_examples=40)
def test_later_samples_never_change_what_is_settled(
    stream: tuple[Samples, list[int]], other: tuple[Samples, list[int]], share: float, size: int
) -> None:
    engine = Averaging()
    now = max(1, int(share * stream[0].shape[1]))
    before = stream[0][:, :now], stream[1][:now]
    longer = np.concatenate([before[0], other[0]], axis=1), before[1] + other[1]
    one, two = a_bed(engine), a_bed(engine)
    first = list(passed(engine, one, chunks_of(before, [size]), finish=False))
    second = list(passed(engine, two, chunks_of(longer, [size])))
    n = one.settled
    assert n >= now + sum(before[1]) - engine.look_ahead - engine.stride
    early, late = laid(first), laid(second)
    for name in ("leads", "interval", "origin"):
        assert np.array_equal(getattr(early, name), getattr(late, name)[:, :n], equal_nan=True)
    assert early.events == late.events[: len(early.events)]


def test_later_samples_never_change_what_the_model_settled(engine: Engine) -> None:
    samples, other = leads(4, 1200), leads(5, 1200)
    other[:, :777] = samples[:, :777]
    bed = a_bed(engine)
    early = laid(list(passed(engine, bed, cut(samples[:, :777], [20]), finish=False)))
    late = laid(run(engine, a_bed(engine), other, [33]))
    assert early.end == bed.settled >= 777 - engine.look_ahead - engine.stride
    assert np.array_equal(early.leads, late.leads[:, : early.end], equal_nan=True)


def test_a_sample_is_exactly_what_the_engine_gives_once_its_look_ahead_is_there() -> None:
    samples = leads(6, 7003)
    averaging = Averaging()
    frame = Frame("", 7003, *np.split(np.nan_to_num(np.concatenate([eight(samples), known(samples)])), 2))
    expected = averaging.estimate([frame])[0].leads
    result = laid(run(averaging, a_bed(averaging), samples, [333]))
    estimated = result.origin == Origin.ESTIMATED
    assert estimated.any()
    assert np.allclose(result.leads[estimated], expected[estimated], rtol=1e-5, atol=1e-6)
    assert set(averaging.lengths[1:]) == {380}  # one shape, however much is kept: context, look-ahead and hop


def eight(samples: Samples) -> Samples:
    return samples[[0, 1, *range(6, 12)]]


def known(samples: Samples) -> Samples:
    return np.isfinite(eight(samples)).astype(np.float32)


@given(look_ahead=st.integers(0, 50), hops=st.integers(1, 5))
@settings(max_examples=10)
def test_an_index_settles_in_the_first_frame_that_holds_its_look_ahead(look_ahead: int, hops: int) -> None:
    averaging = Averaging()
    bed = a_bed(averaging, look_ahead=look_ahead, hop=20 * hops)
    for chunk in cut(leads(7, 600), [1]):
        list(passed(averaging, bed, [chunk], finish=False))
        end = (chunk.index + 1) // bed.hop * bed.hop
        assert bed.settled == max(0, end - look_ahead)
    list(passed(averaging, bed, []))
    assert bed.settled == bed.received == 600
    assert list(passed(averaging, bed, [])) == []


def test_estimates_may_come_back_late_and_in_any_order() -> None:
    averaging = Averaging()
    samples = leads(8, 900)
    frames: list[Frame] = []
    bed = a_bed(averaging)
    for chunk in cut(samples, [77]):
        frames += bed.push(chunk)
        assert not [item for item in bed.items() if isinstance(item, Block)]
    frames += bed.finish()
    for frame in reversed(frames):
        assert not [item for item in bed.items() if isinstance(item, Block)]
        bed.settle(frame, averaging.estimate([frame])[0])
    assert_equal(laid(bed.items()), laid(run(averaging, a_bed(averaging), samples, [900])))


def late_items(averaging: Averaging, bed: Bed, chunk: Chunk) -> list[Item]:
    frames = bed.push(chunk, late=True)
    for frame, estimate in zip(frames, averaging.estimate(frames), strict=True):
        bed.settle(frame, estimate)
    return bed.items()


def test_late_computes_only_what_it_must() -> None:
    samples = leads(8, 12_000)
    averaging = Averaging(left_context=4000)
    bed = a_bed(averaging)
    items = late_items(averaging, bed, Chunk(0, samples[:, :500]))
    assert (bed.frames, bed.frames_skipped, bed.settled) == (1, 24, 450)
    items += late_items(averaging, bed, Chunk(500, samples[:, 500:]))
    assert bed.settled == 11_950
    assert bed.frames + bed.frames_skipped == 12_000 // 20
    assert bed.frames <= 15
    assert set(averaging.lengths) <= {4080, FRAME}
    items += passed(averaging, bed, [])
    in_time = laid(run(averaging, a_bed(averaging, hop=400), samples, [400]))
    assert np.allclose(laid(items).leads, in_time.leads, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("rate", [250, 500])
def test_a_jump_of_a_day_costs_its_description(engine: Engine, rate: int) -> None:
    bed = a_bed(engine, rate)
    day = 24 * 3600 * rate
    samples = leads(9, 2 * rate)
    before = list(passed(engine, bed, cut(samples, [rate // 50]), finish=False))
    tracemalloc.start()
    during = list(passed(engine, bed, [Chunk(day, samples[:, :100])], finish=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
    after = list(passed(engine, bed, cut(samples[:, 100:], [rate // 50], start=day + 100)))
    gaps = [item for item in during if isinstance(item, Gap)]
    assert [gap.why for gap in gaps] == [Why.MISSING]
    assert gaps[0].length == pytest.approx((day - 2 * rate) * 500 / rate, abs=2)
    result = [item for item in (*before, *during, *after) if not isinstance(item, Event)]
    assert [item.start for item in result] == [0, *(item.end for item in result[:-1])]
    assert result[-1].end == pytest.approx((day + 2 * rate) * 500 / rate, abs=1)
    another, took = a_bed(engine, rate), []
    for number in range(10):  # the quickest of ten: others share the machine
        began = time.perf_counter()
        list(passed(engine, another, [Chunk(number * day, samples[:, : rate // 50])], finish=False))
        took.append(time.perf_counter() - began)
    assert min(took[1:]) < 0.05


@given(length=st.integers(1, 9000), at=st.integers(1, 700), rate=st.sampled_from([250, 360, 500, 1000]))
@settings(max_examples=12)
def test_a_jump_is_what_columns_of_nothing_are(length: int, at: int, rate: int) -> None:
    """A gap that costs nothing settles to the same as one of samples that hold nothing."""
    samples = leads(9, 1400)
    nothing = np.full((12, length), np.nan, np.float32)
    averaging = Averaging()
    filled = np.concatenate([samples[:, :at], nothing, samples[:, at:]], axis=1)
    jumping = [*cut(samples[:, :at], [20]), *cut(samples[:, at:], [20], start=at + length)]
    one = laid(list(passed(averaging, a_bed(averaging, rate), jumping)))
    other = laid(run(averaging, a_bed(averaging, rate), filled, [20]))
    assert_equal(one, other)
    told = Kind.LEAD_OFF, Kind.LEAD_BACK, Kind.BEAT
    assert one.events_of(*told) == other.events_of(*told)


def test_what_comes_for_a_lead_that_is_no_input_is_nothing() -> None:
    averaging = Averaging()
    samples = leads(3, 800)
    more = samples.copy()
    more[7] = 1.0
    one, other = (laid(run(averaging, a_bed(averaging), each, [20])) for each in (samples, more))
    assert_equal(one, other)


def test_nothing_costs_no_engine_call() -> None:
    averaging = Averaging()
    silent = a_bed(averaging)
    result = laid(run(averaging, silent, np.full((12, 400), np.nan, np.float32), [40]))
    assert (silent.frames, averaging.lengths) == (0, [])
    assert result.gaps == [Gap(0, 400, Why.MISSING)]
    still = a_bed(averaging)
    result = laid(run(averaging, still, np.where(np.isnan(leads(1, 2000)), np.nan, np.float32(0.5)), [40]))
    assert [gap.why for gap in result.gaps] == [Why.NO_SIGNAL, Why.MISSING, Why.NO_SIGNAL]
    assert result.gaps[-1].end == 2000
    assert still.silent == pytest.approx(2000 - FROZEN, abs=41)


def test_what_is_not_finite_is_not_known() -> None:
    samples = leads(2, 2000)
    spoilt, holed = samples.copy(), samples.copy()
    spoilt[1, 1000], holed[1, 1000] = np.inf, np.nan
    spoilt[9, 1500], holed[9, 1500] = -np.inf, np.nan
    spoilt[0, 1700], holed[0, 1700] = 3e38, np.nan
    averaging = Averaging()
    for rate in (250, 500):
        one, other = (laid(run(averaging, a_bed(averaging, rate), each, [100])) for each in (spoilt, holed))
        assert_equal(one, other)
        assert np.isnan(one.leads).sum() == 12 * sum(gap.length for gap in one.gaps)


@given(seed=st.integers(0, 2**32 - 1), rows=st.sets(st.integers(0, 11), min_size=1), holes=st.floats(0, 0.3))
@settings(max_examples=20)
def test_measured_to_the_bit_and_computed_to_rounding(engine: Engine, seed: int, rows: set[int], holes: float) -> None:
    """Of any leads; leads that contradict each other are solved to several times their size, so none exceeds 2 mV."""
    rng = np.random.default_rng(seed)
    samples = np.full((12, 500), np.nan, np.float32)
    smooth = np.cumsum(rng.standard_normal((len(rows), 500)), axis=1)
    within = np.clip(0.05 * smooth + rng.uniform(-2, 2, (len(rows), 1)), -1.9, 1.9)
    samples[sorted(rows)] = within + rng.uniform(-0.1, 0.1, within.shape)  # none stands still at a limit
    samples[rng.random(samples.shape) < holes] = np.nan
    given_leads = tuple(LEADS[row] for row in sorted(rows))
    result = laid(list(passed(engine, Bed(engine, 500, given_leads), cut(samples, [20]))))
    measured = result.origin == Origin.MEASURED
    assert np.array_equal(result.leads[measured], samples[:, : result.end][measured])
    assert np.array_equal(measured, np.isfinite(samples)[:, : result.end])
    assert not result.interval[measured].any()
    computed = result.origin == Origin.COMPUTED
    assert not computed[6:].any()
    expected = physics.LIMB_MATRIX @ result.leads[:2].astype(np.float64)
    assert np.abs(result.leads[:6] - expected)[computed[:6]].max(initial=0) <= 1e-6
    nothing = result.origin[0] == Origin.NONE
    assert np.isnan(result.leads[:, nothing]).all()
    assert np.isfinite(result.leads[:, ~nothing]).all()
    assert (result.interval[result.origin == Origin.ESTIMATED] > 0).all()


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
        a_bed(Averaging(left_context=left_context), look_ahead=look_ahead, hop=hop)


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


def test_a_lead_that_stands_still_is_off_and_estimated_and_said(engine: Engine) -> None:
    samples = leads(10, 4000)
    samples[9, 1500:3000] = samples[9, 1499]
    bed = a_bed(engine)
    result = laid(run(engine, bed, samples, [77]))
    off, back = result.events_of(Kind.LEAD_OFF, Kind.LEAD_BACK)
    assert (off.kind, off.lead, back.kind, back.lead) == (Kind.LEAD_OFF, "V4", Kind.LEAD_BACK, "V4")
    assert off.index == 1499 + FROZEN - 1
    assert 3000 <= back.index < 3020
    assert (result.origin[9, :1373] != Origin.ESTIMATED).all()
    assert (result.origin[9, off.index : back.index] == Origin.ESTIMATED).all()
    assert (result.origin[9, back.index :] == Origin.MEASURED).all()
    assert bed.leads_off == ()


def test_what_a_lead_jumps_to_never_reaches_the_network(engine: Engine) -> None:
    """An electrode that comes off: from its jump on all is as if it had not come, though it is shown until known."""
    samples = leads(10, 4000)
    samples[9, 1500:3000] = 20
    away = samples.copy()
    away[9, 1500:3000] = np.nan
    fell, left = (laid(run(engine, a_bed(engine), each, [77])) for each in (samples, away))
    others = [row for row in range(12) if row != 9]
    assert np.allclose(fell.leads[others], left.leads[others], rtol=0, atol=1e-5, equal_nan=True)
    assert (fell.origin[9, 1500 : 1500 + FROZEN - 1] == Origin.MEASURED).all()
    assert (fell.origin[9, 1500 + FROZEN - 1 : 3000] == Origin.ESTIMATED).all()


def test_a_lead_that_never_came_is_off() -> None:
    averaging = Averaging()
    samples = leads(11, 1000)
    samples[9] = np.nan
    bed = a_bed(averaging)
    result = laid(run(averaging, bed, samples, [20]))
    assert [event.lead for event in result.events_of(Kind.LEAD_OFF)] == ["V4"]
    assert bed.leads_off == ("V4",)


def test_limb_leads_that_disagree_are_said() -> None:
    averaging = Averaging()
    samples = np.full((12, 6000), np.nan, np.float32)
    samples[:2] = leads(12, 6000)[:2]
    samples[2] = samples[1] - samples[0]
    samples[2, 2000:4000] += 0.2
    result = laid(run(averaging, Bed(averaging, 500, ("I", "II", "III")), samples, [20]))
    one, two = result.events_of(Kind.LIMB_DISAGREE, Kind.LIMB_AGREE)
    assert (one.kind, one.lead, one.index) == (Kind.LIMB_DISAGREE, "III", 2499)
    assert one.value == pytest.approx(200, rel=0.05)
    assert (two.kind, two.index) == (Kind.LIMB_AGREE, 4499)


def beats(length: int, every: int = 400) -> Samples:
    """I, II and V4 with a QRS, a T wave and nothing else, every so many samples."""
    time_s = (np.arange(length) % every - 100) / RATE
    shape = np.exp(-0.5 * (time_s / 0.01) ** 2) + 0.2 * np.exp(-0.5 * ((time_s - 0.25) / 0.04) ** 2)
    samples = np.full((12, length), np.nan, np.float32)
    samples[ROWS] = np.array([[0.5], [1.0], [0.8]]) * shape + 1e-3 * np.random.default_rng(1).standard_normal(length)
    return samples


def test_beats_are_found_where_lead_ii_is_known_and_only_there() -> None:
    averaging = Averaging()
    samples = beats(20_000)
    samples[1, 8000:14_000] = np.nan  # II is estimated there: one limb lead alone tells nothing of it
    result = laid(run(averaging, a_bed(averaging), samples, [20]))
    found = result.events_of(Kind.BEAT)
    assert len(found) >= 0.8 * (20_000 - 6000) / 400
    assert all(abs((event.index - 100 + 200) % 400 - 200) <= 15 for event in found)
    assert not [event for event in found if 8100 < event.index < 13_900]
    rates = [event.value for event in found if event.value is not None]
    assert rates
    assert all(rate == pytest.approx(75, abs=1) for rate in rates)
    assert all(event.text for event in found if event.value is None)
    lost = [event for event in result.events_of(Kind.RATE_LOST) if event.index >= 8000]
    assert lost
    assert all(event.text for event in lost)


def test_a_longer_frame_changes_nothing_but_rounding(engine: Engine) -> None:
    samples = leads(11, 12_000)
    usual = laid(run(engine, a_bed(engine), samples, [500]))
    for bed in (
        a_bed(engine, hop=5840, frame=10_000),
        offline_bed(engine, 500, IN),
        offline_bed(engine, 500, IN, hop=1),
    ):
        longer = laid(run(engine, bed, samples, [12_000]))
        assert np.allclose(usual.leads, longer.leads, rtol=0, atol=1e-5, equal_nan=True)
        assert np.array_equal(usual.origin, longer.origin)


def test_a_bed_alone_and_among_fifty_others_agree(engine: Engine) -> None:
    beds = [Bed(engine, 500, IN, name=str(number)) for number in range(51)]
    streams = [leads(number, 700) for number in range(51)]
    found: list[list[Item]] = [[] for _ in beds]
    for at in range(0, 700, 100):
        frames = [
            frame
            for bed, samples in zip(beds, streams, strict=True)
            for frame in bed.push(Chunk(at, samples[:, at : at + 100]))
        ]
        for frame, estimate in zip(frames, engine.estimate(frames), strict=True):
            beds[int(frame.bed)].settle(frame, estimate)
        for number, bed in enumerate(beds):
            found[number] += bed.items()
    for number in (0, 17, 50):
        alone = laid(list(passed(engine, a_bed(engine), cut(streams[number], [100]), finish=False)))
        together = laid(found[number])
        assert np.allclose(alone.leads, together.leads, rtol=0, atol=1e-5, equal_nan=True)
        assert np.array_equal(alone.origin, together.origin)


def test_arrays_of_items_cannot_be_written(engine: Engine) -> None:
    samples = leads(3, 400)
    chunk = Chunk(0, samples)
    with pytest.raises(ValueError, match="read-only"):
        chunk.samples[0, 0] = 1
    samples[0, 0] = 1  # its own array stays the caller's
    block = next(item for item in passed(engine, a_bed(engine), [chunk]) if isinstance(item, Block))
    for array in (block.leads, block.interval, block.origin):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0
