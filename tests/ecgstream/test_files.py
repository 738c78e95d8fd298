"""One recording as files of every kind: each goes the same way, and comes to the same twelve leads."""

import json
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgstream.exports.csv import write_csv
from ecgstream.exports.edf import write_edf
from ecgstream.exports.survey import open_whole, survey
from stream.sources.record import open_record
from tests.ecgstream.command import BUNDLED, ecgstream, write_record
from tests.stream.sources.xdf_files import Stream, write_xdf

SECONDS = 8
MEASURED = ("I", "II", "V4")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first seconds of the bundled record, three leads of it, one of them missing for a while."""
    folder = tmp_path_factory.mktemp("files")
    samples = open_record(BUNDLED).read(0, 500 * SECONDS)[[0, 1, 9]]
    samples[2, 2000:2100] = np.nan
    path = write_record(folder, "r", samples, leads=MEASURED)
    whole = open_whole(path)
    found = survey(whole.record, lambda share: None)
    write_csv(folder / "r.csv", whole, found, lambda share: None)
    write_edf(folder / "r.edf", whole, found, 0, [], lambda share: None)
    stamps = 1000 + np.arange(500 * SECONDS) / 500
    channels = [(lead, "mV") for lead in MEASURED]
    write_xdf(folder / "r.xdf", [Stream(1, samples.T, stamps, channels=channels)])
    bare = (folder / "r.csv").read_text().splitlines()
    (folder / "bare.csv").write_text("\n".join(line.partition(",")[2] for line in bare) + "\n")
    return {"wfdb": path, "csv": folder / "r.csv", "edf": folder / "r.edf", "xdf": folder / "r.xdf"}


def twelve(folder: Path, name: str = "r") -> np.ndarray:
    return np.asarray(wfdb.rdrecord(str(folder / name)).p_signal.T)


@pytest.mark.parametrize("command", ["convert", "replay"])
def test_each_kind_comes_to_the_same(files: dict[str, Path], command: str, tmp_path: Path) -> None:
    arguments = ["--out"] if command == "convert" else ["--headless", "--speed", "max", "--record"]
    results, summaries = [], []
    for kind, path in files.items():
        done = ecgstream(command, path, *arguments, tmp_path / kind, "--json")
        assert (done.returncode, done.stderr) == (0, ""), kind
        summaries.append(json.loads(done.stdout))
        results.append(twelve(tmp_path / kind))
    assert {summary["samples"] for summary in summaries} == {500 * SECONDS}
    assert {tuple(summary["leads_in"]) for summary in summaries} == {MEASURED}
    for kind, result in zip(files, results, strict=True):
        assert np.array_equal(result, results[0], equal_nan=True), kind


def test_a_table_without_times_needs_its_rate(files: dict[str, Path], tmp_path: Path) -> None:
    bare = files["csv"].with_name("bare.csv")
    refused = ecgstream("replay", bare, "--headless", "--speed", "max")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "say how many rows are a second: --rate 500" in refused.stderr
    done = ecgstream("convert", bare, "--rate", "500", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert ecgstream("convert", files["csv"], "--out", tmp_path / "whole").returncode == 0
    assert np.array_equal(twelve(tmp_path / "out", "bare"), twelve(tmp_path / "whole"), equal_nan=True)


def test_a_stream_of_several_is_chosen(files: dict[str, Path], tmp_path: Path) -> None:
    samples = open_record(BUNDLED).read(0, 1000)[[0, 1, 9]].T
    stamps = np.arange(1000) / 500
    channels = [(lead, "mV") for lead in MEASURED]
    two = [Stream(n, samples, stamps, channels=channels, name=name) for n, name in ((1, "Left"), (2, "Right"))]
    path = write_xdf(tmp_path / "r.xdf", two)
    refused = ecgstream("convert", path, "--out", tmp_path / "out")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "--stream Left" in refused.stderr
    assert not (tmp_path / "out").exists()
    done = ecgstream("convert", path, "--stream", "Right", "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["samples"] == 1000


@pytest.mark.parametrize("kind", ["csv", "edf", "xdf"])
def test_what_is_read_is_never_written(files: dict[str, Path], kind: str, tmp_path: Path) -> None:
    path = files[kind]
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    done = ecgstream("convert", path, "--out", path.parent, "--force")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "holds the record that is read; choose another folder" in done.stderr
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before
