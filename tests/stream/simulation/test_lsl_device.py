"""Real LSL between two processes: what a plain inlet receives is what the journal says, number for number."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from ecgstream.records import BUNDLED
from stream.simulation import journal
from stream.simulation.device import Device, Faults, Format
from stream.simulation.faults import Fate, deliveries
from stream.simulation.outlet import Outlet
from stream.simulation.packets import packets
from stream.simulation.signal import Signal
from stream.sources.record import open_record
from tests.stream.simulation.process import LONGEST_S, Simulated, simulated

pytestmark = pytest.mark.usefixtures("lsl")

Pulled = tuple[np.ndarray, np.ndarray]
"""Samples (n, channels) and their stamps."""


def resolve(name: str, but: frozenset[str] = frozenset()) -> Any:
    """The stream of this name, and of none of these uids."""
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        for info in pylsl.resolve_byprop("name", name, minimum=1, timeout=0.2):
            if info.uid() not in but:
                return info
    raise AssertionError(f"{name} was never announced")


@contextmanager
def inlet(name: str, but: frozenset[str] = frozenset()) -> Iterator[Any]:
    made = pylsl.StreamInlet(resolve(name, but), recover=False)
    try:
        made.open_stream(timeout=LONGEST_S)
        yield made
    finally:
        made.close_stream()


def pull(source: Any, n: int) -> Pulled:
    """What comes, until there are at least so many samples, or the stream is lost."""
    samples: list[Any] = []
    stamps: list[float] = []
    deadline = time.monotonic() + LONGEST_S
    while len(stamps) < n:
        try:
            some, some_stamps = source.pull_chunk(timeout=0.2, max_samples=4096, min_samples=1)
        except pylsl.util.LostError:
            break
        samples += list(some)
        stamps += some_stamps
        assert time.monotonic() < deadline, f"only {len(stamps)} samples came"
    return np.array(samples), np.array(stamps)


def check(device: Simulated, pulled: Pulled, *, session: int = 0, stamped: bool = True) -> None:
    """All that came is what was sent, from one sample on: number for number, value for value, stamp for stamp."""
    sent = device.journal()
    went = sent.that_went()
    went = went[went["session"] == session]
    numbers, values = journal.numbers(went), journal.values(went)
    samples, stamps = pulled[0].astype(values.dtype), pulled[1]
    first = 0 if session == 0 else int(np.flatnonzero(numbers == samples[0, -1])[0])
    some = slice(first, first + len(samples))
    assert len(numbers[some]) == len(samples) > 0
    assert np.array_equal(samples[:, -1], numbers[some] % sent.header.counter_modulus)
    assert np.array_equal(samples, values[some])
    if stamped:
        assert np.array_equal(stamps, journal.stamps(went)[some])


ALL_AT_ONCE = (
    *("--loss", 0.05, "--burst", "300ms@1s", "--duplicate", 0.1, "--reorder", 0.1, "--jitter", 15, "--noise", 20),
    *("--drift", -100, "--clock-reset", "1s", "--lead-off", "V4@1s:1s"),
)


@pytest.mark.parametrize(
    ("options", "fates"),
    [
        ((), ()),
        (ALL_AT_ONCE, (Fate.LOST, Fate.BURST, Fate.DUPLICATE, Fate.REORDERED)),
    ],
    ids=["fine", "all at once"],
)
def test_what_arrives_is_what_was_sent(tmp_path: Path, options: tuple[object, ...], fates: tuple[Fate, ...]) -> None:
    options = ("--counter", "--journal-samples", "--wait", "--rate", 250, "--speed", 8, *options)
    with simulated("lsl://numbers", *options, journal=tmp_path / "a.sent") as device, inlet("numbers") as source:
        pulled = pull(source, 800)
        assert device.end() == 128 + signal.SIGTERM
        check(device, pulled)
    assert all(device.journal().that_were(fate).size for fate in fates)


@pytest.mark.parametrize("format", Format)
def test_every_format(format: Format) -> None:
    device = Device("formats", ("I", "II", "V4"), format=format, counter=True, noise_uv=20)
    outlet = Outlet(device, synthetic=True)
    outlet.open()
    try:
        with inlet("formats") as source:
            assert resolve("formats").channel_format() == pylsl.lib.string2fmt[format.value]
            made = packets(Signal(open_record(BUNDLED), device.leads, 500), device, n_samples=200)
            sent = list(deliveries(made, device, Faults(), epoch=outlet.clock()))
            for delivery in sent:
                outlet.send(delivery)
            samples, stamps = pull(source, 200)
    finally:
        outlet.close()
    assert np.array_equal(samples.astype(format.dtype), np.concatenate([each.packet.values for each in sent]))
    assert np.array_equal(stamps, np.concatenate([each.stamps for each in sent if each.stamps is not None]))


@pytest.mark.parametrize(
    ("options", "packet"), [(("--unstamped",), 5), (("--burst-stamps", "0.56s", "--speed", 8), 140)]
)
def test_a_device_whose_stamps_are_those_of_sending(tmp_path: Path, options: tuple[object, ...], packet: int) -> None:
    is_stamped = "--unstamped" not in options
    options = ("--counter", "--journal-samples", "--wait", "--rate", 250, "--jitter", 10, *options)
    with simulated("lsl://bursts", *options, journal=tmp_path / "a.sent") as device, inlet("bursts") as source:
        pulled = pull(source, 4 * packet)
        device.end()
        check(device, pulled, stamped=is_stamped)
        header, went = device.journal().header, device.journal().that_went()
    stamps = pulled[1][: 3 * packet].reshape(3, packet)
    if is_stamped:
        assert (np.ptp(stamps, axis=1) == 0).all()
        assert stamps[:, 0] == pytest.approx(header.epoch + 8 * (went["due"][:3] - header.began), abs=1e-6)
    else:
        assert np.isnan(went["stamps"]).all()
        # LSL stamps the newest with the time of pushing, right after it was written down, and lays out the rest.
        assert np.diff(stamps, axis=1) == pytest.approx(1 / 250, abs=1e-6)
        newest = stamps[:, -1] - header.epoch + header.began
        assert (newest >= went["sent"][:3]).all()
        assert (newest <= went["sent"][1:4]).all()


def test_unplugged_it_is_gone_and_comes_back_as_a_new_one_of_the_same_name(tmp_path: Path) -> None:
    options = ("--counter", "--journal-samples", "--wait", "--rate", 250, "--speed", 4, "--unplug", "4s:4s")
    with simulated("lsl://plugs", *options, journal=tmp_path / "a.sent") as device:
        before = resolve("plugs")
        with inlet("plugs") as source:
            pulled = pull(source, 100_000)
        device.wait_for("at 4.0 s unplugged")
        after = resolve("plugs", but=frozenset([before.uid()]))
        assert "at 8.0 s plugged in again" in device.said
        with inlet("plugs", but=frozenset([before.uid()])) as source:
            again = pull(source, 100)
        device.end()
        check(device, pulled)
        check(device, again, session=1)
        sent = device.journal()
    assert (after.name(), after.type(), after.source_id()) == (before.name(), before.type(), before.source_id())
    assert journal.numbers(sent.that_were(Fate.UNPLUGGED)).tolist() == list(range(1000, 2000))


def test_opened_again_it_describes_itself_as_before() -> None:
    outlet = Outlet(Device("again", ("I", "II"), counter=True), synthetic=False)
    found: list[Any] = []
    for _ in range(2):
        outlet.open()
        try:
            with inlet("again", but=frozenset(info.uid() for info in found)) as source:
                found.append(source.info())
        finally:
            outlet.close()
    first, second = (info.as_xml().partition("<desc>")[2] for info in found)
    assert first == second
    assert "<synthetic>false</synthetic>" in first
    assert found[0].uid() != found[1].uid()


def test_it_describes_itself(tmp_path: Path) -> None:
    with simulated("lsl://patch", "--rate", 250, "--counter", journal=tmp_path / "a.sent") as device:
        with inlet("patch") as source:
            info = source.info()
        assert "sending I, II, V4, counter of synthetic at 250 Hz to lsl://patch" in device.said
    assert (info.name(), info.type(), info.nominal_srate()) == ("patch", "ECG", 250)
    assert info.get_channel_labels() == ["I", "II", "V4", "counter"]
    assert info.get_channel_units()[:3] == ["uV"] * 3
    assert not info.get_channel_units()[3]
    assert info.desc().child("acquisition").child_value("manufacturer") == "ecgstream"
    assert info.desc().child_value("simulated") == info.desc().child_value("synthetic") == "true"


def test_raw_counts_name_no_unit(tmp_path: Path) -> None:
    with (
        simulated("lsl://raw", "--unit", "none", "--format", "int16", "--wait", journal=tmp_path / "a.sent"),
        inlet("raw") as source,
    ):
        assert not source.info().desc().child("channels").child("channel").child("unit").child_value()
        counts = np.array(pull(source, 200)[0][:200])
    truth = open_record(BUNDLED).read(0, 200)[[0, 1, 9]].T
    assert np.array_equal(counts, np.rint(truth * (1000 / 0.806)))
