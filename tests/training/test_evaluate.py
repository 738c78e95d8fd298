"""Judging by the protocol: the figures are its formulas, live is offline, and no folder ends in a traceback."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.signal import butter, resample_poly, sosfiltfilt
from scipy.stats import pearsonr

from engine.errors import EcgStreamError, ModelError, SourceError, UsageError
from engine.frame import Estimate, Frame
from engine.leads import INDEPENDENT_ROWS, INDEX, LEADS, RATE, Origin
from engine.model import DEFAULT, load, load_manifest, sha256
from engine.physics import LIMB_MATRIX, solve
from engine.reconstruction import Engine
from stream.bed import OFFLINE_HOP, Bed, passed
from stream.items import Block, Chunk, Event, Gap, Item, Kind, Why
from stream.resampler import Resampler
from tests.stream.records import write_record
from tests.training.recordings import piece, write_ptbxl
from training import evaluate as judging
from training.evaluate import (
    Emitted,
    Exactness,
    Tally,
    evaluate,
    live,
    longest_hop,
    reconstruct,
    side_by_side,
    twelve,
)
from training.pack import raise_to_500
from training.protocol import compare
from training.results import LeadResult, Results

Samples = NDArray[np.floating]

I_II_V4 = ("I", "II", "V4")
CHEST_LEFT = ["V1", "V2", "V3", "V5", "V6"]
WAYS = ("offline", "streamed", "linear")


@pytest.fixture(scope="module")
def test_fold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three records of fold 10 at both rates, and others that nobody may look at: they hold no samples."""
    root = write_ptbxl(tmp_path_factory.mktemp("data") / "ptbxl", [10, 1, 10, 9, 10], rates=(100, 500))
    for path in [*root.rglob("00002_*.dat"), *root.rglob("00004_*.dat")]:
        path.unlink()
    return root


@pytest.fixture(scope="module")
def judged(test_fold: Path, exported: Path) -> Results:
    return evaluate(I_II_V4, data=test_fold, model=exported)


def given(leads_in: tuple[str, ...], truth: Samples) -> NDArray[np.float32]:
    samples = np.full(truth.shape, np.nan, np.float32)
    for lead in leads_in:
        samples[INDEX[lead]] = truth[INDEX[lead]]
    return samples


def folder_of(tmp_path: Path, rate: float = 500, **records: Samples) -> Path:
    """A folder of twelve-lead records, (12, n) in mV each."""
    folder = tmp_path / "records"
    folder.mkdir(parents=True)
    for name, samples in records.items():
        write_record(folder / name, samples.T, LEADS, rate=rate)
    return folder


def leads_of(results: Results, way: str = "offline", band: str = "0.5-40") -> dict[str, LeadResult]:
    return results.ways[way][band].leads


def chest_r(results: Results, way: str = "offline", band: str = "0.5-40") -> dict[str, float | None]:
    return {lead: each.r for lead, each in leads_of(results, way, band).items()}


def test_the_shipped_model_on_the_test_fold(test_fold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "HOP_CHECKS", 0)  # a second each; below the small model is held to it
    results = evaluate(I_II_V4, data=test_fold)
    assert_whole(results)
    assert results.model == DEFAULT


def test_the_figures_are_all_there(judged: Results) -> None:
    assert_whole(judged)
    assert judged.model == "tiny"
    assert judged.look_ahead_ms == 2 * 39
    for band in ("0.5-40", "0.05-150"):  # the streamed figures lack only the newest tenth or two of a second
        assert chest_r(judged, "streamed", band) == pytest.approx(chest_r(judged, "offline", band), abs=0.03)


def test_the_model_is_named_by_its_hash_as_well(judged: Results, exported: Path) -> None:
    assert judged.model_sha256 == sha256(exported.with_suffix(".onnx"))
    assert judged.model_sha256 == load_manifest(exported)[0].files["onnx"].sha256


