"""The documents say what the files say, and the files what the shipped model does."""

import json
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.model import load_manifest
from tools import tables
from tools.tables import DOCUMENTS, RESULTS, ROOT, all_results, fill
from training.tables import read, write

FILES = sorted(RESULTS.glob("*.json"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_figure_in_the_docs_is_in_its_file(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- /" in text
    assert fill(text) == text, "type: .venv/bin/python -m tools.tables"


def test_there_is_a_file_for_each_set() -> None:
    assert len(FILES) == 6
    assert {path.stem: ",".join(read(path).leads_in) for path in FILES} == {path.stem: path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_result_is_the_shipped_models(path: Path) -> None:
    manifest, _ = load_manifest()
    results = read(path)
    model = (results.model, results.model_sha256)
    assert model == (manifest.name, manifest.files["onnx"].sha256), "the model is another: type: make results"


def test_a_file_of_another_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    write(read(FILES[0]), tmp_path / "I,II.json")
    assert list(all_results()) == ["I,II"]
    content = json.loads((tmp_path / "I,II.json").read_text())
    del content["model_sha256"]
    (tmp_path / "I,II.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"I,II\.json holds no results .*model_sha256"):
        all_results()


def test_filling_replaces_a_document_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- EXACTNESS -->\nold\n<!-- /EXACTNESS -->\nafter\n")
    monkeypatch.setattr(tables, "DOCUMENTS", (str(page),))  # joined to ROOT an absolute path stays what it is
    tables.main()
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "| measured leads, out against in | 0 |" in lines
    assert list(tmp_path.iterdir()) == [page]
