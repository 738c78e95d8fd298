"""A run made into a model: the files vouch for each other, and ONNX Runtime gives what torch gives."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from engine.backends.network import Network
from engine.errors import UsageError
from engine.leads import INDEPENDENT
from engine.model import MODELS, load, load_manifest
from tests.training.conftest import TINY
from training import export as exporting
from training.export import export
from training.fit import Result


def some_leads(batch: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """A few mV with offsets, and for each recording a set of leads of its own that comes and goes."""
    rng = np.random.default_rng(batch * length)
    shape = (batch, len(INDEPENDENT), length)
    x = 0.1 * np.cumsum(rng.standard_normal(shape, np.float32), axis=2) + rng.uniform(-1, 1, (*shape[:2], 1))
    mask = np.repeat(rng.random((*shape[:2], length // 5)) < 0.6, 5, axis=2)
    return (x * mask).astype(np.float32), mask.astype(np.float32)


def test_the_manifest_says_what_the_network_is(exported: Path, fitted: Path) -> None:
    manifest, path = load_manifest(exported.parent)
    assert path == exported
    assert sorted(each.name for each in exported.parent.iterdir()) == ["tiny.json", "tiny.onnx", "tiny.safetensors"]
    assert (manifest.name, manifest.leads) == ("tiny", INDEPENDENT)
    assert manifest.stride == TINY.stride
    assert manifest.look_ahead == TINY.look_ahead
    assert manifest.left_context == TINY.left_context
    assert manifest.parameters == sum(each.numel() for each in Network(TINY).parameters())
    result = msgspec.json.decode((fitted / "result.json").read_bytes(), type=Result)
    assert (manifest.shape, manifest.training, manifest.scores) == (result.shape, result.training, result.scores)


def test_every_file_is_read_by_all_who_read_the_manifest(exported: Path) -> None:
    modes = {each.stat().st_mode for each in exported.parent.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("blocks", [2, 3, 17, 500])
def test_onnx_runtime_gives_what_torch_gives(exported: Path, fitted: Path, batch: int, blocks: int) -> None:
    network = Network(TINY).eval()
    network.load_state_dict(torch.load(fitted / "best.pt", weights_only=True))
    x, mask = some_leads(batch, blocks * TINY.stride)
    with torch.inference_mode():
        leads, interval = (each.numpy() for each in network(torch.from_numpy(x), torch.from_numpy(mask)))
    for backend in ("onnx", "torch"):
        got_leads, got_interval = load(exported, backend)._backend.run(x, mask)
        assert got_leads.shape == leads.shape
        assert np.abs(got_leads - leads).max() < 1e-5
        assert np.abs(got_interval - interval).max() < 1e-5
    assert leads.std() > 0.1
    assert interval.std() > 0.001


def test_a_run_that_has_not_ended_is_refused(fitted: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(fitted, run, ignore=shutil.ignore_patterns("result.json"))
    with pytest.raises(UsageError, match="no run that has ended"):
        export(run, tmp_path / "models", "tiny")
    assert not (tmp_path / "models").exists()


def test_no_model_tells_where_it_was_made(exported: Path) -> None:
    for path in (exported.with_suffix(".onnx"), MODELS / "ecgstream-1.onnx"):
        content = path.read_bytes()
        assert str(Path(exporting.__file__).parent).encode() not in content
        assert b".py" not in content


@pytest.mark.parametrize("failing", ["write_onnx", "save_file"])
def test_a_failure_leaves_what_was_there(
    exported: Path, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(exported.parent, folder)
    before = {each: each.read_bytes() for each in folder.iterdir()}

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(exporting, "write_onnx", lambda _, path: path.write_bytes(b"whole"))
    monkeypatch.setattr(exporting, failing, full)
    with pytest.raises(OSError, match="no space left"):
        export(fitted, folder, "tiny")
    assert {each: each.read_bytes() for each in folder.iterdir()} == before
    with pytest.raises(OSError, match="no space left"):
        export(fitted, folder, "other")
    assert {each: each.read_bytes() for each in folder.iterdir()} == before


def test_the_run_s_own_folder_is_refused(fitted: Path) -> None:
    before = {path: path.read_bytes() for path in fitted.iterdir()}
    with pytest.raises(UsageError, match="the run's own folder"):
        export(fitted, fitted, "run")
    assert {path: path.read_bytes() for path in fitted.iterdir()} == before