def assert_whole(results: Results) -> None:
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results
    assert results.leads_in == ("I", "II", "V4")
    assert results.n_records == 3
    assert results.n_records_by_band == {"0.5-40": 3, "0.05-150": 3}
    assert tuple(results.ways) == WAYS
    for bands in results.ways.values():
        assert list(bands) == ["0.5-40", "0.05-150"]
        for band in bands.values():
            assert list(band.leads) == CHEST_LEFT
            assert band.mean_r == pytest.approx(np.mean([lead.r for lead in band.leads.values()]), abs=1e-4)
            for lead in band.leads.values():
                assert (lead.n, lead.left_out) == (3, 0)
                figures = msgspec.structs.astuple(lead)
                assert np.isfinite(figures).all()
                assert len(set(figures[2:])) == 6
    assert results.exact.measured_max_abs_mv == 0
    assert results.exact.computed_max_abs_mv <= 1e-6
    assert results.hop_max_abs_mv < 1e-4


def protocol_band(band: str, x: np.ndarray) -> np.ndarray:
    """As docs/design.md has it."""
    (high, order), (low, low_order) = {"0.5-40": ((0.5, 3), (40, 3)), "0.05-150": ((0.05, 1), (150, 4))}[band]
    x = sosfiltfilt(butter(order, high, "highpass", fs=500, output="sos"), x)
    return np.asarray(sosfiltfilt(butter(low_order, low, "lowpass", fs=500, output="sos"), x))


