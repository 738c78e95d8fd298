"""Wrong use and unreadable input: one line that says what to type, exit code 2, nothing written."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgstream.commands.main import app
from ecgstream.commands.options import parse_threads
from engine.errors import ModelError
from engine.leads import LEADS
from engine.model import MODELS
from stream.sources.record import open_record
from tests.ecgstream.command import BUNDLED, ecgstream, write_record

Faulty = Callable[[Path], list[object]]


def twelve(seconds: float = 10, rate: int = 500) -> np.ndarray:
    """Some of the bundled record."""
    step = 500 // rate
    return open_record(BUNDLED).read(0, int(seconds * 500))[:, ::step]


def missing(folder: Path) -> list[object]:
    return [folder / "nothing"]


def without_data(folder: Path) -> list[object]:
    write_record(folder, "r", twelve(2)).with_suffix(".dat").unlink()
    return [folder / "r"]


def without_header(folder: Path) -> list[object]:
    write_record(folder, "r", twelve(2)).with_suffix(".hea").unlink()
    return [folder / "r.dat"]


def cut_off(folder: Path) -> list[object]:
    data = write_record(folder, "r", twelve(2)).with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:-100])
    return [folder / "r"]


def no_header(folder: Path) -> list[object]:
    (folder / "r.hea").write_text("this is a letter, not a header\n")
    return [folder / "r.hea"]


def unknown_names(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(2)[:3], leads=("MLI", "MLII", "V4"))]


def one_limb_lead(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(2)[[0, 9]], leads=("I", "V4"))]


def no_voltage(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(2), unit="mmHg")]


def too_short(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(0.9))]


def too_slow(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(10), rate=99)]


def too_fast(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(10), rate=2001)]


def lead_not_there(folder: Path) -> list[object]:
    return [write_record(folder, "r", twelve(2)[:9], leads=LEADS[:9]), "--leads", "I,II,V4"]


def no_lead(folder: Path) -> list[object]:
    return [BUNDLED, "--leads", "I,II,V9"]


def bad_map(folder: Path) -> list[object]:
    return [BUNDLED, "--map", "MLII"]


def map_of_nothing(folder: Path) -> list[object]:
    return [BUNDLED, "--map", "MLII=II"]


def damaged_model(folder: Path) -> list[object]:
    shutil.copytree(MODELS, folder / "model")
    file = next((folder / "model").glob("*.onnx"))
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    return [BUNDLED, "--model", folder / "model"]


def other_manifest(folder: Path) -> list[object]:
    shutil.copytree(MODELS, folder / "model")
    file = next((folder / "model").glob("*.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"rate": 250}))
    return [BUNDLED, "--model", file]


def look_ahead(folder: Path) -> list[object]:
    return [BUNDLED, "--look-ahead", 101]


FAULTS: dict[Faulty, str] = {
    missing: "name its .hea file",
    without_data: "put it beside the header",
    without_header: "put r.hea beside it",
    cut_off: "holds 995 of the 1000 samples",
    no_header: "is no WFDB header",
    unknown_names: "found 1 MLI (mV), 2 MLII (mV), 3 V4 (mV); type for example --map MLI=I --map MLII=II",
    one_limb_lead: "only I is a limb lead",
    no_voltage: "'mmHg', which is no voltage",
    too_short: "at least 1 s",
    too_slow: "100 to 2000 Hz",
    too_fast: "100 to 2000 Hz",
    lead_not_there: "no channel is said to be V4",
    no_lead: "'V9' is not a lead",
    bad_map: "--map 'MLII' is not CHANNEL=LEAD",
    map_of_nothing: "there is no channel 'MLII'",
    damaged_model: "is damaged",
    other_manifest: "of another kind",
    look_ahead: "0 to 100 ms",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_one_line_and_leaves_nothing(fault: Faulty, tmp_path: Path) -> None:
    arguments = fault(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for command in (["replay", "--headless", "--speed", "max", "--record"], ["convert", "--out"]):
        done = ecgstream(*command, tmp_path / "out", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith("ecgstream: ")
        assert FAULTS[fault] in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay", "--speed", "0.2"], "0.25 to 16"),
        (["replay", "--speed", "fast"], "or max"),
        (["replay", "--filter", "loud"], "monitor, diagnostic, none"),
        (["replay", "--look-ahead", "soon"], "see ecgstream replay --help"),
        (["replay", "--threads", "0"], "--threads 0: give 1 or more"),
        (["replay", "--threads", "many"], "see ecgstream replay --help"),
        (["convert", "record", "--out", "out", "--threads", "-1"], "--threads -1: give 1 or more"),
        (["evaluate", "--threads", "0"], "--threads 0: give 1 or more"),
        (["replay", "--bogus"], "see ecgstream replay --help"),
        (["replay", "one", "two"], "see ecgstream replay --help"),
        (["convert"], "see ecgstream convert --help"),
        (["party"], "see ecgstream --help"),
        (["fetch"], "see ecgstream fetch --help"),
        (["fetch", "ptbxl", "--records", "9-1"], "the smaller one comes first"),
        (["train"], "--data DIR"),
        (["train", "--data", "nowhere"], "holds no ptbxl_database.csv"),
        (["evaluate"], "--data DIR"),
        (["evaluate", "--records", "nowhere"], "nowhere"),
        (["package", "nowhere", "--out", "models"], "ecgstream train --out nowhere"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ECGSTREAM_DATA"}
    done = ecgstream(*arguments, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_outputs_that_cannot_be_written_are_refused_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    picture, report = tmp_path / "page.png", tmp_path / "out.json"
    for path in (picture, report):
        path.write_text("mine")
    commands = [
        ["convert", BUNDLED, "--out", tmp_path / "file"],
        ["convert", BUNDLED, "--out", tmp_path / "file" / "below"],
        ["replay", "--headless", "--record", tmp_path / "file"],
        ["replay", "--headless", "--snapshot", picture],
        ["replay", "--headless", "--snapshot", tmp_path / "file" / "page.png"],
        ["replay", "--headless", "--snapshot", tmp_path],
        ["evaluate", "--records", tmp_path, "--json", report],
    ]
    before = sorted(tmp_path.rglob("*"))
    for command in commands:
        done = ecgstream(*command)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done
    assert sorted(tmp_path.rglob("*")) == before
    assert picture.read_text() == report.read_text() == "mine"


def test_the_record_that_is_read_is_never_replaced(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", twelve(2))
    content = path.with_suffix(".dat").read_bytes()
    for command in (["replay", path, "--headless", "--record"], ["convert", path, "--out"]):
        done = ecgstream(*command, tmp_path, "--force")
        assert done.returncode == 2
        assert "choose another folder" in done.stderr
    assert path.with_suffix(".dat").read_bytes() == content


@pytest.mark.parametrize(
    ("cores", "wanted", "alone", "beside_a_window"),
    [
        (1, 1, 1, 1),
        (1, 4, 1, 1),
        (2, 1, 1, 1),
        (2, 2, 2, 1),
        (8, 1, 1, 1),
        (8, 7, 7, 7),
        (8, 8, 8, 7),
        (8, 10**6, 8, 7),
    ],
)
def test_threads_are_as_many_as_there_are_cores_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, wanted: int, alone: int, beside_a_window: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert parse_threads(wanted) == alone
    assert parse_threads(wanted, window=True) == beside_a_window
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert parse_threads(wanted, window=True) == beside_a_window


@pytest.mark.parametrize(
    ("arguments", "threads"),
    [
        (["replay"], 1),
        (["replay", "--threads", "3"], 3),
        (["replay", "--threads", "9"], 7),
        (["replay", "--headless", "--threads", "9"], 8),
        (["convert", BUNDLED, "--out", "out"], 1),
        (["convert", BUNDLED, "--out", "out", "--threads", "9"], 8),
    ],
)
def test_threads_reach_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[object], threads: int
) -> None:
    asked = []

    def load(_model: Path | None, *, threads: int) -> None:
        asked.append(threads)
        raise ModelError("enough is seen")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("engine.model.load", load)
    with pytest.raises(ModelError, match="enough"):
        app(list(map(str, arguments)), standalone_mode=False)
    assert asked == [threads]


def test_without_a_screen_it_says_what_to_type() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = ecgstream("replay", env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--headless" in done.stderr


def test_every_command_shows_an_example() -> None:
    commands = [command.callback.__name__ for command in app.registered_commands if command.callback]
    live = {"devices", "monitor", "serve", "simulate"}
    assert live | {"replay", "convert", "train", "evaluate", "export", "package", "doctor"} == set(commands)
    for command in [*([name] for name in commands), ["fetch", "ptbxl"]]:
        done = ecgstream(*command, "--help")
        assert done.returncode == 0
        assert f"Example: ecgstream {' '.join(command)}" in " ".join(done.stdout.split())


def test_help_without_arguments_and_the_version() -> None:
    done = ecgstream()
    assert done.returncode == 0
    assert "replay" in done.stdout
    assert ecgstream("--version").stdout.startswith("ecgstream ")


@pytest.mark.parametrize("record", ["", ".", "/"])
def test_a_folder_is_no_record(record: str) -> None:
    done = ecgstream("replay", record, "--headless")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is a folder; name a record in it" in done.stderr


def test_a_full_disk_under_the_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = ecgstream("--help", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "ecgstream: cannot go on: No space left on device; look at the disk, then try again\n"


@pytest.mark.parametrize("how", ["itself", "a link to it"])
def test_no_picture_takes_the_place_of_what_is_read(tmp_path: Path, how: str) -> None:
    """Found: with --force a picture, or a table of figures, was written over the record that it is of."""
    for suffix in (".hea", ".dat"):
        (tmp_path / f"synthetic{suffix}").write_bytes(BUNDLED.with_suffix(suffix).read_bytes())
    before = (tmp_path / "synthetic.dat").read_bytes()
    snapshot = tmp_path / "synthetic.dat"
    if how == "a link to it":
        snapshot = tmp_path / "page.png"
        snapshot.symlink_to(tmp_path / "synthetic.dat")
    done = ecgstream("replay", tmp_path / "synthetic", "--speed", "max", "--snapshot", snapshot, "--force")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert (tmp_path / "synthetic.dat").read_bytes() == before
    done = ecgstream("evaluate", "--records", tmp_path, "--json", tmp_path / "synthetic.dat", "--force")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is what is read; choose another name" in done.stderr
    assert (tmp_path / "synthetic.dat").read_bytes() == before


def test_no_device_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    done = ecgstream("replay", "--speed", "max", "--snapshot", tmp_path / "pipe.png", "--force")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert (tmp_path / "pipe.png").is_fifo()
