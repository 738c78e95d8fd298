"""Each sample once, in its place, or inside a gap of the right length.

Devices in processes of their own, broken in every way they break, over LSL and ZeroMQ, through the whole live path.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.leads import INDEX, RATE
from engine.model import load
from engine.reconstruction import Engine
from stream.address import LslAddress, ZmqAddress
from stream.bed import Bed
from stream.channels import parse_map
from stream.findings import Fault
from stream.items import Event, Gap, Item, Kind
from stream.keys import Access
from stream.simulation import journal
from stream.simulation.faults import Fate
from stream.simulation.journal import Sent
from stream.sinks.outbox import Direct
from stream.sources import Source, lsl
from stream.sources.socket import SocketSource, open_socket
from stream.ward import Ward
from tests.stream.simulation.process import simulated
from tests.stream.sinks.kept import Kept

COUNTER = INDEX["V6"]
MAPPING = parse_map(["counter=V6:1uV"])
SECONDS = 9
PACKET = RATE // 50
SETTLED_S = 1.5
"""Nothing has come for so long: all that was sent is here."""

ALL_AT_ONCE = (
    *("--loss", 0.03, "--burst", "300ms@2s", "--jitter", 10, "--drift", 150, "--clock-reset", "7s"),
    *("--unplug", "3s:2s", "--lead-off", "II@1s:1s", "--duplicate", 0.05, "--reorder", 0.05, "--noise", 20),
)
FAULTS: dict[str, tuple[object, ...]] = {
    "fine": (),
    "loss": ("--loss", 0.1),
    "burst": ("--burst", "500ms@2s"),
    "burst stamps": ("--burst-stamps", "0.56s", "--jitter", 10),
    "unstamped": ("--unstamped", "--jitter", 5, "--burst", "1s@4s"),
    "drift": ("--drift", 200),
    "clock reset": ("--clock-reset", "4s"),
    "unplug": ("--unplug", "3s:2s"),
    "lead off": ("--lead-off", "II@2s:3s", "--noise", 10),
    "duplicate": ("--duplicate", 0.1),
    "reorder": ("--reorder", 0.1),
    "all": ALL_AT_ONCE,
}
BY_STAMPS_ALONE = ("burst stamps", "unstamped", "drift", "clock reset")
"""What ZeroMQ's devices, which count, cannot suffer from."""
CASES = [("lsl", name) for name in FAULTS] + [("zmq", name) for name in FAULTS if name not in BY_STAMPS_ALONE]


@dataclass(frozen=True)
class Run:
    """What a device sent and what came of it."""

    sent: Sent
    items: Sequence[Item]
    faults: dict[Fault, int]

    def numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices (500 Hz) of all samples that came out, and the number that each of them carries."""
        blocks = [item for item in self.items if not isinstance(item, Event | Gap)]
        indices = np.concatenate([np.arange(block.start, block.end) for block in blocks])
        values = np.concatenate([block.leads[COUNTER] for block in blocks])
        assert np.isfinite(values).all()
        return indices, np.rint(1000 * values.astype(np.float64)).astype(np.int64)

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Runs of gaps that touch, as (start, length)."""
        joined: list[tuple[int, int]] = []
        for gap in (item for item in self.items if isinstance(item, Gap)):
            if joined and sum(joined[-1]) == gap.start:
                joined[-1] = (joined[-1][0], joined[-1][1] + gap.length)
            else:
                joined.append((gap.start, gap.length))
        return joined


def run(transport: str, options: tuple[object, ...], engine: Engine, folder: Path, name: str) -> Run:
    """A device from its first sample to its end, taken through the live path."""
    options = ("--leads", "I,II", "--counter", "--wait", "--seconds", SECONDS, *options)
    with contextlib.ExitStack() as stack:
        place = f"tcp://127.0.0.1:{free_port()}"
        out = f"lsl://{name}" if transport == "lsl" else f"zmq+{place}/{name}?push"
        stop = threading.Event()

        def find() -> object:
            if transport == "lsl":
                return lsl.find(LslAddress(name), MAPPING, None, stop, lambda _: None)
            address = ZmqAddress(place, name, queued=True)
            return open_socket(address, MAPPING, None, access=Access(), stop=stop, say=lambda _: None)

        finding = stack.enter_context(ThreadPoolExecutor(1)).submit(find)
        device = stack.enter_context(simulated(out, *options, journal=folder / f"{name}.sent"))
        source = finding.result(60)
        assert isinstance(source, lsl.Inlet | SocketSource)
        items, faults = derived(engine, source, device.wait)
        return Run(device.journal(), items, faults)