def by_the_engine(engine: Engine, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Twelve leads of one long frame."""
    known, mask, _ = solve(samples)
    x = np.nan_to_num(known[list(INDEPENDENT_ROWS)])
    return engine.estimate([Frame("bed", x.shape[1], x, mask.astype(np.float32))])[0].leads


@pytest.mark.parametrize(("band", "rate"), [("0.5-40", 100), ("0.05-150", 500)])
def test_the_figures_are_the_protocols(judged: Results, exported: Path, band: str, rate: int) -> None:
    """From the pieces themselves, with nothing of `training` but the model."""
    engine = load(exported)
    linear = load_file(exported.with_suffix(".safetensors"))["linear"][0b00100011]
    rows = [INDEX[lead] for lead in CHEST_LEFT]
    eight = list(INDEPENDENT_ROWS)
    values: dict[str, list[list[NDArray[np.float64]]]] = {way: [] for way in WAYS}
    for number in (0, 2, 4):
        own = np.rint(1000 * resample_poly(piece(number), rate, 500, axis=1)) / 1000
        truth = resample_poly(own, 500 // rate, 1, axis=1)
        samples = given(I_II_V4, truth)
        by_linear = linear.astype(float) @ np.nan_to_num(samples)[eight]
        arrived = np.concatenate([made.samples for made in Resampler(rate).push(Chunk(0, given(I_II_V4, own)))], axis=1)
        assert arrived.shape[1] == (5000 if rate == 500 else 4940)  # the resampler's look-ahead at 100 Hz is 120 ms
        end = arrived.shape[1] // engine.stride * engine.stride
        settled = slice(0, end - engine.look_ahead)
        for way, estimate, shown in (
            ("offline", by_the_engine(engine, samples)[rows], slice(None)),
            ("streamed", by_the_engine(engine, arrived[:, :end])[rows, settled], settled),
            ("linear", by_linear[[eight.index(row) for row in rows]], slice(None)),
        ):
            t, e = protocol_band(band, truth[rows, shown]), protocol_band(band, estimate)
            error = 1000 * (e - t)
            r = pearsonr(t, e, axis=1).statistic
            snr = 10 * np.log10(t.var(axis=1) * 1e6 / np.mean(error**2, axis=1))
            values[way].append([r, np.sqrt(np.mean(error**2, axis=1)), np.abs(error).mean(axis=1), snr])
    for way in WAYS:
        means = np.mean(values[way], axis=0)
        medians = np.median([record[0] for record in values[way]], axis=0)
        for column, lead in enumerate(CHEST_LEFT):
            figures = leads_of(judged, way, band)[lead]
            got = [figures.r, figures.rmse_uv, figures.mae_uv, figures.snr_db]
            assert got == pytest.approx(means[:, column], rel=2e-3, abs=2e-4)
            assert figures.r_median == pytest.approx(medians[column], abs=2e-4)


def test_a_stream_goes_in_at_its_own_rate_in_chunks_of_20_ms(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[set[int]] = []

    def watched(engine: Engine, bed: Bed, chunks: Iterable[Chunk], *, finish: bool = True) -> Iterator[Item]:
        chunks = list(chunks)
        if not finish:  # as streamed
            assert chunks[-1].end == 1000
            sizes.append({chunk.samples.shape[1] for chunk in chunks})
        return passed(engine, bed, chunks, finish=finish)

    monkeypatch.setattr(judging, "passed", watched)
    folder = folder_of(tmp_path, 100, a=resample_poly(piece(0), 1, 5, axis=1), b=resample_poly(piece(1), 1, 5, axis=1))
    monkeypatch.setattr(judging, "HOP_CHECKS", 1)
    evaluate(I_II_V4, records=folder, model=exported)
    assert sizes == [{2}] * 3  # each record once and one of them frame by frame as well


def test_a_model_that_sees_further_back_than_it_says_is_found_out(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(exported)
    engine.left_context = 0
    monkeypatch.setattr(judging, "load", lambda _, **options: engine)
    results = evaluate(I_II_V4, records=folder_of(tmp_path, a=piece(0)), model=exported)
    assert results.hop_max_abs_mv > 1e-3


@hypothesis_given(received=st.integers(0, 20_000), stride=st.integers(1, 60))
def test_the_longest_hop_settles_what_the_live_hop_does(received: int, stride: int) -> None:
    hop = longest_hop(received, stride)
    assert received // hop * hop == received // stride * stride
    assert hop % stride == 0
    assert stride <= hop <= OFFLINE_HOP
    if stride <= received <= OFFLINE_HOP:
        assert hop == received // stride * stride  # one frame for all


def emitted(samples: NDArray[np.float32], leads: NDArray[np.float32], origin: NDArray[np.uint8]) -> Emitted:
    assert samples.shape == leads.shape == origin.shape
    return Emitted(leads, np.zeros_like(leads), origin)


def measured_and_computed() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """What came in on I and II, what must come out, and its origins."""
    samples = given(("I", "II"), piece(0)[:, :90])
    leads = piece(0)[:, :90].astype(np.float32)
    leads[:6] = LIMB_MATRIX @ leads[:2]
    origins = [Origin.MEASURED] * 2 + [Origin.COMPUTED] * 4 + [Origin.ESTIMATED] * 6
    return samples, leads, np.repeat(np.array(origins, np.uint8)[:, None], 90, axis=1)


def test_what_is_not_exact_is_found_out() -> None:
    samples, leads, origin = measured_and_computed()
    for row, by, measured, computed in ((1, 0.5, 0.5, 0.5), (4, -0.25, 0, 0.25), (8, 3, 0, 0)):
        strayed = leads.copy()
        strayed[row, 40] += by
        exactness = Exactness()
        for shown in (strayed, leads):  # the worst is kept
            exactness.add("a", samples, ("I", "II"), emitted(samples, shown, origin))
        assert exactness.measured == pytest.approx(measured, abs=1e-6)
        assert exactness.computed == pytest.approx(computed, abs=1e-6)


@pytest.mark.parametrize(("row", "lead"), [(1, "II"), (4, "aVL"), (8, "V3")])
def test_a_sample_that_is_lost_is_no_sample_without_error(row: int, lead: str) -> None:
    samples, leads, origin = measured_and_computed()
    lost, renamed = leads.copy(), origin.copy()
    lost[row, 40] = np.nan
    renamed[row, 40] = Origin.MEASURED if row != 1 else Origin.ESTIMATED
    for shown in (emitted(samples, lost, origin), emitted(samples, leads, renamed)):
        with pytest.raises(EcgStreamError, match=rf"^a, b: {lead} at 0\.08 s is \w+ where it must be \w+; this"):
            Exactness().add("a, b", samples, ("I", "II"), shown)
    with pytest.raises(EcgStreamError, match="89 samples came out where 90 must"):
        Exactness().add("a", samples, ("I", "II"), emitted(samples[:, 1:], leads[:, 1:], origin[:, 1:]))


def block(start: int, length: int) -> Block:
    leads = np.full((12, length), start + 1, np.float32)
    return Block(start, leads, leads / np.float32(10), np.full(leads.shape, Origin.MEASURED, np.uint8))


def test_blocks_and_gaps_lie_side_by_side() -> None:
    beat = Event(3, Kind.BEAT)
    side = side_by_side([block(0, 4), beat, Gap(4, 3), Gap(7, 1, Why.NO_SIGNAL), block(8, 2), beat])
    expected = np.array([1, 1, 1, 1, np.nan, np.nan, np.nan, np.nan, 9, 9], np.float32)
    assert side.end == 10
    assert np.array_equal(side.leads, np.tile(expected, (12, 1)), equal_nan=True)
    assert np.array_equal(side.origin[0], [1, 1, 1, 1, 0, 0, 0, 0, 1, 1])
    assert np.array_equal(side.interval[0], np.nan_to_num(expected) / np.float32(10))
    assert side_by_side([]).end == side_by_side([beat]).end == 0


@pytest.mark.parametrize("items", [[block(1, 3)], [block(0, 4), block(5, 2)], [block(0, 4), Gap(3, 2)]])
def test_what_does_not_follow_is_refused(items: list[Item]) -> None:
    with pytest.raises(EcgStreamError, match=r"index \d came out after \d"):
        side_by_side(items)


def lose_block(blocks: list[Block]) -> list[Item]:
    return [*blocks[:3], *blocks[4:]]


def lose_last(blocks: list[Block]) -> list[Item]:
    return [*blocks[:-1]]


def make_gap(blocks: list[Block]) -> list[Item]:
    lost = blocks[3]
    return [*blocks[:3], Gap(lost.start, lost.end - lost.start), *blocks[4:]]


def spoil_one(blocks: list[Block]) -> list[Item]:
    leads = blocks[3].leads.copy()
    leads[INDEX["V4"], 5] = np.nan
    return [*blocks[:3], replace(blocks[3], leads=leads), *blocks[4:]]


def estimate_one(blocks: list[Block]) -> list[Item]:
    origin = blocks[3].origin.copy()
    origin[INDEX["V4"], 5] = Origin.ESTIMATED
    return [*blocks[:3], replace(blocks[3], origin=origin), *blocks[4:]]


@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("lose", [lose_block, lose_last, make_gap, spoil_one, estimate_one])
def test_a_lost_sample_ends_the_evaluation(
    tmp_path: Path,
    exported: Path,
    monkeypatch: pytest.MonkeyPatch,
    lose: Callable[[list[Block]], list[Item]],
    finish: bool,
) -> None:
    """Offline and as streamed; no figure hides it."""

    def losing(engine: Engine, bed: Bed, chunks: Iterable[Chunk], **options: bool) -> Iterator[Item]:
        items = passed(engine, bed, chunks, **options)
        if options.get("finish", True) != finish:
            return items
        whole = side_by_side(items)
        cuts = [*range(0, whole.end, 700), whole.end]
        parts = [slice(*edges) for edges in pairwise(cuts)]
        blocks = [
            Block(part.start, whole.leads[:, part], whole.interval[:, part], whole.origin[:, part]) for part in parts
        ]
        return iter(lose(blocks))

    monkeypatch.setattr(judging, "passed", losing)
    with pytest.raises(EcgStreamError, match="this is a defect of ecgstream: report it") as caught:
        evaluate(I_II_V4, records=folder_of(tmp_path, a=piece(0)), model=exported)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module", params=["tiny", "shipped"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return load(request.getfixturevalue("exported") if request.param == "tiny" else None)


@pytest.mark.parametrize("length", [5000, 5003, 700])
def test_offline_and_live_are_one(engine: Engine, length: int) -> None:
    samples = given(I_II_V4, np.concatenate([piece(0), piece(1)], axis=1)[:, :length])
    offline = reconstruct(engine, samples, I_II_V4)
    streamed = live(engine, samples, RATE, I_II_V4, longest_hop(length, engine.stride))
    assert offline.end == length
    assert streamed.end == length // engine.stride * engine.stride - engine.look_ahead
    shown = slice(0, streamed.end)
    assert np.abs(offline.leads[:, shown] - streamed.leads).max() < 1e-4
    assert np.array_equal(offline.origin[:, shown], streamed.origin)
    if length == 700:
        steady = live(engine, samples, RATE, I_II_V4)
        assert steady.end == streamed.end
        assert np.abs(steady.leads - streamed.leads).max() < 1e-4


@pytest.mark.parametrize("rate", [100, 360, 1000])
def test_another_rate_comes_out_on_time(engine: Engine, rate: int) -> None:
    """Sample by sample where the truth is, but for what the two resamplers do at their band's edge."""
    slow = protocol_band("0.5-40", piece(0))
    own = resample_poly(slow, rate // 20, 25, axis=1)
    streamed = live(engine, given(I_II_V4, own), rate, I_II_V4)
    inner = slice(500, streamed.end - 100)
    for lead in I_II_V4:
        assert np.abs(streamed.leads[INDEX[lead], inner] - slow[INDEX[lead], inner]).max() < 0.01
    offline = reconstruct(engine, given(I_II_V4, slow), I_II_V4)
    assert np.abs(offline.leads[:, inner] - streamed.leads[:, inner]).max() < 0.05


def test_a_long_recording_is_estimated_in_stretches(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load(exported)
    samples = given(I_II_V4, np.concatenate([piece(0), piece(1)], axis=1))
    whole = reconstruct(engine, samples, I_II_V4)
    monkeypatch.setattr(judging, "OFFLINE_HOP", 900)
    longest, most, estimate = [0], [0], engine.estimate

    def watched(frames: list[Frame]) -> list[Estimate]:
        longest[0] = max(longest[0], *(frame.leads.shape[1] for frame in frames))
        most[0] = max(most[0], len(frames))
        return estimate(frames)

    monkeypatch.setattr(engine, "estimate", watched)
    stretches = reconstruct(engine, samples, I_II_V4)
    assert stretches.end == whole.end == 10_000
    assert np.abs(stretches.leads - whole.leads).max() < 1e-4
    assert longest[0] < 900 + engine.left_context + 100
    assert most[0] <= 2  # not all of a day's frames at once


def test_a_lead_that_stands_still_is_off_in_both_ways(engine: Engine) -> None:
    samples = given(I_II_V4, piece(0))
    samples[INDEX["V4"], 1000:] = 0.5
    for came in (reconstruct(engine, samples, I_II_V4), live(engine, samples, RATE, I_II_V4)):
        assert (came.origin[INDEX["V4"], :1100] == Origin.MEASURED).all()
        assert (came.origin[INDEX["V4"], 1600:] == Origin.ESTIMATED).all()
        Exactness().add("a", samples[:, : came.end], I_II_V4, came)  # that is no loss


@pytest.mark.parametrize("rate", [250, 257.3, 360, 1000])
def test_records_of_any_rate_are_brought_to_500_hz(tmp_path: Path, exported: Path, rate: float) -> None:
    samples = raise_to_500(np.concatenate([piece(0), piece(1)], axis=1), 500**2 / rate)[:, : round(10 * rate)]
    write_record(tmp_path / "a", samples.T, LEADS, rate=rate)
    truth = twelve(tmp_path / "a")
    assert truth.shape[1] == pytest.approx(5000, abs=2)
    inner = slice(200, 4800)
    assert np.abs(truth[:, inner] - piece(0)[:, inner]).max() < 0.05
    results = evaluate(I_II_V4, records=tmp_path, model=exported)
    assert results.n_records_by_band == {"0.5-40": 1, "0.05-150": int(rate >= 500)}
    assert ("0.05-150" in results.ways["offline"]) == (rate >= 500)
    assert results.exact.measured_max_abs_mv == 0
    (tmp_path / "reference").mkdir()
    write_record(tmp_path / "reference" / "a", piece(0).T, LEADS)
    reference = evaluate(I_II_V4, records=tmp_path / "reference", model=exported)
    assert chest_r(results) == pytest.approx(chest_r(reference), abs=0.02)


def test_a_unit_is_no_matter(tmp_path: Path, exported: Path) -> None:
    folders = [tmp_path / unit for unit in ("mV", "uV")]
    for folder, factor in zip(folders, (1, 1000), strict=True):
        folder.mkdir()
        write_record(folder / "a", factor * piece(0).T, LEADS, units=folder.name, gain=1000 / factor)
    one, other = (evaluate(I_II_V4, records=folder, model=exported) for folder in folders)
    assert one == other


def test_any_two_limb_leads_give_the_others(tmp_path: Path, exported: Path) -> None:
    names = ("aVR", "aVF", *LEADS[6:])
    for folder, leads in (("whole", LEADS), ("some", names)):
        (tmp_path / folder).mkdir()
        write_record(tmp_path / folder / "a", piece(0)[[INDEX[lead] for lead in leads]].T, leads)
    whole, some = (evaluate(I_II_V4, records=tmp_path / folder, model=exported) for folder in ("whole", "some"))
    assert chest_r(some) == pytest.approx(chest_r(whole), abs=1e-3)
    augmented = evaluate(("aVR", "aVF", "V4"), records=tmp_path / "whole", model=exported)
    assert augmented.leads_in == ("aVR", "aVF", "V4")
    assert chest_r(augmented) == pytest.approx(chest_r(whole), abs=1e-3)
    assert augmented.exact.measured_max_abs_mv == 0
    assert augmented.exact.computed_max_abs_mv <= 2e-6


def test_with_one_limb_lead_the_others_are_estimated_and_judged(tmp_path: Path, exported: Path) -> None:
    results = evaluate(("II", "V4"), records=folder_of(tmp_path, a=piece(0)), model=exported)
    r = chest_r(results)
    assert list(r) == ["I", "III", "aVR", "aVL", "aVF", *CHEST_LEFT]
    assert results.ways["offline"]["0.5-40"].mean_r == pytest.approx(
        np.mean([r[lead] for lead in CHEST_LEFT]), abs=1e-4
    )


def test_a_record_is_left_out_of_what_it_lacks(tmp_path: Path, exported: Path) -> None:
    folder = folder_of(tmp_path, whole=piece(0))
    alone = evaluate(I_II_V4, records=folder, model=exported)
    for name, leads in (
        ("no_v1_v6", ("I", "II", "V2", "V3", "V4", "V5")),
        ("no_v4", ("I", "II", "V1", "V2", "V3", "V5", "V6")),
        ("no_ii", ("I", "V1", "V4")),
        ("only_in", I_II_V4),
    ):
        write_record(folder / name, piece(1)[[INDEX[lead] for lead in leads]].T, leads)
    results = evaluate(I_II_V4, records=folder, model=exported)
    assert results.n_records == 2
    counts = {lead: each.n for lead, each in leads_of(results).items()}
    assert counts == {"V1": 1, "V2": 2, "V3": 2, "V5": 2, "V6": 1}
    for lead in ("V1", "V6"):
        assert chest_r(results)[lead] == chest_r(alone)[lead]


def test_a_gap_is_no_signal(tmp_path: Path, exported: Path) -> None:
    gap = piece(0)
    gap[INDEX["V1"], 2000:2100] = np.nan
    both = piece(1)
    both[[INDEX[lead] for lead in (*LEADS[:6], "V4")], 3000:3050] = np.nan
    results = evaluate(I_II_V4, records=folder_of(tmp_path, gap=gap, both=both), model=exported)
    leads = leads_of(results)
    # Where nothing came in nothing is estimated: such a lead is left out and counted, V1 of the other is not there.
    assert (leads["V1"].n, leads["V1"].left_out) == (0, 1)
    assert (leads["V2"].n, leads["V2"].left_out) == (1, 1)
    assert results.exact.measured_max_abs_mv == 0


def test_what_never_settles_a_second_is_left_out_and_counted(tmp_path: Path, exported: Path) -> None:
    records = folder_of(tmp_path, a=piece(0), short=piece(0)[:, :520])
    results = evaluate(I_II_V4, records=records, model=exported)
    counts = {way: [(each.n, each.left_out) for each in leads_of(results, way).values()] for way in WAYS}
    assert counts == {"offline": [(2, 0)] * 5, "streamed": [(1, 1)] * 5, "linear": [(2, 0)] * 5}


def test_flat_truth_is_left_out_and_counted(tmp_path: Path, exported: Path) -> None:
    flat = piece(1)
    flat[INDEX["V2"]] = 0.004
    results = evaluate(I_II_V4, records=folder_of(tmp_path, a=piece(0), b=flat), model=exported)
    alone = evaluate(I_II_V4, records=folder_of(tmp_path / "one", a=piece(0)), model=exported)
    for way in WAYS:
        leads = leads_of(results, way)
        assert (leads["V2"].n, leads["V2"].left_out) == (1, 1)
        assert (leads["V1"].n, leads["V1"].left_out) == (2, 0)
        assert leads["V2"].r == leads_of(alone, way)["V2"].r


def test_the_segments_of_a_record_are_none_of_their_own(tmp_path: Path, exported: Path) -> None:
    folder = folder_of(tmp_path, m_0001=piece(0)[:, :2500], m_0002=piece(0)[:, 2500:])
    (folder / "m.hea").write_text("m/2 12 500 5000\nm_0001 2500\nm_0002 2500\n")
    results = evaluate(I_II_V4, records=folder, model=exported)
    assert results.n_records == 1
    alone = evaluate(I_II_V4, records=folder_of(tmp_path / "one", a=piece(0)), model=exported)
    assert results.ways == alone.ways


def lost_data(folder: Path) -> None:
    (folder / "a.dat").unlink()


def cut_off(folder: Path) -> None:
    (folder / "a.dat").write_bytes((folder / "a.dat").read_bytes()[:100])


def no_header(folder: Path) -> None:
    (folder / "a.hea").write_bytes(b"\x00\xff not a header")


def empty_header(folder: Path) -> None:
    (folder / "a.hea").write_bytes(b"")


def segment_elsewhere(folder: Path) -> None:
    (folder / "m.hea").write_text("m/1 12 500 5000\n../x 5000\n")


def header_is_a_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    (folder / "a.hea").mkdir()


def no_lead(folder: Path) -> None:
    write_record(folder / "a", piece(0)[:2].T, ("PLETH", "RESP"))


def nothing_known(folder: Path) -> None:
    write_record(folder / "a", piece(0)[[INDEX["V1"], INDEX["V5"]]].T, ("V1", "V5"))


def nothing_there(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lost_data, "put it beside the header"),
        (cut_off, "cut off"),
        (no_header, "get the file again"),
        (empty_header, "get the file again"),
        (segment_elsewhere, "no file beside it; get the record again"),
        (header_is_a_folder, "give --records a folder"),
        (no_lead, "no channel is said to be a limb lead"),
        (nothing_known, "choose other --leads"),
        (nothing_there, "give --records a folder"),
        (no_folder, "give --records a folder"),
    ],
)
def test_what_cannot_be_judged_is_one_line(
    tmp_path: Path, exported: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = folder_of(tmp_path, a=piece(0))
    spoil(folder)
    with pytest.raises(SourceError, match=words) as caught:
        evaluate(I_II_V4, records=folder, model=exported)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_no_test_fold_is_one_line(tmp_path: Path, exported: Path) -> None:
    with pytest.raises(UsageError, match="ecgstream fetch ptbxl"):
        evaluate(I_II_V4, data=tmp_path / "nowhere", model=exported)
    with pytest.raises(SourceError, match="another folder"):
        evaluate(I_II_V4, data=write_ptbxl(tmp_path / "ptbxl", [1, 9]), model=exported)


@pytest.mark.parametrize(
    ("leads_in", "options", "words"),
    [
        (I_II_V4, {}, "either --data"),
        (I_II_V4, {"data": Path(), "records": Path()}, "either --data"),
        (("I", "II", *LEADS[6:]), {"records": Path()}, "nothing is left to estimate"),
        (("aVL", "III", *LEADS[6:]), {"records": Path()}, "nothing is left to estimate"),
        ((), {"records": Path()}, "nothing is left to estimate"),
    ],
)
def test_what_cannot_be_meant_is_refused(leads_in: tuple[str, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate(leads_in, **options)


def test_a_model_without_its_linear_part_is_refused(tmp_path: Path, exported: Path) -> None:
    manifest = json.loads(exported.read_text())
    del manifest["files"]["safetensors"]
    shutil.copy(exported.with_suffix(".onnx"), tmp_path)
    (tmp_path / "tiny.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="package the model anew"):
        evaluate(I_II_V4, records=tmp_path, model=tmp_path / "tiny.json")
    with pytest.raises(EcgStreamError):
        evaluate(I_II_V4, records=tmp_path, model=tmp_path / "nowhere.json")


def test_a_tally_keeps_means_medians_and_what_was_left_out() -> None:
    tally = Tally()
    truth = np.sin(np.arange(200) / 9)[None]
    for turned in (0.0, 0.5, 1.0):
        other = np.sin(np.arange(200) / 9 + turned)[None]
        tally.add(["V2"], compare(truth, other))
        tally.add(["V1"], compare(0 * truth, other))
    summary = tally.summary()
    r = [pearsonr(truth[0], np.sin(np.arange(200) / 9 + turned)).statistic for turned in (0.0, 0.5, 1.0)]
    assert list(summary.leads) == ["V1", "V2"]
    assert summary.leads["V1"] == LeadResult(0, 3)
    v2 = summary.leads["V2"]
    assert (v2.n, v2.left_out) == (3, 0)
    assert v2.r == summary.mean_r == pytest.approx(np.mean(r), abs=1e-4)
    assert v2.r_median == pytest.approx(np.median(r), abs=1e-4)
    assert v2.r_p10 == pytest.approx(np.quantile(r, 0.1), abs=1e-4)


@pytest.mark.data
def test_records_as_physionet_ships_them_are_those_of_the_fold(data_dir: Path, exported: Path) -> None:
    shipped = sorted((data_dir / "originals" / "ptbxl").rglob("*_hr.hea"))
    assert shipped
    same = 0
    for header in shipped:
        ours = next((data_dir / "ptbxl" / "records500").rglob(header.name), None)
        if ours is not None:
            same += 1
            assert np.abs(twelve(header) - twelve(ours)).max() < 2e-3  # limb leads of their own, rounded to counts
    assert same
    results = evaluate(I_II_V4, records=data_dir / "originals" / "ptbxl", model=exported)
    assert results.exact.measured_max_abs_mv == 0
    assert results.exact.computed_max_abs_mv <= 1e-6
