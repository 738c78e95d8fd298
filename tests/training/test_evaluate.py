"""Judging by the protocol: the figures are its formulas, live is offline, and no folder ends in a traceback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.signal import butter, resample_poly, sosfiltfilt
from scipy.stats import pearsonr

from engine.errors import EcgStreamError, ModelError, SourceError, UsageError
from engine.leads import INDEX, LEADS, Origin
from engine.model import load
from engine.physics import LIMB_MATRIX
from engine.reconstruction import Engine
from stream.items import Block
from tests.stream.records import write_record
from tests.training.recordings import piece, write_ptbxl
from training import evaluate as judging
from training.evaluate import Exactness, Tally, evaluate, live, reconstruct, twelve
from training.pack import raise_to_500
from training.protocol import compare

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
def judged(test_fold: Path, exported: Path) -> dict[str, Any]:
    return evaluate(I_II_V4, data=test_fold, model=exported)


def given(leads_in: tuple[str, ...], truth: np.ndarray) -> np.ndarray:
    samples = np.full(truth.shape, np.nan, np.float32)
    for lead in leads_in:
        samples[INDEX[lead]] = truth[INDEX[lead]]
    return samples


def folder_of(tmp_path: Path, **records: np.ndarray) -> Path:
    """A folder of twelve-lead records at 500 Hz, (12, n) in mV each."""
    folder = tmp_path / "records"
    folder.mkdir(parents=True)
    for name, samples in records.items():
        write_record(folder / name, samples.T, LEADS)
    return folder


def chest_r(figures: dict[str, Any], way: str = "offline", band: str = "0.5-40") -> dict[str, float]:
    return {lead: each["r"] for lead, each in figures[way][band]["leads"].items()}


def test_the_shipped_model_on_the_test_fold(test_fold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "HOP_CHECKS", 0)  # a second each; below the small model is held to it
    figures = evaluate(I_II_V4, data=test_fold)
    assert_whole(figures)
    assert figures["model"].startswith("ecgstream-")


def test_the_figures_are_all_there(judged: dict[str, Any]) -> None:
    assert_whole(judged)
    assert judged["model"] == "tiny"
    assert judged["look_ahead_ms"] == 2 * 39
    for band in ("0.5-40", "0.05-150"):  # the streamed figures lack only the newest tenth of a second
        assert chest_r(judged, "streamed", band) == pytest.approx(chest_r(judged, "offline", band), abs=0.02)


def assert_whole(figures: dict[str, Any]) -> None:
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert set(figures) == {
        "model", "leads_in", "n_records", "n_records_by_band", "look_ahead_ms", *WAYS, "exact", "hop_max_abs_mv",
    }  # fmt: skip
    assert figures["leads_in"] == ["I", "II", "V4"]
    assert figures["n_records"] == 3
    assert figures["n_records_by_band"] == {"0.5-40": 3, "0.05-150": 3}
    for way in WAYS:
        assert list(figures[way]) == ["0.5-40", "0.05-150"]
        for summary in figures[way].values():
            assert set(summary) == {"mean_r", "leads"}
            assert list(summary["leads"]) == CHEST_LEFT
            each = [lead["r"] for lead in summary["leads"].values()]
            assert summary["mean_r"] == pytest.approx(np.mean(each), abs=1e-4)
            for lead in summary["leads"].values():
                assert set(lead) == {"n", "left_out", "r", "r_median", "r_p10", "rmse_uv", "mae_uv", "snr_db"}
                assert (lead["n"], lead["left_out"]) == (3, 0)
    assert set(figures["exact"]) == {"measured_max_abs_mv", "computed_max_abs_mv"}
    assert figures["exact"]["measured_max_abs_mv"] == 0
    assert figures["exact"]["computed_max_abs_mv"] <= 1e-6
    assert figures["hop_max_abs_mv"] < 1e-4


def protocol_band(band: str, x: np.ndarray) -> np.ndarray:
    """As docs/design.md has it."""
    (high, order), (low, low_order) = {"0.5-40": ((0.5, 3), (40, 3)), "0.05-150": ((0.05, 1), (150, 4))}[band]
    x = sosfiltfilt(butter(order, high, "highpass", fs=500, output="sos"), x)
    return np.asarray(sosfiltfilt(butter(low_order, low, "lowpass", fs=500, output="sos"), x))


@pytest.mark.parametrize(("band", "rate"), [("0.5-40", 100), ("0.05-150", 500)])
def test_the_figures_are_the_protocols(judged: dict[str, Any], exported: Path, band: str, rate: int) -> None:
    """From the pieces themselves, with nothing of `training` but the model."""
    engine = load(exported)
    linear = load_file(exported.with_suffix(".safetensors"))["linear"][0b00100011]
    rows = [INDEX[lead] for lead in CHEST_LEFT]
    eight = [0, 1, *range(6, 12)]
    values: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in (0, 2, 4):
        counts = np.rint(1000 * resample_poly(piece(number), rate, 500, axis=1))
        truth = resample_poly(counts / 1000, 500 // rate, 1, axis=1)
        samples = given(I_II_V4, truth)
        offline = engine.estimate(samples, 5000).leads
        by_linear = linear.astype(float) @ np.nan_to_num(samples)[eight]
        settled = slice(0, 5000 - engine.look_ahead)
        for way, estimate, shown in (
            ("offline", offline[rows], slice(None)),
            ("streamed", offline[rows, settled], settled),
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
            figures = judged[way][band]["leads"][lead]
            got = [figures[name] for name in ("r", "rmse_uv", "mae_uv", "snr_db")]
            assert got == pytest.approx(means[:, column], rel=2e-3, abs=2e-4)
            assert figures["r_median"] == pytest.approx(medians[column], abs=2e-4)


def test_a_model_that_sees_further_back_than_it_says_is_found_out(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(exported)
    engine.left_context = 0
    monkeypatch.setattr(judging, "load", lambda _: engine)
    figures = evaluate(I_II_V4, records=folder_of(tmp_path, a=piece(0)), model=exported)
    assert figures["hop_max_abs_mv"] > 1e-3


def test_what_is_not_exact_is_found_out() -> None:
    samples = given(("I", "II"), piece(0)[:, :100])
    leads = piece(0)[:, :100].astype(np.float32)
    origin = np.repeat([[Origin.MEASURED]] * 2 + [[Origin.COMPUTED]] * 4 + [[Origin.ESTIMATED]] * 6, 90, axis=1)
    leads[:6] = LIMB_MATRIX @ leads[:2]
    for row, by, measured, computed in ((1, 0.5, 0.5, 0.5), (4, -0.25, 0, 0.25), (8, 3, 0, 0)):
        strayed = leads.copy()
        strayed[row, 40] += by
        exactness = Exactness()
        for shown in (strayed, leads):  # the worst is kept
            exactness.add(samples, Block(10, shown[:, 10:], 0 * shown[:, 10:], origin.astype(np.uint8)))
        assert exactness.measured == pytest.approx(measured, abs=1e-6)
        assert exactness.computed == pytest.approx(computed, abs=1e-6)


@pytest.fixture(scope="module", params=["tiny", "shipped"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return load(request.getfixturevalue("exported") if request.param == "tiny" else None)


@pytest.mark.parametrize("length", [5000, 5003, 700])
def test_offline_and_live_are_one(engine: Engine, length: int) -> None:
    samples = given(I_II_V4, np.concatenate([piece(0), piece(1)], axis=1)[:, :length])
    offline, hurried = reconstruct(engine, samples), live(engine, samples, hurried=True)
    assert (offline.start, offline.end) == (0, length)
    assert (hurried.start, hurried.end) == (0, length // engine.stride * engine.stride - engine.look_ahead)
    shown = slice(0, hurried.end)
    assert np.abs(offline.leads[:, shown] - hurried.leads).max() < 1e-4
    assert np.array_equal(offline.origin[:, shown], hurried.origin)
    if length == 700:
        steady = live(engine, samples)
        assert steady.end == hurried.end
        assert np.abs(steady.leads - hurried.leads).max() < 1e-4


def test_a_long_recording_is_estimated_in_stretches(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load(exported)
    samples = given(I_II_V4, np.concatenate([piece(0), piece(1)], axis=1))
    whole = reconstruct(engine, samples)
    monkeypatch.setattr(judging, "OFFLINE_HOP", 900)
    longest, estimate = [0], engine.estimate

    def watched(frame: np.ndarray, keep: int) -> Any:
        longest[0] = max(longest[0], frame.shape[1])
        return estimate(frame, keep)

    monkeypatch.setattr(engine, "estimate", watched)
    stretches = reconstruct(engine, samples)
    assert stretches.end == whole.end == 10_000
    assert np.abs(stretches.leads - whole.leads).max() < 1e-4
    assert longest[0] < 900 + engine.left_context + 100


def test_a_lead_that_stands_still_is_off_in_both_ways(engine: Engine) -> None:
    samples = given(I_II_V4, piece(0))
    samples[INDEX["V4"], 1000:] = 0.5
    for block in (reconstruct(engine, samples), live(engine, samples, hurried=True)):
        assert (block.origin[INDEX["V4"], :1400] == Origin.MEASURED).all()
        assert (block.origin[INDEX["V4"], 1600:] == Origin.ESTIMATED).all()


@pytest.mark.parametrize("rate", [250, 257.3, 360, 1000])
def test_records_of_any_rate_are_brought_to_500_hz(tmp_path: Path, exported: Path, rate: float) -> None:
    samples = raise_to_500(np.concatenate([piece(0), piece(1)], axis=1), 500**2 / rate)[:, : round(10 * rate)]
    write_record(tmp_path / "a", samples.T, LEADS, rate=rate)
    truth = twelve(tmp_path / "a")
    assert truth.shape[1] == pytest.approx(5000, abs=2)
    inner = slice(200, 4800)
    assert np.abs(truth[:, inner] - piece(0)[:, inner]).max() < 0.05
    figures = evaluate(I_II_V4, records=tmp_path, model=exported)
    assert figures["n_records_by_band"] == {"0.5-40": 1, "0.05-150": int(rate >= 500)}
    assert ("0.05-150" in figures["offline"]) == (rate >= 500)
    assert figures["exact"]["measured_max_abs_mv"] == 0
    (tmp_path / "reference").mkdir()
    write_record(tmp_path / "reference" / "a", piece(0).T, LEADS)
    reference = evaluate(I_II_V4, records=tmp_path / "reference", model=exported)
    assert chest_r(figures) == pytest.approx(chest_r(reference), abs=0.02)


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
    assert augmented["leads_in"] == ["aVR", "aVF", "V4"]
    assert chest_r(augmented) == pytest.approx(chest_r(whole), abs=1e-3)
    assert augmented["exact"]["measured_max_abs_mv"] == 0
    assert augmented["exact"]["computed_max_abs_mv"] <= 2e-6


def test_with_one_limb_lead_the_others_are_estimated_and_judged(tmp_path: Path, exported: Path) -> None:
    figures = evaluate(("II", "V4"), records=folder_of(tmp_path, a=piece(0)), model=exported)
    summary = figures["offline"]["0.5-40"]
    assert list(summary["leads"]) == ["I", "III", "aVR", "aVL", "aVF", *CHEST_LEFT]
    assert summary["mean_r"] == pytest.approx(np.mean([summary["leads"][lead]["r"] for lead in CHEST_LEFT]), abs=1e-4)


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
    figures = evaluate(I_II_V4, records=folder, model=exported)
    assert figures["n_records"] == 2
    counts = {lead: each["n"] for lead, each in figures["offline"]["0.5-40"]["leads"].items()}
    assert counts == {"V1": 1, "V2": 2, "V3": 2, "V5": 2, "V6": 1}
    for lead in ("V1", "V6"):
        assert chest_r(figures)[lead] == chest_r(alone)[lead]


def test_a_gap_is_no_signal(tmp_path: Path, exported: Path) -> None:
    gap = piece(0)
    gap[INDEX["V1"], 2000:2100] = np.nan
    both = piece(1)
    both[[INDEX[lead] for lead in (*LEADS[:6], "V4")], 3000:3050] = np.nan
    figures = evaluate(I_II_V4, records=folder_of(tmp_path, gap=gap, both=both), model=exported)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    leads = figures["offline"]["0.5-40"]["leads"]
    # Where nothing came in nothing is estimated: such a lead is left out and counted, V1 of the other is not there.
    assert (leads["V1"]["n"], leads["V1"]["left_out"]) == (0, 1)
    assert (leads["V2"]["n"], leads["V2"]["left_out"]) == (1, 1)
    assert figures["exact"]["measured_max_abs_mv"] == 0


def test_flat_truth_is_left_out_and_counted(tmp_path: Path, exported: Path) -> None:
    flat = piece(1)
    flat[INDEX["V2"]] = 0.004
    figures = evaluate(I_II_V4, records=folder_of(tmp_path, a=piece(0), b=flat), model=exported)
    alone = evaluate(I_II_V4, records=folder_of(tmp_path / "one", a=piece(0)), model=exported)
    for way in WAYS:
        leads = figures[way]["0.5-40"]["leads"]
        assert (leads["V2"]["n"], leads["V2"]["left_out"]) == (1, 1)
        assert (leads["V1"]["n"], leads["V1"]["left_out"]) == (2, 0)
        assert leads["V2"]["r"] == alone[way]["0.5-40"]["leads"]["V2"]["r"]


def test_the_segments_of_a_record_are_none_of_their_own(tmp_path: Path, exported: Path) -> None:
    folder = folder_of(tmp_path, m_0001=piece(0)[:, :2500], m_0002=piece(0)[:, 2500:])
    (folder / "m.hea").write_text("m/2 12 500 5000\nm_0001 2500\nm_0002 2500\n")
    figures = evaluate(I_II_V4, records=folder, model=exported)
    assert figures["n_records"] == 1
    alone = evaluate(I_II_V4, records=folder_of(tmp_path / "one", a=piece(0)), model=exported)
    assert {way: figures[way] for way in WAYS} == {way: alone[way] for way in WAYS}


def lost_data(folder: Path) -> None:
    (folder / "a.dat").unlink()


def cut_off(folder: Path) -> None:
    (folder / "a.dat").write_bytes((folder / "a.dat").read_bytes()[:100])


def no_header(folder: Path) -> None:
    (folder / "a.hea").write_bytes(b"\x00\xff not a header")


def empty_header(folder: Path) -> None:
    (folder / "a.hea").write_bytes(b"")


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
        (no_lead, "map one"),
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
def test_what_cannot_be_meant_is_refused(leads_in: tuple[str, ...], options: dict[str, Path], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate(leads_in, **options)


def test_a_model_without_its_linear_part_is_refused(tmp_path: Path, exported: Path) -> None:
    manifest = json.loads(exported.read_text())
    del manifest["files"]["safetensors"]
    shutil.copy(exported.with_suffix(".onnx"), tmp_path)
    (tmp_path / "tiny.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="export the model anew"):
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
    summary: Any = tally.summary()
    r = [pearsonr(truth[0], np.sin(np.arange(200) / 9 + turned)).statistic for turned in (0.0, 0.5, 1.0)]
    assert list(summary["leads"]) == ["V1", "V2"]
    assert summary["leads"]["V1"] == {"n": 0, "left_out": 3}
    v2 = summary["leads"]["V2"]
    assert [v2[name] for name in ("n", "left_out")] == [3, 0]
    assert v2["r"] == summary["mean_r"] == pytest.approx(np.mean(r), abs=1e-4)
    assert v2["r_median"] == pytest.approx(np.median(r), abs=1e-4)
    assert v2["r_p10"] == pytest.approx(np.quantile(r, 0.1), abs=1e-4)


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
    figures = evaluate(I_II_V4, records=data_dir / "originals" / "ptbxl", model=exported)
    assert figures["exact"]["measured_max_abs_mv"] == 0
    assert figures["exact"]["computed_max_abs_mv"] <= 1e-6
