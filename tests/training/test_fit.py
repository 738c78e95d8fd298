"""A small but real fit: what it leaves, that a broken one goes on to the same end, and what it refuses."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from engine.backends.network import Network, Shape
from engine.errors import SourceError, UsageError
from engine.leads import INDEPENDENT
from tests.training.conftest import SIX_STEPS, TINY
from tests.training.recordings import write_ptbxl
from training import fit as fitting
from training.augment import augment
from training.fit import SCORED_SETS, Begun, Result, Settings, _draw, _schedule, fit, mean_r
from training.pack import Pack


def log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def assert_same(one: Any, other: Any) -> None:
    """Equal to the bit, however deep."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for each, its in zip(one, other, strict=True):
            assert_same(each, its)
    else:
        assert one == other


def test_it_leaves_weights_a_log_and_a_result(fitted: Path) -> None:
    result = msgspec.json.decode((fitted / "result.json").read_bytes(), type=Result)
    assert Shape.of(result.shape) == TINY
    assert result.training["recordings"] == {"ptbxl": 5}  # nothing of fold 9 or 10
    assert result.training["folds"] == list(range(1, 9))
    assert result.training["chosen_on_fold"] == 9
    assert msgspec.convert(result.training["settings"], Settings) == SIX_STEPS
    scores = result.scores["mean_r"]
    assert isinstance(scores, dict)
    assert set(scores) == set(SCORED_SETS)
    assert all(-1 <= score <= 1 for score in scores.values())
    network = Network(TINY)
    network.load_state_dict(torch.load(fitted / "best.pt", weights_only=True))
    assert network.linear.any()
    assert (network.sigma > 0).all()
    assert [line["step"] for line in log(fitted)] == [2, 4, 6]
    begun = msgspec.json.decode((fitted / "run.json").read_bytes(), type=Begun)
    assert (begun.settings, Shape.of(begun.shape)) == (SIX_STEPS, TINY)
    names = ["best.pt", "last.pt", "log.jsonl", "result.json", "run.json"]
    assert sorted(path.name for path in fitted.iterdir()) == names


def test_the_best_look_at_fold_9_is_what_is_kept(fitted: Path) -> None:
    scores = [line["fold9_r"] for line in log(fitted)]
    saved = torch.load(fitted / "last.pt", weights_only=True)
    assert round(saved["best_r"], 4) == max(scores)
    assert saved["step"] == 6


