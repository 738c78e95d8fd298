"""What is learnt from and what is judged on never meet."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.errors import SourceError, UsageError
from training.catalog import (
    TEST_FOLD,
    TRAIN_FOLDS,
    VALIDATION_FOLD,
    files,
    ptbxl,
    ptbxl_root,
    segments,
    training_entries,
)

ALL_FOLDS = frozenset(range(1, 11))


def write_headers(root: Path, records: Mapping[int, tuple[str, tuple[int, ...]]]) -> Path:
    """A PTB-XL folder with empty headers: for each number its fold, as written, and the rates that are there."""
    root.mkdir(parents=True)
    with (root / "ptbxl_database.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ecg_id", "patient_id", "report", "strat_fold", "filename_lr", "filename_hr"])
        for number, (fold, rates) in records.items():
            folder = f"{number // 1000 * 1000:05}"
            names = {100: f"records100/{folder}/{number:05}_lr", 500: f"records500/{folder}/{number:05}_hr"}
            writer.writerow([number, f"{number}.0", 'sinus, "normal"\nÄrzte', fold, names[100], names[500]])
            for rate in rates:
                header = (root / names[rate]).with_suffix(".hea")
                header.parent.mkdir(parents=True, exist_ok=True)
                header.touch()
    return root


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize("inside", ["", "ptbxl"])
def test_the_folder_itself_or_the_one_that_holds_it(tmp_path: Path, inside: str) -> None:
    data = tmp_path / "data"
    root = write_headers(data / inside, {1: ("3", (100, 500)), 1002: ("10", (100,)), 3: ("9.0", (500,)), 4: ("1", ())})
    assert ptbxl_root(data) == root
    assert [(entry.path, entry.fold) for entry in ptbxl(data, ALL_FOLDS, 100)] == [
        (root / "records100/00000/00001_lr", 3),
        (root / "records100/01000/01002_lr", 10),
    ]
    assert [(entry.path.name, entry.fold) for entry in ptbxl(data, ALL_FOLDS, 500)] == [
        ("00001_hr", 3),
        ("00003_hr", 9),
    ]
    assert [entry.path.name for entry in ptbxl(data, frozenset({10}), 100)] == ["01002_lr"]
    assert {entry.source for entry in ptbxl(data, ALL_FOLDS, 100)} == {"ptbxl"}


def test_no_ptbxl_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ecgstream fetch ptbxl"):
        training_entries(tmp_path)


def test_only_folds_1_to_8_and_each_recording_at_one_rate(tmp_path: Path) -> None:
    records = {number: (str(1 + number % 10), ((100,), (500,), (100, 500))[number % 3]) for number in range(60)}
    root = write_headers(tmp_path / "ptbxl", records)
    entries = training_entries(root)
    numbers = Counter(int(entry.path.name.split("_")[0]) for entry in entries)
    assert set(numbers) == {number for number, (fold, _) in records.items() if int(fold) <= 8}
    assert set(numbers.values()) == {1}
    for entry in entries:
        number = int(entry.path.name.split("_")[0])
        assert entry.fold == int(records[number][0])
        assert entry.path.name.endswith("_hr") == (500 in records[number][1])


def test_the_folds_are_apart() -> None:
    assert set(TRAIN_FOLDS) | {VALIDATION_FOLD, TEST_FOLD} == set(ALL_FOLDS)
    assert not TRAIN_FOLDS & {VALIDATION_FOLD, TEST_FOLD}


def test_what_lies_beside_ptbxl_is_learnt_from_too(tmp_path: Path) -> None:
    write_headers(tmp_path / "ptbxl", {1: ("1", (100,))})
    for name in (
        "ludb/data/1.hea",
        "ludb/data/2.hea",
        "challenge/A/A0001.hea",
        "challenge/Q/Q0001.hea",
        "challenge/P/HR00001.hea",
        "other/x.hea",
    ):
        touch(tmp_path / name)
    entries = training_entries(tmp_path)
    assert Counter(entry.source for entry in entries) == {"ptbxl": 1, "ludb": 2, "challenge": 2}
    assert {entry.fold for entry in entries if entry.source != "ptbxl"} == {0}
    assert entries == training_entries(tmp_path / "ptbxl")


def test_of_cinc_2011_the_acceptable_and_each_once(tmp_path: Path) -> None:
    write_headers(tmp_path / "ptbxl", {1: ("1", (100,))})
    table = tmp_path / "cinc2011" / "quality.csv"
    table.parent.mkdir()
    table.write_text(
        "record,quality,samples_md5\n1,acceptable,aa\n2,unacceptable,bb\n3,acceptable,aa\n4,unknown,cc\n5,acceptable,bb\n"
    )
    found = [entry.path.name for entry in training_entries(tmp_path) if entry.source == "cinc2011"]
    assert found == ["1", "5"]


def test_the_files_of_a_record_are_those_its_headers_name(tmp_path: Path) -> None:
    one, parts, missing = (tmp_path / f"{name}.hea" for name in ("one", "parts", "missing"))
    one.write_text("# written by hand\none 3 500 10\na.dat 16 1000 16 0 0 0 0 I\na.dat 16\n\nb.dat 16\n# a/b\n")
    parts.write_text("parts/4 1 500 30\nlayout 0\none 10\n~ 10\nmissing 10\n")
    (tmp_path / "layout.hea").write_text("layout 1 500 0\n~ 0 1000 16 0 0 0 0 I\n")
    assert files(one) == [one, tmp_path / "a.dat", tmp_path / "b.dat"]
    assert segments(one) == []
    assert segments(parts) == [tmp_path / "layout.hea", one, missing]
    assert files(parts) == [parts, tmp_path / "layout.hea", *files(one), missing]
    assert files(missing) == [missing]


@pytest.mark.parametrize("name", ["../x", "/x", "a/x", "."])
@pytest.mark.parametrize("first", ["a 1 500 10", "a/1 1 500 10"])
def test_a_header_names_nothing_that_lies_elsewhere(tmp_path: Path, name: str, first: str) -> None:
    header = tmp_path / "a.hea"
    header.write_text(f"{first}\n{name} 16\n")
    with pytest.raises(SourceError, match="no file beside it; get the record again") as caught:
        files(header)
    assert f"'{name}'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.data
def test_of_the_real_recordings_none_that_judges_is_learnt_from(data_dir: Path) -> None:
    with (data_dir / "ptbxl" / "ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        rows = {int(row["ecg_id"]): row for row in csv.DictReader(file)}
    entries = training_entries(data_dir)
    numbers = [int(entry.path.name.split("_")[0]) for entry in entries if entry.source == "ptbxl"]
    assert len(numbers) == len(set(numbers)) == 17_418
    assert {int(rows[number]["strat_fold"]) for number in numbers} == set(TRAIN_FOLDS)
    patients = {rows[number]["patient_id"] for number in numbers}
    held_out = {row["patient_id"] for row in rows.values() if int(row["strat_fold"]) in (VALIDATION_FOLD, TEST_FOLD)}
    assert "" not in patients | held_out
    assert not patients & held_out
    # Of 611 recordings at 500 Hz 88 are of fold 9 and 86 of fold 10.
    assert sum(entry.path.name.endswith("_hr") for entry in entries) == 611 - 88 - 86
    counts = {"ptbxl": 17_418, "cinc2011": 773, "ludb": 200, "challenge": 190}
    assert Counter(entry.source for entry in entries) == counts
    assert all(entry.path.with_suffix(".hea").is_file() for entry in entries)


@pytest.mark.data
@pytest.mark.parametrize(("fold", "rate", "count"), [(9, 100, 2183), (9, 500, 88), (10, 100, 2198), (10, 500, 86)])
def test_the_real_folds_are_whole(data_dir: Path, fold: int, rate: int, count: int) -> None:
    entries = ptbxl(data_dir, frozenset({fold}), rate)
    assert len(entries) == count
    assert {entry.fold for entry in entries} == {fold}
