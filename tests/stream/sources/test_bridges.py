"""Programs that bring devices to LSL, each as it describes itself: outlets made with exactly that."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from engine.leads import INDEX, LEADS
from stream.address import LslAddress
from stream.channels import Channel, Choice, millivolts
from stream.sources.announced import streams
from stream.sources.description import Described
from stream.sources.lsl import FOUND_S, Inlet
from tests.stream.sources.devices import Device, Spec, Taking, found, infos, refusal


@dataclass(frozen=True)
class Bridge:
    """A program that brings a device to LSL, as it describes it.

    Attributes
    ----------
    spec : dict
        What its outlet is made of.
    channels : tuple of Channel
        What is read from that.
    refusal : str
        What is said without a map; empty if it can be used as it is.
    maps : tuple of str
        What makes it usable; empty if nothing does.
    to_mv : dict of str to float
        What a number of each lead then is in mV.
    """

    spec: Spec
    channels: tuple[Channel, ...]
    refusal: str = ""
    maps: tuple[str, ...] = ()
    to_mv: dict[str, float] | None = None


LIMB = "no channel is said to be a limb lead, and two of I, II, III, aVR, aVL, aVF are needed"
SCALE = " (0.806uV: the microvolts a count that the device's manual says)"


def polar(serial: str) -> Bridge:
    return Bridge(
        {
            "name": f"Polar H10 {serial}",
            "rate": 130,
            "source_id": "myuid2424",
            "desc": {"manufacturer": "Polar"},
            "burst": 73,
            "channels": [{"name": "ECG", "unit": "microvolts", "type": "ECG"}],
        },
        (Channel("ECG", "microvolts", "ECG"),),
        f"{LIMB}: it cannot be used alone; found 1 ECG (microvolts)",
    )


BRIDGES = {
    "Polar H10": polar("A1"),
    "Polar H10, second": polar("B2"),
    "Zephyr": Bridge(
        {"name": "Zephyr", "channels": [{"label": "ECG1", "unit": "millivolts", "type": "ECG"}]},
        (Channel("ECG1", "millivolts", "ECG"),),
        f"{LIMB}: it cannot be used alone; found 1 ECG1 (millivolts)",
    ),
    "OpenSignals": Bridge(
        {
            "name": "OpenSignals",
            "type": "00:07:80:4D:2E:9F",
            "rate": 1000,
            "channels": [
                {"label": "nSeq"},
                {"label": "ECG0", "unit": "mV"},
                {"label": "ECG1", "unit": "mV"},
                {"label": "A4"},
            ],
        },
        (Channel("nSeq"), Channel("ECG0", "mV"), Channel("ECG1", "mV"), Channel("A4")),
        f"{LIMB}; found 1 nSeq, 2 ECG0 (mV), 3 ECG1 (mV), 4 A4; type for example --map ECG0=I --map ECG1=II",
        ("ECG0=I", "ECG1=II"),
        {"I": 1.0, "II": 1.0},
    ),
    "OpenSignals, older": Bridge(
        {
            "name": "OpenSignals (older)",
            "type": "20:17:11:1A:2B:3C",
            "rate": 1000,
            "format": "int32",
            "channels": [{"sensor": "nSeq"}, {"sensor": "RAW"}, {"sensor": "ECG"}, {"sensor": "CUSTOM"}],
        },
        (Channel("nSeq"), Channel("RAW"), Channel("ECG"), Channel("CUSTOM")),
        f"{LIMB}; found 1 nSeq, 2 RAW, 3 ECG, 4 CUSTOM; "
        f"type for example --map RAW=II:0.806uV --map ECG=I:0.806uV --map CUSTOM=V4:0.806uV{SCALE}",
        ("RAW=II:0.806uV", "ECG=I:0.806uV", "CUSTOM=V4:-3.2uV"),
        {"I": 0.806e-3, "II": 0.806e-3, "V4": -3.2e-3},
    ),
    "OpenBCI GUI": Bridge(
        {"name": "obci_eeg1", "type": "EEG", "source_id": "openbcigui", "count": 8},
        (Channel(""),) * 8,
        f"{LIMB}; found 8 channels without a label; "
        f"type for example --map 1=I:0.806uV --map 2=II:0.806uV --map 3=V4:0.806uV{SCALE}",
        ("1=I:0.0223517uV", "2=II:0.0223517uV", "8=V4:0.0223517uV"),
        {"I": 0.0223517e-3, "II": 0.0223517e-3, "V4": 0.0223517e-3},
    ),
    "explorepy": Bridge(
        {
            "name": "Explore_1438_ExG",
            "type": "ExG",
            "channels": [
                {"name": f"ch{n}", "unit": "microvolts", "type": "ExG", "impedance": "5"} for n in (1, 2, 3, 4)
            ],
        },
        tuple(Channel(f"ch{n}", "microvolts", "ExG") for n in (1, 2, 3, 4)),
        f"{LIMB}; found 1 ch1 (microvolts), 2 ch2 (microvolts), 3 ch3 (microvolts), 4 ch4 (microvolts); "
        "type for example --map ch1=I --map ch2=II --map ch3=V4",
        ("ch1=I", "ch2=II", "ch3=V4"),
        {"I": 1e-3, "II": 1e-3, "V4": 1e-3},
    ),
    "g.NEEDaccess": Bridge(
        {
            "name": "g.NEEDaccess",
            "type": "EEG",
            "channels": [{"label": f"EEG{n}", "unit": "\u00b5V", "type": "EEG"} for n in (1, 2)]
            + [{"label": "Counter", "type": "Index"}],
        },
        (Channel("EEG1", "\u00b5V", "EEG"), Channel("EEG2", "\u00b5V", "EEG"), Channel("Counter", "", "Index")),
        f"{LIMB}; found 1 EEG1 (\u00b5V), 2 EEG2 (\u00b5V), 3 Counter; type for example --map EEG1=I --map EEG2=II",
        ("EEG1=I", "EEG2=II"),
        {"I": 1e-3, "II": 1e-3},
    ),
    "ESP32": Bridge(
        {
            "name": "BioAmpDataStream",
            "type": "EXG",
            "rate": 500,
            "format": "int16",
            "count": 3,
            "desc": {"resolution": "12"},
        },
        (Channel(""),) * 3,
        f"{LIMB}; found 3 channels without a label; "
        f"type for example --map 1=I:0.806uV --map 2=II:0.806uV --map 3=V4:0.806uV{SCALE}",
        ("1=I:0.806uV", "2=II:0.806uV", "3=V1:0.806uV"),
        {"I": 0.806e-3, "II": 0.806e-3, "V1": 0.806e-3},
    ),
    "mne-lsl's player": Bridge(
        {
            "name": "MNE-LSL-Player",
            "type": "ecg",
            "format": "double64",
            "channels": [
                {"label": lead, "unit": unit, "type": "ecg"} for lead, unit in (("I", "0"), ("II", "-6"), ("V2", "-3"))
            ],
        },
        (Channel("I", "0", "ecg"), Channel("II", "-6", "ecg"), Channel("V2", "-3", "ecg")),
        to_mv={"I": 1e3, "II": 1e-3, "V2": 1.0},
    ),
    "twelve leads": Bridge(
        {"name": "Twelve", "channels": [{"label": lead, "unit": "mV"} for lead in LEADS]},
        tuple(Channel(lead, "mV") for lead in LEADS),
        to_mv={"I": 1.0, "II": 1.0, "V4": 1.0},
    ),
    "markers": Bridge(
        {"name": "Twelve", "type": "Markers", "rate": 0, "format": "string", "channels": [{"label": "event"}]},
        (Channel("event"),),
        "it sends text, not samples",
    ),
    "heart rate": Bridge(
        {"name": "Heart rate", "type": "HR", "rate": 0, "channels": [{"label": "HR", "unit": "bpm"}]},
        (Channel("HR", "bpm"),),
        "its rate is irregular (0 Hz): no heart signal is sampled so",
    ),
    "slow": Bridge(
        {"name": "Slow", "rate": 50, "channels": [{"label": "I", "unit": "uV"}, {"label": "II", "unit": "uV"}]},
        (Channel("I", "uV"), Channel("II", "uV")),
        "its rate is 50 Hz; 100 to 2000 Hz can be taken",
    ),
}


def address(bridge: Bridge) -> LslAddress:
    return LslAddress(name=bridge.spec["name"], type=bridge.spec.get("type", "ECG"))


@pytest.fixture(scope="module")
def bridges(lsl: dict[str, str]) -> Iterator[dict[str, Described]]:
    """All bridges at once, as they are found."""
    with Device(lsl, *(bridge.spec for bridge in BRIDGES.values())):
        by_words = {(each.name, each.type): each for each in streams(0.7)}
        yield {name: by_words[bridge.spec["name"], bridge.spec.get("type", "ECG")] for name, bridge in BRIDGES.items()}


@pytest.mark.parametrize("name", BRIDGES)
def test_a_bridge_is_described_as_it_is(bridges: dict[str, Described], name: str) -> None:
    spec, stream = BRIDGES[name].spec, bridges[name]
    assert stream.channels == BRIDGES[name].channels
    assert stream.source_id == spec.get("source_id", f"id of {spec['name']}")
    assert stream.rate == spec.get("rate", 250)
    assert stream.format == spec.get("format", "float32")
    assert stream.host
    assert stream.uid
    assert stream.created > 0


@pytest.mark.parametrize("name", [name for name, bridge in BRIDGES.items() if bridge.refusal])
def test_a_bridge_that_cannot_be_used_as_it_is_says_what_to_type(bridges: dict[str, Described], name: str) -> None:
    bridge = BRIDGES[name]
    assert refusal(address(bridge)) == f"{bridge.spec['name']}: {bridge.refusal}"


@pytest.mark.parametrize("name", [name for name, bridge in BRIDGES.items() if bridge.to_mv])
def test_samples_of_a_bridge_come_in_mv(bridges: dict[str, Described], name: str) -> None:
    bridge = BRIDGES[name]
    inlet = found(address(bridge), *bridge.maps)
    assert bridge.to_mv is not None
    assert set(inlet.leads) == set(bridge.to_mv)
    assert (inlet.name, inlet.rate, inlet.patient) == (bridge.spec["name"], bridge.spec.get("rate", 250), False)
    with Taking(inlet) as taking:
        taking.wait_for_samples(count=int(inlet.rate / 10))
    samples = np.concatenate([each.samples for each in taking.arrivals], axis=1).astype(np.float64)
    numbers = samples[INDEX["II"]] / bridge.to_mv["II"]
    np.testing.assert_allclose(np.diff(numbers), 1, atol=0.05)
    for lead in LEADS:
        if lead in bridge.to_mv:
            np.testing.assert_allclose(samples[INDEX[lead]], numbers * bridge.to_mv[lead], rtol=1e-5)
        else:
            assert np.isnan(samples[INDEX[lead]]).all()


@pytest.mark.parametrize("name", ["Polar H10", "Zephyr"])
def test_samples_of_one_lead_come_in_mv_too(bridges: dict[str, Described], name: str) -> None:
    # Nothing is found for these, as one lead is too few; what they send is read all the same.
    stream = bridges[name]
    to_mv = millivolts(stream.channels[0].unit)
    assert to_mv is not None
    with Taking(Inlet(stream, Choice(("II",), (0,), (to_mv,)), infos(stream.name)[stream.name])) as taking:
        taking.wait_for_samples(count=80)
    assert (np.diff(taking.numbers(scale=to_mv)) == 1).all()


def test_bursts_come_whole_with_stamps_that_the_library_made_up(bridges: dict[str, Described]) -> None:
    stream = bridges["Polar H10"]
    with Taking(Inlet(stream, Choice(("II",), (0,), (1e-3,)), infos(stream.name)[stream.name])) as taking:
        taking.wait_for_samples(count=4 * 73)
    arrivals = taking.arrivals
    begins = [n for n, (one, other) in enumerate(pairwise(arrivals), 1) if other.received - one.received > 0.2]
    sizes = [sum(each.samples.shape[1] for each in arrivals[a:b]) for a, b in pairwise(begins)]
    assert sizes
    assert all(size % 73 == 0 for size in sizes), sizes
    for each in arrivals:
        assert each.stamps is not None
        np.testing.assert_allclose(np.diff(each.stamps), 1 / 130, atol=1e-6)


def test_of_several_streams_the_one_that_can_be_used_is_meant(bridges: dict[str, Described]) -> None:
    inlet = found(LslAddress(name="Twelve"))  # its markers are called so too
    assert inlet.leads == ("I", "II", "V4")
    assert found(LslAddress(name="Twelve"), wanted=("I", "III", "V1")).leads == ("I", "III", "V1")


def test_several_usable_streams_are_listed_with_what_to_type(bridges: dict[str, Described]) -> None:
    said = refusal(LslAddress(), FOUND_S)
    assert said.startswith("2 streams can be meant: ")
    assert "MNE-LSL-Player (ecg, 250 Hz, " in said
    assert ": type lsl://MNE-LSL-Player" in said
    assert ": type lsl://Twelve" in said
