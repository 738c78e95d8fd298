"""The command line of a simulated device: what it says, what it refuses, and how it ends."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgstream.commands.main import main
from ecgstream.records import BUNDLED
from stream.simulation import journal
from stream.simulation.faults import Fate
from stream.sources.record import open_record
from tests.ecgstream.command import COMMAND, write_record

QUICK = ("--speed", 100)


@pytest.fixture
def place() -> str:
    """A place of this machine where nobody is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"zmq+tcp://127.0.0.1:{free.getsockname()[1]}/bed1"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Simulate = Callable[..., Done]


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Simulate:
    """``ecgstream simulate`` in a folder of its own, to its end; in this process, as starting one takes longer."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Done:
        monkeypatch.setattr("sys.argv", ["ecgstream", "simulate", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, said.out, said.err)

    return run


def account(done: Done) -> dict[str, Any]:
    assert done.code == 0, done.err
    figures: dict[str, Any] = json.loads(done.out)
    return figures


def test_it_ends_with_the_record_or_when_it_is_told(simulate: Simulate, tmp_path: Path, place: str) -> None:
    path = write_record(tmp_path, "short", open_record(BUNDLED).read(0, 1234))
    once = account(simulate(path, "--out", place, "--once", "--json", *QUICK))
    assert (once["samples"], once["seconds"], once["packets"]) == (1234, 2.468, 124)
    longer = account(simulate(path, "--out", place, "--seconds", "5s", "--rate", 250, "--json", *QUICK))
    assert (longer["samples"], longer["seconds"]) == (1250, 5.0)
    assert longer["journal"] is None
    assert list(tmp_path.glob("*.sent")) == []


def test_the_account_is_that_of_the_journal(simulate: Simulate, place: str) -> None:
    faults = ("--loss", 0.1, "--burst", "1s@5s", "--unplug", "7s:1s", "--duplicate", 0.1, "--reorder", 0.1)
    words = ("--out", place, "--seconds", "20s", "--counter", "--json", *faults, *QUICK)
    first = account(simulate(*words))
    assert first["journal"] == "bed1.sent"
    sent = journal.read(Path("bed1.sent"))
    counts = {fate: len(sent.that_were(fate)) for fate in Fate}
    assert first["packets"] == 1000
    assert first["lost"] == counts[Fate.LOST] > 50
    assert first["burst"] == counts[Fate.BURST] == 150
    assert first["unplugged"] == counts[Fate.UNPLUGGED] == 50
    assert first["duplicated"] == counts[Fate.DUPLICATE] > 50
    assert first["reordered"] > 50
    assert first["sent"] == 1000 - first["lost"] - first["burst"] - first["unplugged"]
    assert first["samples"] == len(np.unique(journal.numbers(sent.that_went()))) == 10 * first["sent"]

    # A journal is never replaced unasked; with the same seed all comes out the same, with another it does not.
    again = simulate(*words)
    assert (again.code, again.out) == (2, "")
    assert "bed1.sent is there already; add --force to replace it" in again.err
    second = account(simulate(*words, "--force"))
    assert {**second, "latest_ms": 0} == {**first, "latest_ms": 0}
    assert np.array_equal(journal.read(Path("bed1.sent")).entries["fate"], sent.entries["fate"])
    assert account(simulate(*words, "--force", "--seed", 1))["lost"] != first["lost"]


def test_a_line_for_people(simulate: Simulate, place: str) -> None:
    done = simulate("--out", place, "--seconds", "2s", "--loss", 1, "--journal", "deep/a.sent", *QUICK)
    assert (done.code, done.out) == (
        0,
        "2.0 s: 100 packets, 0 sent (0 samples), 100 lost by chance; deep/a.sent says what was sent\n",
    )
    assert done.err == f"ecgstream: sending I, II, V4 of synthetic at 500 Hz to {place}; Ctrl-C ends it\n"


def test_what_is_clipped_is_said_and_counted(simulate: Simulate) -> None:
    done = simulate("--out", "lsl://clipping", "--seconds", "2s", "--format", "int8", "--journal", "a.sent", *QUICK)
    assert "values do not fit into int8: clipped" in done.err
    samples = 1000 * open_record(BUNDLED).read(0, 1000)[[0, 1, 9]]
    clipped = int(((np.rint(samples) > 127) | (np.rint(samples) < -128)).sum())
    assert f", {clipped} values clipped; a.sent says what was sent" in done.out


@pytest.mark.parametrize(
    ("words", "leads"),
    [((), ("V1",)), (("--map", "MLII=II"), ("II", "V1")), (("--map", "MLII=II", "--leads", "II"), ("II",))],
)
def test_a_device_may_have_one_lead_alone(
    simulate: Simulate, tmp_path: Path, place: str, words: tuple[str, ...], leads: tuple[str, ...]
) -> None:
    path = write_record(tmp_path, "two", open_record(BUNDLED).read(0, 1000)[[1, 6]], leads=("MLII", "V1"))
    assert simulate(path, *words, "--out", place, "--once", "--journal", "a.sent", *QUICK).code == 0
    assert journal.read(Path("a.sent")).header.leads == leads


ZMQ, LSL = "zmq+tcp://127.0.0.1:5999", "lsl://patch"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--out"),
        (("--out", "lsl://"), "names no stream to make; write lsl://NAME"),
        (("--out", "udp://x"), "is no address of a stream"),
        (("--out", ZMQ, "--unstamped"), "--unstamped: on the wire a message says its time; leave it out"),
        (("--out", ZMQ, "--format", "int16"), "--format: on the wire it is float32; leave it out"),
        (("--out", LSL, "--key", "me.key"), "--key: LSL has no keys; leave it out"),
        (("--out", LSL, "--insecure"), "--insecure: LSL is open in any case; leave it out"),
        (("--out", LSL, "--burst-stamps", "1s", "--unstamped"), "--burst-stamps: with --unstamped there are no stamps"),
        (("--out", LSL, "--burst-stamps", "0.5s", "--chunk-ms", 20), "--burst-stamps: it says how long a packet is"),
        (("--out", LSL, "--clock-reset", "5s", "--unstamped"), "--clock-reset: with --unstamped there are no stamps"),
        (("--out", LSL, "--speed", 2, "--unstamped"), "--speed: with --unstamped the stamps are LSL's"),
        (("--out", LSL, "--unit", "volt"), "--unit volt: choose V, mV, uV, none"),
        (("--out", LSL, "--format", "int24"), "--format int24: choose float32, double64, int8"),
        (("--out", LSL, "--format", "int16", "--unit", "mV"), "--format int16 holds whole mV only"),
        (("--out", LSL, "--loss", 2), "--loss 2: give 0 to 1"),
        (("--out", LSL, "--rate", 0), "--rate 0: give 10 to 10000"),
        (("--out", LSL, "--speed", 0), "--speed 0: give 0.1 to 1000"),
        (("--out", LSL, "--chunk-ms", 0), "--chunk-ms 0: give 1 to 10000"),
        (("--out", LSL, "--burst-stamps", "20s"), "--burst-stamps 20: give 0.001 to 10"),
        (("--out", LSL, "--seconds", "0s"), "--seconds 0s: give more than 0 s"),
        (("--out", LSL, "--burst", "2s"), "--burst 2s: write LENGTH@EVERY"),
        (("--out", LSL, "--unplug", "1s:5s", "--unplug", "3s:1s"), "at 3 s it is still unplugged since 1 s"),
        (("--out", LSL, "--lead-off", "V1@1s:1s"), "--lead-off V1: this device sends I, II, V4; name one of these"),
        (("--out", LSL, "--leads", "I,V7"), "'V7' is not a lead"),
        (("--out", LSL, "--journal", BUNDLED, "--force"), "is what is read; choose another name"),
        (("--out", f"{ZMQ}/{'x' * 65}"), "a bed's name has at most 64 characters"),
        (("nothing", "--out", LSL), "there is no record"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_one_line(
    simulate: Simulate, words: tuple[object, ...], message: str
) -> None:
    done = simulate(*words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_place_that_is_taken_is_said(simulate: Simulate, place: str) -> None:
    host, port = place.removeprefix("zmq+tcp://").removesuffix("/bed1").split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        done = simulate("--out", place, "--journal", "a.sent")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"ecgstream: {place}: address already in use; choose another place to send to\n"
    assert not Path("a.sent").exists()


def test_ctrl_c_ends_it_with_its_account(place: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "simulate", "--out", place, "--json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("ecgstream: sending")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert err == ""
    figures = json.loads(out)
    assert figures["sent"] == figures["packets"]
