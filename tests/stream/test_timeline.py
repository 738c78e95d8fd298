"""Samples in their place: a record's by its index; a device's once each, or in a gap that is told."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.items import Arrival
from stream.timeline import Fault, LiveTimeline, Timeline
from tests.stream.devices import BEGUN_S, Account, Device, Stamps, arrivals, numbered, numbers, recut, run

RATES = [100, 130, 250, 360, 500, 1000, 2000]
SURE = [Stamps.EXACT, Stamps.COARSE, Stamps.COUNT]
"""What says where each sample belongs."""


def arrival(index: int, length: int) -> Arrival:
    samples = np.arange(index, index + length, dtype=np.float32) * np.ones((12, 1), np.float32)
    return Arrival(0.0, samples, index, truth=samples)


def result(**device: Any) -> Account:
    return run(arrivals(Device(**device)), device.get("rate", 250.0))[0]


def test_of_a_record_a_jump_is_a_gap_and_what_comes_twice_is_left_out_and_said() -> None:
    timeline = Timeline()
    for index, length, expected, repeated in (
        (0, 10, (0, 10), 0),
        (10, 5, (10, 15), 0),
        (15, 0, None, 0),
        (100, 10, (100, 110), 0),
        (105, 10, (110, 115), 5),
        (100, 10, None, 10),
        (115, 10, (115, 125), 0),
    ):
        placed = timeline.place(arrival(index, length))
        assert [(chunk.index, chunk.end) for chunk in placed.chunks] == ([expected] if expected else [])
        for chunk in placed.chunks:
            assert chunk.samples[0].tolist() == list(range(chunk.index, chunk.end))
            assert chunk.truth is not None
            assert np.array_equal(chunk.truth, chunk.samples)
        assert sum(finding.value for finding in placed.findings) == repeated
        assert all(finding.fault is Fault.DUPLICATE for finding in placed.findings)
    assert timeline.flush().chunks == ()
    assert timeline.time_of(3) is None


def test_a_record_counts() -> None:
    with pytest.raises(ValueError, match="without an index"):
        Timeline().place(Arrival(0.0, np.zeros((12, 3), np.float32)))


@settings(max_examples=60)
@given(
    rate=st.sampled_from(RATES),
    stamps=st.sampled_from(Stamps),
    packet_s=st.sampled_from([0.02, 0.1, 0.56]),
    faults=st.fixed_dictionaries(
        {
            "loss": st.sampled_from([0, 0.05, 0.3]),
            "duplicate": st.sampled_from([0, 0.1]),
            "reorder": st.sampled_from([0, 0.1]),
            "delay": st.sampled_from([0, 0.002, 0.02]),
            "drift": st.sampled_from([0, 2e-4, -2e-4]),
            "off": st.sampled_from([0, 0.009, -0.009]),
            "odd_stamps": st.sampled_from([0, 0.02]),
            "bursts": st.sampled_from([(), ((5.0, 6.5),)]),
            "leaps": st.sampled_from([(), ((8.0, 3600.0),), ((8.0, -3600.0),), ((8.0, -0.05),)]),
            "aways": st.sampled_from([(), ((10.0, 12.0, True),), ((10.0, 12.0, False),)]),
            "stalls": st.sampled_from([(), ((14.0, 17.0),)]),
        }
    ),
    seed=st.integers(0, 999),
)
def test_the_law_holds_whatever_is_wrong(
    rate: int, stamps: Stamps, packet_s: float, faults: dict[str, Any], seed: int
) -> None:
    """`run` checks it: each sample once, or told to be left out; each index in a chunk or in one gap that is told."""
    packet = max(1, round(packet_s * rate))
    if stamps not in SURE or faults["odd_stamps"]:
        faults["duplicate"] = 0  # what comes again with another time, or none, is not known as such
    device = Device(rate=rate, packet=packet, stamps=stamps, seconds=20, noise=1 / rate, seed=seed, **faults)
    run(arrivals(device), rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("stamps", SURE)
def test_each_sample_is_in_its_place(rate: int, stamps: Stamps) -> None:
    if stamps is Stamps.COARSE and rate > 250:
        pytest.skip("a ms is no evidence of a sample at this rate")
    account = result(
        rate=rate,
        packet=max(1, rate // 50),
        stamps=stamps,
        loss=0.05,
        duplicate=0.05,
        reorder=0.05,
        delay=0.003,
        drift=1e-4,
        bursts=((20.0, 21.3),),
        aways=((30.0, 33.0, True),),
    )
    assert len(account.shifts()) == 1
    assert account.total(Fault.REFUSED) <= max(1, rate // 50)  # what was to come before the stream's first packet
    told = {finding.fault for finding in account.findings}
    assert told <= {Fault.GAP, Fault.DUPLICATE, Fault.REORDER, Fault.REFUSED}


@settings(max_examples=15)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_however_they_are_cut_samples_find_the_same_place(sizes: Sequence[int], seed: int) -> None:
    device = Device(stamps=Stamps.EXACT, loss=0.05, bursts=((20.0, 21.3),), drift=1e-4, seed=seed)
    whole, cut = run(arrivals(device), 250.0)[0], run(recut(arrivals(device), sizes), 250.0)[0]
    assert cut.index == whole.index


@pytest.mark.parametrize("stamps", [Stamps.EXACT, Stamps.PUSHED, Stamps.BURST, Stamps.NONE, Stamps.COUNT])
@pytest.mark.parametrize("drift", [2e-4, -2e-4])
def test_a_clock_that_drifts_for_an_hour_loses_and_invents_nothing(stamps: Stamps, drift: float) -> None:
    account = result(packet=25, stamps=stamps, seconds=3600, drift=drift, delay=0.004)
    assert account.findings == []
    assert account.shifts() == [0]


@pytest.mark.parametrize("off", [0.0095, -0.0095])
@pytest.mark.parametrize("stamps", [Stamps.EXACT, Stamps.NOISY])
def test_a_rate_that_is_wrong_by_one_percent_is_fitted(stamps: Stamps, off: float) -> None:
    account, timeline = run(arrivals(Device(stamps=stamps, seconds=300, off=off, noise=0.002)), 250.0)
    assert account.total(Fault.GAP) == 0
    assert account.shifts() == [0]
    assert timeline.fitted_rate == pytest.approx(250 * (1 + off), rel=2e-4)


def test_a_rate_that_is_further_off_is_told() -> None:
    account = result(stamps=Stamps.EXACT, seconds=300, off=0.03)
    assert account.of(Fault.RATE)


@pytest.mark.parametrize("stamps", [Stamps.BURST, Stamps.PUSHED, Stamps.NONE])
@pytest.mark.parametrize("seed", range(4))
def test_packets_that_carry_one_time_are_laid_out_by_rate(stamps: Stamps, seed: int) -> None:
    fine = result(rate=130, packet=73, stamps=stamps, seconds=300, delay=0.02, seed=seed)
    assert fine.findings == []
    assert fine.shifts() == [0]


@pytest.mark.parametrize("stamps", [Stamps.BURST, Stamps.PUSHED])
def test_what_such_a_device_loses_in_an_hour_is_a_gap_in_the_end(stamps: Stamps) -> None:
    device = Device(rate=130, packet=73, stamps=stamps, seconds=3600, delay=0.01, loss=0.05)
    account = run(arrivals(device), 130.0)[0]
    lost = max(account.index) + 1 - len(account.index)
    assert lost > 10_000
    assert account.total(Fault.GAP) == pytest.approx(lost, abs=8)


@pytest.mark.parametrize("leap", [3600.0, -3600.0, 1e9, -1234.0])
@pytest.mark.parametrize("stamps", [Stamps.EXACT, Stamps.BURST])
def test_a_clock_that_begins_anew_loses_nothing(stamps: Stamps, leap: float) -> None:
    account = result(packet=25, stamps=stamps, leaps=((30.0, leap),))
    assert [finding.fault for finding in account.findings] == [Fault.RESET]
    assert account.findings[0].value == pytest.approx(leap, abs=0.2)
    assert account.shifts() == [0]


def test_a_clock_that_steps_back_loses_nothing() -> None:
    account = result(leaps=((30.0, -0.1),))
    assert [finding.fault for finding in account.findings] == [Fault.STEP_BACK]
    assert account.shifts() == [0]


@pytest.mark.parametrize("stamps", [Stamps.EXACT, Stamps.BURST, Stamps.COUNT])
def test_a_network_that_stalls_is_no_gap(stamps: Stamps) -> None:
    account = result(packet=25, stamps=stamps, stalls=((30.0, 35.0),))
    assert account.findings == []
    assert account.shifts() == [0]


@pytest.mark.parametrize("stamps", [Stamps.EXACT, Stamps.NONE, Stamps.COUNT])
def test_a_device_that_began_anew_is_back_after_a_gap_of_the_hosts_length(stamps: Stamps) -> None:
    account = result(stamps=stamps, aways=((20.0, 25.0, False),))
    assert account.total(Fault.GAP) == pytest.approx(5 * 250, abs=8)


def test_a_count_that_cannot_be_is_refused_and_one_that_goes_on_elsewhere_began_anew() -> None:
    timeline, account = LiveTimeline(500), Account()

    def take(count: int, number: int, received: float) -> None:
        account.sent += range(number, number + 10)
        placed = timeline.place(Arrival(received, numbered(number, 10), count))
        account.take(placed.chunks, placed.findings)

    for packet in range(50):
        take(10 * packet, 10 * packet, BEGUN_S + packet / 50)
    take(2**60, 500, BEGUN_S + 1.0)
    for packet in range(51, 200):
        take(10 * packet - 510, 10 * packet, BEGUN_S + packet / 50)
    flushed = timeline.flush()
    account.take(flushed.chunks, flushed.findings)
    account.check()
    assert account.total(Fault.REFUSED) == 10
    assert len(account.of(Fault.RESET)) == 1
    assert account.end <= 2010


def test_a_day_of_silence_is_a_jump() -> None:
    timeline = LiveTimeline(500)
    first = timeline.place(Arrival(BEGUN_S, numbered(0, 10), 0))
    day = 24 * 3600
    after = timeline.place(Arrival(BEGUN_S + day, numbered(500 * day, 10), 500 * day))
    chunks = [*first.chunks, *after.chunks, *timeline.flush().chunks]
    assert [(chunk.index, chunk.end) for chunk in chunks] == [(0, 10), (500 * day, 500 * day + 10)]


def test_stamps_that_are_no_time_spoil_nothing() -> None:
    account = result(packet=25, odd_stamps=0.05, seconds=120)
    assert account.shifts() == [0]
    assert not account.total(Fault.GAP)


@pytest.mark.parametrize("stamps", [Stamps.EXACT, Stamps.BURST, Stamps.COUNT])
def test_when_a_sample_was_taken_is_known(stamps: Stamps) -> None:
    device = Device(packet=25, stamps=stamps, delay=0.004, drift=1e-4, knows_offset=stamps is Stamps.EXACT)
    account, timeline = run(arrivals(device), 250.0)
    number = max(account.index)
    at = timeline.time_of(account.index[number])
    assert at is not None
    assert at == pytest.approx(device.taken(number), abs=0.02)
    assert numbers(numbered(number, 1)).tolist() == [number]