@pytest.mark.parametrize("steps_done", [1, 4, 5])
def test_a_broken_fit_goes_on_to_the_same_weights(
    ptbxl_folder: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch, steps_done: int
) -> None:
    out = fitted.parent / f"broken-{steps_done}"
    calls = [0]

    def broken(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > steps_done:
            raise KeyboardInterrupt
        return augment(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(fitting, "augment", broken)
        with pytest.raises(KeyboardInterrupt):
            fit(ptbxl_folder, out, SIX_STEPS, TINY)
    assert not (out / "result.json").exists()
    fit(ptbxl_folder, out, SIX_STEPS, TINY)
    for name in ("best.pt", "last.pt"):
        one, other = (torch.load(run / name, weights_only=True) for run in (fitted, out))
        assert_same(one, other)
    assert (out / "result.json").read_bytes() == (fitted / "result.json").read_bytes()
    one, other = ([line | {"minutes_left": 0} for line in log(run)] for run in (fitted, out))
    assert one == other


@pytest.mark.parametrize("broken_at_look", [0, 3])
def test_what_was_best_is_kept_however_the_fit_goes_on(
    ptbxl_folder: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch, broken_at_look: int
) -> None:
    out = fitted.parent / f"falling-{broken_at_look}"
    looked_at: list[dict[str, torch.Tensor]] = []

    def falling(network: Network, *_: object) -> float:
        looked_at.append({name: value.clone() for name, value in network.state_dict().items()})
        if len(looked_at) == broken_at_look:
            raise KeyboardInterrupt
        return 0.9 - 0.1 * len(looked_at)

    monkeypatch.setattr(fitting, "mean_r", falling)
    if broken_at_look:
        with pytest.raises(KeyboardInterrupt):
            fit(ptbxl_folder, out, SIX_STEPS, TINY)
    fit(ptbxl_folder, out, SIX_STEPS, TINY)
    best = torch.load(out / "best.pt", weights_only=True)
    assert_same({**best, "interval_scale": None}, {**looked_at[0], "interval_scale": None})
    last = torch.load(out / "last.pt", weights_only=True)["average"]
    assert any(not torch.equal(best[name], last[f"module.{name}"]) for name in best)


def refused(data: Path, out: Path, settings: Settings, shape: Shape | None, words: str) -> None:
    """It does not go on, says why in one line, and touches nothing."""
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UsageError, match=words) as caught:
        fit(data, out, settings, shape)
    assert str(out) in str(caught.value)
    assert "choose another --out" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_other_settings_in_the_same_folder_are_refused(ptbxl_folder: Path, fitted: Path) -> None:
    other = msgspec.structs.replace(SIX_STEPS, seed=2)
    refused(ptbxl_folder, fitted, other, TINY, r"begun with seed 1 \(now 2\);")


def test_another_shape_in_the_same_folder_is_refused(ptbxl_folder: Path, fitted: Path) -> None:
    other = replace(TINY, widths=(4, 7), delay=6)
    words = r"begun with the shape's widths \[4, 6\] \(now \[4, 7\]\), the shape's delay 7 \(now 6\);"
    refused(ptbxl_folder, fitted, SIX_STEPS, other, words)


@pytest.mark.parametrize(
    ("changed", "words"), [("00003", "begun with other recordings to learn from;"), ("00006", "recordings of fold 9;")]
)
def test_other_recordings_for_the_same_folder_are_refused(
    ptbxl_folder: Path, fitted: Path, tmp_path: Path, changed: str, words: str
) -> None:
    data, out = tmp_path / "ptbxl", tmp_path / "run"
    shutil.copytree(ptbxl_folder, data)
    shutil.copytree(fitted, out)
    fit(data, out, SIX_STEPS, TINY)  # the same recordings lie elsewhere: that is no matter
    file = next(data.rglob(f"{changed}_lr.dat"))
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    refused(data, out, SIX_STEPS, TINY, words)


def test_a_run_that_does_not_say_what_it_was_begun_with_is_refused(
    ptbxl_folder: Path, fitted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(fitted, out)
    for content in (b"{", b'{"settings": {}}'):
        (out / "run.json").write_bytes(content)
        refused(ptbxl_folder, out, SIX_STEPS, TINY, "does not say what that run was begun with")
    (out / "run.json").unlink()
    for name in ("last.pt", "result.json"):  # one sign of a run is enough
        refused(ptbxl_folder, out, SIX_STEPS, TINY, "does not say what that run was begun with")
        (out / name).unlink()


def test_what_failed_before_anything_was_learnt_binds_nobody(ptbxl_folder: Path, tmp_path: Path) -> None:
    out, one_step = tmp_path / "run", msgspec.structs.replace(SIX_STEPS, steps=1)
    nothing = write_ptbxl(tmp_path / "nothing", [])
    with pytest.raises(SourceError, match="check --data"):
        fit(nothing, out, one_step, TINY)
    fit(ptbxl_folder, out, msgspec.structs.replace(one_step, seed=2), TINY)
    assert (out / "result.json").is_file()


def test_without_ptbxl_nothing_is_begun(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ecgstream fetch ptbxl"):
        fit(tmp_path, tmp_path / "runs" / "a", SIX_STEPS, TINY)
    assert not list(tmp_path.iterdir())


def test_an_out_that_cannot_be_a_folder_is_refused(ptbxl_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot make the folder"):
        fit(ptbxl_folder, tmp_path / "file" / "a", SIX_STEPS, TINY)


def test_a_fit_that_never_gets_better_than_nothing_still_ends(
    ptbxl_folder: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "mean_r", lambda *_: -0.5)
    out = fitted.parent / "poor"
    fit(ptbxl_folder, out, msgspec.structs.replace(SIX_STEPS, steps=1), TINY)
    assert (out / "result.json").is_file()


def test_each_recording_is_drawn_once_an_epoch_in_another_order() -> None:
    count = 7
    pieces = np.arange(count, dtype=np.int16)[:, None, None].repeat(8, axis=1)
    settings = msgspec.structs.replace(SIX_STEPS, batch=3)
    drawn = []
    for step in range(2 * count):
        signal, target, held = _draw(Pack(pieces, pieces, np.ones((count, 8), bool)), step, settings)
        assert torch.equal(signal, target)
        assert held.shape == (3, 8)
        drawn += (1000 * signal[:, 0, 0]).round().int().tolist()
    epochs = [drawn[start : start + count] for start in range(0, len(drawn), count)]
    assert all(Counter(epoch) == Counter(range(count)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_the_rate_rises_to_its_peak_and_falls_as_a_cosine() -> None:
    rates = [_schedule(step / 1000) for step in range(1000)]
    top = int(np.argmax(rates))
    assert top == 50
    assert rates[top] == pytest.approx(1, abs=2e-3)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert 0 < rates[-1] < 0.01


def test_a_look_gives_no_lead_that_a_recording_lacks() -> None:
    """Nor counts it: what such a lead would be is no matter."""
    seen = []

    class Watching(Network):
        def estimate(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.append(mask[:, :, 0])
            return super().estimate(x, mask)

    pieces = np.random.default_rng(1).integers(-500, 500, (4, 8, 5000)).astype(np.int16)
    held = np.ones((4, 8), bool)
    held[1, INDEPENDENT.index("V4")] = held[2, INDEPENDENT.index("V1")] = False
    pieces[~held] = 0
    score = mean_r(Watching(TINY), Pack(pieces, pieces, held), SIX_STEPS, ("I", "II", "V4"))
    assert np.isfinite(score)
    given = torch.zeros(4, 8)
    given[:, [INDEPENDENT.index(lead) for lead in ("I", "II", "V4")]] = 1
    given[1, INDEPENDENT.index("V4")] = 0
    assert torch.equal(torch.cat(seen), given)