def derived(engine: Engine, source: Source, ended: Callable[[], object]) -> tuple[list[Item], dict[Fault, int]]:
    """All that comes of a source until it has ended and no more settles."""
    kept, ward = Kept(), Ward(engine)
    place = ward.admit(Bed(engine, source.rate, source.leads), source, [Direct(kept, "kept")])
    ward.start()
    try:
        ended()
        settled, since = -1, time.monotonic()
        while time.monotonic() - since < SETTLED_S:
            if place.bed.received != settled:
                settled, since = place.bed.received, time.monotonic()
            time.sleep(0.05)
    finally:
        ward.stop.set()
        ward.wait()
    for frame in place.bed.finish():  # what waited for its look-ahead
        place.bed.settle(frame, engine.estimate([frame])[0])
    return [*kept.items, *place.bed.items()], place.faults


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def runs(lsl: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Run]]:
    """All of them at once: they mostly wait."""
    engine, folder = load(), tmp_path_factory.mktemp("identity")
    with ThreadPoolExecutor(len(CASES)) as pool:
        begun = {
            case: pool.submit(run, case[0], FAULTS[case[1]], engine, folder, f"{case[0]}-{case[1].replace(' ', '-')}")
            for case in CASES
        }
        yield {case: each.result() for case, each in begun.items()}


@pytest.mark.parametrize(("transport", "name"), CASES, ids=[" ".join(case) for case in CASES])
def test_each_sample_once_in_its_place_or_in_a_gap(runs: dict[tuple[str, str], Run], transport: str, name: str) -> None:
    result = runs[transport, name]
    indices, numbers = result.numbers()
    assert (np.diff(indices) > 0).all()
    assert (np.diff(numbers) > 0).all()
    assert len(numbers) > 2 * RATE
    # In its place: one and the same shift from number to index throughout, so each gap is as long as what is missing.
    shift = indices - numbers
    slack = slack_of(transport, name)
    assert np.ptp(shift) <= slack
    came = set(numbers.tolist())
    went = set(journal.numbers(result.sent.that_went()).tolist())
    assert came <= went
    inner = {number for number in went if numbers[0] <= number <= numbers[-1]}
    missing = np.array(sorted(inner - came), np.int64)
    # What was sent and is not there lies in a gap that is told: only what came too late for its place may, and what
    # sent to nobody before the new outlet was found.
    most = {"reorder": len(inner) // 20, "all": 2 * RATE, "unplug": 2 * RATE if transport == "lsl" else 0}
    assert len(missing) <= most.get(name, 0)
    inside = np.zeros(len(missing), bool)
    for start, length in result.gaps:
        inside |= (missing + shift[0] >= start - slack) & (missing + shift[0] < start + length + slack)
    assert inside.all()
    # And the end is not cut off.
    assert max(went) - numbers[-1] <= RATE // 20


def slack_of(transport: str, name: str) -> int:
    """How far from its place a sample may be: none where stamps or counts are evidence of it."""
    if transport == "zmq":
        return 1 if name in ("unplug", "all") else 0  # a new count begins where the device's clock says
    # A packet lost just where the clock begins anew leaves no trace in stamps: the host's clock is all there is.
    return {"burst stamps": RATE // 20, "unstamped": RATE // 50, "all": PACKET}.get(name, 0)


FOUND = [
    ("lsl", "loss", Fault.GAP),
    ("lsl", "clock reset", Fault.RESET),
    ("lsl", "duplicate", Fault.DUPLICATE),
    ("lsl", "reorder", Fault.REORDER),
    ("zmq", "loss", Fault.GAP),
    ("zmq", "duplicate", Fault.DUPLICATE),
    ("zmq", "reorder", Fault.REORDER),
]


@pytest.mark.parametrize(("transport", "name", "fault"), FOUND)
def test_what_was_the_matter_is_told(runs: dict[tuple[str, str], Run], transport: str, name: str, fault: Fault) -> None:
    result = runs[transport, name]
    assert result.faults[fault]
    kind = Kind.GAP if fault is Fault.GAP else Kind.CLOCK
    assert any(isinstance(item, Event) and item.kind is kind for item in result.items)
    if fault is Fault.RESET:
        assert result.faults == {Fault.RESET: 1}


@pytest.mark.parametrize("transport", ["lsl", "zmq"])
def test_nothing_is_the_matter_with_what_is_fine(runs: dict[tuple[str, str], Run], transport: str) -> None:
    for name in ("fine", "lead off", *(("drift",) if transport == "lsl" else ())):
        result = runs[transport, name]
        assert result.faults == {}
        assert result.gaps == []
        assert len(result.numbers()[0]) >= (SECONDS - 0.1) * RATE


@pytest.mark.parametrize("transport", ["lsl", "zmq"])
def test_a_lead_that_is_off_is_told_and_comes_back(runs: dict[tuple[str, str], Run], transport: str) -> None:
    events = [item for item in runs[transport, "lead off"].items if isinstance(item, Event)]
    off, back = (event for event in events if event.kind in (Kind.LEAD_OFF, Kind.LEAD_BACK))
    assert (off.kind, off.lead, back.kind, back.lead) == (Kind.LEAD_OFF, "II", Kind.LEAD_BACK, "II")
    assert 2 * RATE < off.index <= 2.5 * RATE
    assert 5 * RATE <= back.index <= 5.1 * RATE


@pytest.mark.parametrize("transport", ["lsl", "zmq"])
def test_what_is_lost_is_what_was_lost(runs: dict[tuple[str, str], Run], transport: str) -> None:
    result = runs[transport, "burst"]
    lost = result.sent.that_were(Fate.BURST)["count"].sum()
    ends = 2 * RATE // 50  # a burst at the very end is followed by nothing that tells
    assert abs(sum(length for _, length in result.gaps) - lost) <= (RATE // 2 + ends if lost % RATE else ends)
