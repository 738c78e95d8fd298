"""What becomes of packets: every fault as it is meant, alone and with the others, and no sample unaccounted for."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.simulation.device import Burst, Device, Faults, Span, Stamping
from stream.simulation.faults import GONE, Delivery, Fate, deliveries
from stream.simulation.packets import Packet

RATE, PACKET = 500, 10
DEVICE = Device("device", ("I",), rate=RATE, packet=PACKET)
EPOCH = 1000.0


def some_packets(count: int, packet: int = PACKET) -> list[Packet]:
    return [Packet(number, number * packet, np.zeros((packet, 1), np.float32)) for number in range(count)]


def flow(count: int, device: Device = DEVICE, **faults: Any) -> list[Delivery]:
    return list(deliveries(some_packets(count, device.packet), device, Faults(**faults), epoch=EPOCH))


def numbers(found: list[Delivery], fate: Fate | None = None) -> list[int]:
    """Of the packets with this fate, or of all."""
    return [each.packet.number for each in found if fate is None or each.fate & fate]


def test_a_good_device_sends_each_packet_when_its_last_sample_has_been_taken() -> None:
    found = flow(100)
    assert numbers(found) == list(range(100))
    assert {each.fate for each in found} == {Fate.SENT}
    assert [each.due for each in found] == pytest.approx([0.02 * (n + 1) for n in range(100)])
    stamps = np.concatenate([each.stamps for each in found if each.stamps is not None])
    assert stamps == pytest.approx(EPOCH + np.arange(1000) / RATE, abs=1e-9)


def test_each_packet_is_lost_with_the_probability() -> None:
    found = flow(20_000, loss=0.1)
    assert numbers(found) == list(range(20_000))
    gone = numbers(found, Fate.LOST)
    assert len(gone) == pytest.approx(2000, abs=150)
    assert sum(b - a == 1 for a, b in pairwise(gone)) == pytest.approx(200, abs=60)
    assert all(each.is_gone == bool(each.fate) for each in found)


def test_bursts_come_back_and_take_all_that_begins_within_them() -> None:
    found = flow(5000, burst=Burst(2, 30))
    assert numbers(found, Fate.BURST) == [*range(1500, 1600), *range(3000, 3100), *range(4500, 4600)]
    assert numbers(flow(400, burst=Burst(0.001, 1)), Fate.BURST) == [50, 100, 150, 200, 250, 300, 350]


def test_unplugged_it_loses_all_and_comes_back_as_a_new_one() -> None:
    found = flow(1000, unplugs=(Span(2, 1), Span(5, 0.5), Span(100, 5)))
    assert numbers(found) == list(range(1000))
    assert numbers(found, Fate.UNPLUGGED) == [*range(100, 150), *range(250, 275)]
    sessions = {each.packet.number: each.session for each in found}
    assert [sessions[number].number for number in (0, 149, 150, 274, 275, 999)] == [0, 0, 1, 1, 2, 2]
    assert (sessions[300].first_packet, sessions[300].first_index) == (275, 2750)


def test_a_reordered_packet_comes_right_after_the_next() -> None:
    found = flow(10_000, reorder=0.05)
    assert sorted(numbers(found)) == list(range(10_000))
    swapped = 0
    for before, after in pairwise(found):
        if after.fate & Fate.REORDERED:
            assert (before.packet.number, before.fate) == (after.packet.number + 1, Fate.SENT)
            assert after.due == before.due
            swapped += 1
        else:
            assert after.packet.number > before.packet.number or before.fate & Fate.REORDERED
    assert swapped == pytest.approx(10_000 * 0.05 / 1.05, abs=80)
    assert numbers(flow(5, reorder=1)) == [1, 0, 3, 2, 4]


def test_what_is_lost_changes_places_with_nothing() -> None:
    found = flow(1000, reorder=0.9, loss=0.5, unplugs=(Span(4, 2),))
    order = numbers(found)
    for at, each in enumerate(found):
        if each.fate & Fate.REORDERED:
            assert order[at - 1] == each.packet.number + 1
            assert not found[at - 1].is_gone
            assert found[at - 1].session == each.session
        elif each.is_gone:
            assert each.packet.number == at


def test_a_duplicate_is_the_same_once_more() -> None:
    found = flow(10_000, duplicate=0.05)
    copies = [(before, after) for before, after in pairwise(found) if after.fate & Fate.DUPLICATE]
    assert len(copies) == pytest.approx(500, abs=80)
    assert len(found) == 10_000 + len(copies)
    for before, after in copies:
        assert (before.packet, before.due, before.session) == (after.packet, after.due, after.session)
        assert np.array_equal(before.stamps, after.stamps)  # type: ignore[arg-type]
        assert not before.fate & Fate.DUPLICATE


def test_jitter_delays_and_keeps_the_order_and_the_stamps_of_a_stamped_device() -> None:
    found, punctual = flow(5000, jitter_s=0.05), flow(5000)
    assert numbers(found) == list(range(5000))
    late = np.array([a.due - b.due for a, b in zip(found, punctual, strict=True)])
    assert late.min() >= 0
    assert late.max() <= 0.05
    assert late.max() > 0.049
    assert late.min() < 0.005
    assert (np.diff([each.due for each in found]) >= 0).all()
    assert all(np.array_equal(a.stamps, b.stamps) for a, b in zip(found, punctual, strict=True))  # type: ignore[arg-type]


def test_a_burst_stamped_device_has_the_time_of_sending_jitter_and_all() -> None:
    device = replace(DEVICE, packet=280, stamping=Stamping.BURST)
    for each in flow(50, device, jitter_s=0.1):
        assert each.stamps is not None
        assert each.stamps.shape == (280,)
        assert set(each.stamps) == {EPOCH + each.due}
    assert flow(3, device)[2].due == pytest.approx(3 * 0.56)


def test_an_unstamped_device_has_no_stamps() -> None:
    assert {each.stamps for each in flow(5, replace(DEVICE, stamping=Stamping.NONE))} == {None}


@pytest.mark.parametrize(("ppm", "speed"), [(200, 1), (-200, 1), (0, 60), (50, 4)])
def test_a_clock_that_runs_fast_stamps_as_its_samples_come_and_sends_sooner(ppm: float, speed: float) -> None:
    found = flow(1000, replace(DEVICE, drift_ppm=ppm, speed=speed))
    pace = speed * (1 + ppm / 1e6)
    assert found[-1].due == pytest.approx(20 / pace, rel=1e-12)
    assert found[-1].stamps is not None
    assert found[-1].stamps[-1] == pytest.approx(EPOCH + 9999 / RATE)
    bursts = flow(10, replace(DEVICE, drift_ppm=ppm, speed=speed, stamping=Stamping.BURST))
    assert bursts[-1].stamps is not None
    assert bursts[-1].stamps[0] == pytest.approx(EPOCH + 0.2)


@pytest.mark.parametrize("stamping", [Stamping.OWN, Stamping.BURST])
def test_after_a_reset_the_clock_counts_from_nothing(stamping: Stamping) -> None:
    device = replace(DEVICE, stamping=stamping, clock_resets=(1.0, 3.0))
    stamps = np.concatenate([each.stamps for each in flow(250, device) if each.stamps is not None])
    first = 500 if stamping is Stamping.OWN else 490  # a packet is stamped when it ends
    assert (stamps[:first] >= EPOCH).all()
    assert stamps[first] == pytest.approx(1 / RATE)
    assert 1.9 < stamps[first + 990] < 2.01
    assert stamps[first + 1000] == pytest.approx(1 / RATE)
    assert (stamps > 0).all()  # 0 would say that there is none


ALL = Faults(
    loss=0.05,
    burst=Burst(0.3, 2),
    unplugs=(Span(3, 0.7),),
    duplicate=0.1,
    reorder=0.1,
    jitter_s=0.05,
    seed=3,
)


@given(
    loss=st.floats(0, 1),
    duplicate=st.floats(0, 1),
    reorder=st.floats(0, 1),
    jitter_s=st.floats(0, 1),
    burst=st.none() | st.builds(Burst, st.floats(0.01, 0.5), st.floats(0.6, 2)),
    unplugs=st.lists(st.integers(0, 20), unique=True, max_size=4).map(
        lambda places: tuple(Span(place / 2, 0.4) for place in sorted(places))
    ),
    seed=st.integers(0, 2**32),
    packet=st.integers(1, 100),
)
def test_every_sample_is_sent_once_or_known_to_be_lost_and_what_is_more_is_known_too(
    packet: int, **faults: Any
) -> None:
    device = replace(DEVICE, packet=packet)
    found = flow(200, device, **faults)
    assert sorted(numbers([each for each in found if not each.fate & Fate.DUPLICATE])) == list(range(200))
    sent, gone = [each for each in found if not each.is_gone], {each.packet.number for each in found if each.is_gone}
    copies = Counter(numbers(found, Fate.DUPLICATE))
    assert Counter(numbers(sent)) == Counter({n: 1 + copies[n] for n in range(200) if n not in gone})
    assert max(copies.values(), default=0) <= 1
    for each in found:
        assert (each.fate & GONE) in (Fate.SENT, Fate.LOST, Fate.BURST, Fate.UNPLUGGED)  # for one reason at most
        assert not (each.is_gone and each.fate & (Fate.DUPLICATE | Fate.REORDERED))
    dues = [each.due for each in found]
    assert all(a <= b for a, b in pairwise(dues))
    sessions = [each.session.number for each in sent]
    assert sessions == sorted(sessions)
    # Without the known faults the order is that of the packets.
    straight = numbers([each for each in sent if not each.fate & (Fate.DUPLICATE | Fate.REORDERED)])
    assert straight == sorted(straight)


def test_the_seed_repeats_everything_and_another_changes_it() -> None:
    def story(faults: Faults) -> list[tuple[int, Fate, float]]:
        found = deliveries(some_packets(500), DEVICE, faults, epoch=EPOCH)
        return [(each.packet.number, each.fate, each.due) for each in found]

    assert story(ALL) == story(ALL)
    assert story(ALL) != story(replace(ALL, seed=4))


def test_a_fault_that_is_turned_on_leaves_the_others_as_they_were() -> None:
    alone = set(numbers(flow(2000, loss=0.05), Fate.LOST))
    together = flow(2000, loss=0.05, burst=Burst(0.3, 2), duplicate=0.5, reorder=0.5, jitter_s=0.05)
    in_bursts = set(numbers(together, Fate.BURST))
    assert in_bursts
    assert set(numbers(together, Fate.LOST)) == alone - in_bursts
