"""``ecgstream devices``: what is on the network, and what to type to use it."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from ecgstream.commands.devices import NONE_FOUND, devices, show, uses_of
from engine.errors import UsageError
from stream.address import LslAddress, parse_source
from stream.channels import Channel, choose, parse_map
from stream.sources.description import Described
from tests.stream.sources.devices import Device, patch

OPENBCI = {"name": "obci_eeg1", "type": "EEG", "source_id": "openbcigui", "count": 8}
MARKERS = {"name": "Patch", "type": "Markers", "rate": 0, "format": "string", "channels": [{"label": "event"}]}
PATCH = Described("Patch", "ECG", "p1", "1", 250.0, "float32", "ward", (Channel("I", "uV"), Channel("II", "uV")))
UNNAMED = Described("Un [named]", "EXG", "", "2", 500.0, "int16", "ward", (Channel(""),) * 3)
TEXT = Described("Patch", "Markers", "p2", "3", 0.0, "string", "ward", (Channel("event"),))


def test_nothing_found_is_said_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    devices(wait=0.2, as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    devices(wait=0.2)
    assert capsys.readouterr().out == f"{NONE_FOUND}\n"
    assert "UDP port 16571" in NONE_FOUND


@pytest.fixture(scope="module")
def three(lsl: dict[str, str]) -> Iterator[None]:
    with Device(lsl, patch(), OPENBCI, MARKERS):
        yield


@pytest.mark.usefixtures("three")
def test_what_is_on_the_network_is_listed_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    devices(wait=0.7)
    said = capsys.readouterr().out
    for words in (
        "usable as I, II, V4\n  ecgstream monitor lsl://Patch\n",
        "  ecgstream monitor lsl://obci_eeg1 --map 1=I:0.806uV --map 2=II:0.806uV --map 3=V4:0.806uV\n",
        "(0.806uV: the microvolts a count that the device's manual says)",
        "Patch: 1 I (uV), 2 II (uV), 3 V4 (uV)",
        "obci_eeg1: 8 channels without a label",
        "not usable: it sends text, not samples",
        "openbcigui",
        "250 Hz",
        "irregular",
        "float32",
    ):
        assert words in said, said


@pytest.mark.usefixtures("three")
def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    devices(wait=0.7, as_json=True)
    openbci, *patches = json.loads(capsys.readouterr().out)
    patches.sort(key=lambda each: str(each["type"]))
    assert {**patches[0], "uid": "", "host": ""} == {
        "name": "Patch",
        "type": "ECG",
        "source_id": "id of Patch",
        "uid": "",
        "rate": 250.0,
        "format": "float32",
        "host": "",
        "channels": [{"label": lead, "unit": "uV", "type": ""} for lead in ("I", "II", "V4")],
        "usable": True,
        "leads": ["I", "II", "V4"],
        "address": "lsl://Patch",
        "map": [],
        "why": "",
    }
    assert patches[0]["uid"]
    assert patches[0]["host"]
    assert (patches[1]["usable"], patches[1]["address"], patches[1]["map"]) == (False, "", [])
    assert openbci["map"] == ["1=I:0.806uV", "2=II:0.806uV", "3=V4:0.806uV"]
    assert not openbci["usable"]
    assert openbci["why"]


@pytest.mark.parametrize("wait", [0, -1, 61, float("nan"), float("inf")])
def test_a_wait_that_is_none_is_refused(wait: float) -> None:
    with pytest.raises(UsageError, match="--wait"):
        devices(wait=wait)


@pytest.mark.parametrize("width", [80, 200])
def test_commands_are_never_broken_into_lines(width: int) -> None:
    console = Console(width=width, record=True, force_terminal=False)
    streams = [PATCH, UNNAMED, TEXT, replace(PATCH, name="A very long name " * 5, uid="4")]
    show(streams, uses_of(streams), console)
    lines = console.export_text().splitlines()
    for stream, its in zip(streams, uses_of(streams), strict=True):
        if its.address:
            assert any(line.strip().startswith("ecgstream monitor") and its.address in line for line in lines)
            assert parse_source(its.address) in (LslAddress(name=stream.name.strip()), LslAddress(name=stream.name))
    table = lines[: lines.index("")]
    assert all(len(line) <= width for line in table)
    assert any("Un [named]" in line for line in table)


def test_a_command_does_what_it_says() -> None:
    streams = [PATCH, UNNAMED]
    console = Console(width=100, record=True, force_terminal=False)
    show(streams, uses_of(streams), console)
    commands = [line.strip() for line in console.export_text().splitlines() if "ecgstream monitor" in line]
    for stream, command in zip(streams, commands, strict=True):
        _, _, address, *options = shlex.split(command)
        assert parse_source(address) == LslAddress(name=stream.name)
        assert set(options[::2]) <= {"--map"}
        assert len(choose(stream.channels, parse_map(options[1::2]), None, "").leads) >= 2


def test_streams_are_told_apart_only_where_they_can_be_used() -> None:
    assert [its.address for its in uses_of([PATCH, TEXT])] == ["lsl://Patch", ""]
    second = replace(PATCH, uid="5", source_id="p5")
    assert [its.address for its in uses_of([PATCH, second])] == [
        "lsl://?name=Patch&source_id=p1",
        "lsl://?name=Patch&source_id=p5",
    ]
    twins = uses_of([PATCH, replace(PATCH, uid="6")])
    assert [(its.address, its.why) for its in twins] == [("", "another stream is alike: stop one of them")] * 2
