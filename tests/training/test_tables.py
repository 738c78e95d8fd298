"""The results as a table and as a file."""

import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from engine.errors import UsageError
from training.results import BandResult, Exact, LeadResult, Results
from training.tables import read, show, write

BANDS = ("0.5-40", "0.05-150")


def some_results() -> Results:
    """Every r another number, so that each can be found."""
    ways: dict[str, dict[str, BandResult]] = {}
    r = 0.1
    for way in ("offline", "streamed", "linear"):
        ways[way] = {}
        for band in BANDS:
            leads = {lead: LeadResult(7, 0, r=round(r + step / 1000, 3)) for step, lead in enumerate(("V1", "V2"), 1)}
            ways[way][band] = BandResult(round(r, 3), leads)
            r += 0.1
    return Results(
        model="tiny",
        model_sha256="ab",
        leads_in=("I", "II", "V4"),
        n_records=2198,
        n_records_by_band={"0.5-40": 2198, "0.05-150": 86},
        look_ahead_ms=98.0,
        ways=ways,
        exact=Exact(0.0, 1e-7),
        hop_max_abs_mv=3e-7,
    )


def with_offline(band: str, result: BandResult) -> Results:
    """The same with other figures of one band."""
    results = some_results()
    return replace(results, ways=results.ways | {"offline": results.ways["offline"] | {band: result}})


def shown(results: Results) -> str:
    file = io.StringIO()
    show(results, Console(file=file, width=160))
    return file.getvalue()


def test_every_band_and_way_is_shown() -> None:
    text = shown(some_results())
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
    some = with_offline("0.5-40", BandResult(None, {"V1": LeadResult(0, 3), "V2": LeadResult(1, 0, r=0.7)}))
    assert ["0.5-40", "offline", "0.700"] in [line.split() for line in shown(some).splitlines()]


def test_a_lead_of_one_band_only_has_its_column() -> None:
    text = shown(with_offline("0.5-40", BandResult(0.1, {"V1": LeadResult(1, 0, r=0.101)})))
    assert "V2" in text
    assert "0.202" in text


def test_the_file_holds_all_results_and_replaces_the_last(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "out.json"
    for _ in range(2):
        write(some_results(), path)
        assert read(path) == some_results()
    assert path.read_text().endswith("}\n")
    assert [each.name for each in path.parent.iterdir()] == ["out.json"]


def test_a_broken_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    write_bytes = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        write_bytes(self, content[:10])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        write(some_results(), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": "tiny"}', "\xff"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "out.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="holds no results") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("hop_max_abs_mv", None), ("ways", {"offline": {}, "streamed": 1}), ("unheard_of", 1)]
)
def test_a_file_with_a_wrong_figure_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "out.json"
    write(some_results(), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UsageError, match=key):
        read(path)


def test_a_figure_without_end_does_not_come_back_as_a_number(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write(replace(some_results(), hop_max_abs_mv=float("inf")), path)
    with pytest.raises(UsageError, match="hop_max_abs_mv"):
        read(path)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ecgstream evaluate --json .*none\.json"):
        read(tmp_path / "none.json")
