"""A model on disk: loaded whole or refused in one line."""

import json
import shutil
from pathlib import Path

import pytest

from engine import model as models
from engine.errors import ModelError, UsageError
from engine.model import DEFAULT, MODELS, load, load_manifest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model: the path of its manifest."""
    folder = tmp_path / "models"
    folder.mkdir()
    for file in MODELS.glob(f"{DEFAULT}.*"):
        shutil.copy(file, folder)
    return folder / f"{DEFAULT}.json"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_shipped_model_is_small_enough() -> None:
    assert sum(file.stat().st_size for file in MODELS.glob(f"{DEFAULT}.*")) <= 8_000_000


def test_a_manifest_or_its_folder(model: Path) -> None:
    assert load_manifest(model)[0] == load_manifest(model.parent)[0] == load_manifest()[0]


def test_another_model_beside_the_default_changes_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(model, model.with_name("another.json"))
    edit(model.with_name("another.json"), name="another")
    monkeypatch.setattr(models, "MODELS", model.parent)
    assert load_manifest()[1] == model
    assert load().name == DEFAULT
    assert load(model.with_name("another.json")).name == "another"
    with pytest.raises(ModelError, match=r"2 manifests, not one; name the \.json"):
        load(model.parent)


def test_the_default_model_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MODELS", tmp_path)
    with pytest.raises(ModelError, match=rf"{DEFAULT}\.json"):
        load()


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_a_damaged_file_is_refused(model: Path, backend: str) -> None:
    suffix = {"onnx": ".onnx", "torch": ".safetensors"}[backend]
    file = model.with_suffix(suffix)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load(model, backend)


@pytest.mark.parametrize(
    "changes",
    [{"format": 2}, {"rate": 250}, {"leads": ["I"]}, {"look_ahead": 51}, {"stride": 0}, {"unknown": 1}, {"files": 3}],
)
def test_a_manifest_that_does_not_match_is_refused(model: Path, changes: dict[str, object]) -> None:
    edit(model, **changes)
    with pytest.raises(ModelError, match=model.name):
        load(model)


def test_another_models_weights_are_refused(model: Path) -> None:
    files = json.loads(model.read_text())["files"]
    files["onnx"], files["safetensors"] = files["safetensors"], files["onnx"]
    edit(model, files=files)
    for backend in ("onnx", "torch"):
        with pytest.raises(ModelError, match="package the model anew"):
            load(model, backend)


def test_weights_of_another_shape_are_refused(model: Path) -> None:
    shape = json.loads(model.read_text())["shape"]
    edit(model, shape=shape | {"widths": [8, 8, 8, 8]})
    with pytest.raises(ModelError, match="does not fit its manifest"):
        load(model, "torch")


def test_missing_files_and_folders(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read"):
        load(tmp_path / "none.json")
    with pytest.raises(ModelError, match="0 manifests"):
        load(tmp_path)
    model.with_suffix(".onnx").unlink()
    with pytest.raises(ModelError, match="missing"):
        load(model)


def test_an_unknown_backend() -> None:
    with pytest.raises(UsageError, match="onnx, torch"):
        load(backend="abacus")


@pytest.mark.parametrize("threads", [0, -1])
@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_fewer_than_one_thread(backend: str, threads: int) -> None:
    with pytest.raises(UsageError, match=rf"--threads {threads}\b"):
        load(backend=backend, threads=threads)
