"""The figures as a table and as a file."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from training.tables import show, write


def figures() -> dict[str, Any]:
    """Every r another number, so that each can be found."""
    result: dict[str, Any] = {"model": "tiny", "leads_in": ["I", "II", "V4"]}
    result["n_records_by_band"] = {"0.5-40": 2198, "0.05-150": 86}
    r = 0.1
    for way in ("offline", "streamed", "linear"):
        result[way] = {}
        for band in ("0.5-40", "0.05-150"):
            leads = {lead: {"r": round(r + step / 1000, 3)} for step, lead in enumerate(("V1", "V2"), 1)}
            result[way][band] = {"mean_r": round(r, 3), "leads": leads}
            r += 0.1
    return result


def shown(some: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=160)
    show(some, console)
    text: str = console.file.getvalue()
    return text


def test_every_band_and_way_is_shown() -> None:
    text = shown(figures())
    assert "tiny from I II V4" in text
    assert "2198 at 0.5-40 Hz, 86 at 0.05-150 Hz" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["0.5-40", "offline", "0.100", "0.101", "0.102"] in rows
    assert ["0.05-150", "offline", "0.200", "0.201", "0.202"] in rows
    assert ["0.5-40", "as", "streamed", "0.300", "0.301", "0.302"] in rows
    assert ["0.05-150", "as", "streamed", "0.400", "0.401", "0.402"] in rows
    assert ["0.5-40", "linear", "model", "0.500", "0.501", "0.502"] in rows
    assert ["0.05-150", "linear", "model", "0.600", "0.601", "0.602"] in rows


def test_what_could_not_be_judged_is_blank() -> None:
    some = figures()
    some["offline"]["0.5-40"] = {"mean_r": None, "leads": {"V1": {"n": 0, "left_out": 3}, "V2": {"r": 0.7}}}
    assert ["0.5-40", "offline", "0.700"] in [line.split() for line in shown(some).splitlines()]


def test_a_lead_of_one_band_only_has_its_column() -> None:
    some = figures()
    del some["offline"]["0.5-40"]["leads"]["V2"]
    text = shown(some)
    assert "V2" in text
    assert "0.202" in text


def test_the_file_holds_all_figures_and_replaces_the_last(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    write(figures(), path)
    assert json.loads(path.read_text()) == figures()
    assert path.read_text().endswith("\n")
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_a_broken_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write({"what no JSON holds": object()}, path)
    write_text = Path.write_text

    def full(self: Path, text: str, **options: str) -> int:
        write_text(self, text[:10], **options)
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        write(figures(), path)
    assert path.read_text() == "old"
