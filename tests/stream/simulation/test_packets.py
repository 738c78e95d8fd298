"""What a device makes of a signal: its own unit and format, a counter, noise, electrodes that come off."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.simulation.device import COUNTER_MODULUS, RAIL_MV, Device, Format, LeadOff, Span, Unit
from stream.simulation.packets import Packet, packets
from stream.simulation.signal import Signal
from tests.stream.simulation.signals import Tones

LEADS = ("I", "II", "V4")


def made(n_samples: int, *, seed: int = 0, tones: Tones | None = None, **device: Any) -> list[Packet]:
    rate = device.setdefault("rate", 500.0)
    signal = Signal(tones or Tones(), LEADS, rate)
    return list(packets(signal, Device("device", LEADS, **device), n_samples=n_samples, seed=seed))


def whole(pieces: list[Packet]) -> np.ndarray:
    return np.concatenate([packet.values for packet in pieces])


@given(n_samples=st.integers(0, 500), packet=st.integers(1, 60))
def test_packets_follow_one_another(n_samples: int, packet: int) -> None:
    pieces = made(n_samples, packet=packet, unit=Unit.MV)
    assert [each.number for each in pieces] == list(range(-(-n_samples // packet)))
    end = 0
    for each in pieces:
        assert each.index == end
        assert len(each.values) == min(packet, n_samples - end) > 0
        end = each.end
    assert end == n_samples
    if pieces:
        assert np.array_equal(whole(pieces).T, Signal(Tones(), LEADS, 500).read(0, n_samples))


def test_they_end_with_a_signal_that_ends() -> None:
    signal = Signal(Tones(), LEADS, 500, endless=False)
    assert whole(list(packets(signal, Device("d", LEADS, packet=30)))).shape == (1000, 3)
    assert whole(list(packets(signal, Device("d", LEADS, packet=30), n_samples=70))).shape == (70, 3)


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("format", Format)
def test_units_and_formats(unit: Unit, format: Format) -> None:
    if format.limits and unit in (Unit.V, Unit.MV):
        return  # refused: see the notation's tests
    values = whole(made(1000, unit=unit, format=format))
    assert values.dtype == format.dtype
    mv = Signal(Tones(), LEADS, 500).read(0, 1000).T.astype(np.float64)
    per_mv = {"V": 0.001, "mV": 1, "uV": 1000, "none": 1000 / 0.806}[unit]
    if format is Format.INT8:
        assert (values.min(), values.max()) == (-128, 127)
        inner = np.abs(mv * per_mv) < 127
        assert np.array_equal(values[inner], np.rint(mv * per_mv)[inner])
    elif format.limits:
        assert np.array_equal(values, np.rint(mv * per_mv))
    else:
        assert values == pytest.approx(mv * per_mv, rel=1e-6, abs=1e-12)


def test_what_is_clipped_is_counted() -> None:
    mv = Signal(Tones(), LEADS, 500).read(0, 100)
    pieces = made(100, format=Format.INT8, packet=10)
    assert sum(packet.clipped for packet in pieces) == int(((mv * 1000 < -128.5) | (mv * 1000 > 127.5)).sum()) > 0
    assert not any(packet.clipped for packet in made(100, format=Format.INT16))


def test_the_counter_holds_the_number_of_each_sample_in_every_format() -> None:
    for format in Format:
        device = Device("d", LEADS, format=format, counter=True, packet=7)
        assert device.channels == (*LEADS, "counter")
        values = whole(made(300, format=format, counter=True, packet=7))
        modulus = {Format.INT8: 2**7, Format.INT16: 2**15}.get(format, 2**20)
        assert device.counter_modulus == modulus <= COUNTER_MODULUS
        assert np.array_equal(values[:, 3], np.arange(300) % modulus)
        assert np.array_equal(values[:, :3], whole(made(300, format=format)))
    # Its largest number in uV is still exact as float32 millivolts.
    largest = np.arange(COUNTER_MODULUS - 1000, COUNTER_MODULUS).astype(np.float32)
    assert np.array_equal(np.rint(largest * np.float32(1e-3) * np.float32(1000)), largest)


def test_noise_is_white_of_its_size_and_repeatable() -> None:
    quiet = whole(made(20_000, unit=Unit.UV))
    noise = whole(made(20_000, unit=Unit.UV, noise_uv=30)) - quiet
    assert noise.std(axis=0) == pytest.approx([30, 30, 30], rel=0.03)
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.03
    neighbours = [np.corrcoef(noise[1:, row], noise[:-1, row])[0, 1] for row in range(3)]
    assert np.abs(neighbours).max() < 0.03
    assert np.array_equal(noise, whole(made(20_000, unit=Unit.UV, noise_uv=30)) - quiet)
    assert not np.array_equal(noise, whole(made(20_000, unit=Unit.UV, noise_uv=30, seed=1)) - quiet)


@given(at=st.integers(0, 120), length=st.integers(1, 120), packet=st.integers(1, 33))
def test_a_lead_that_is_off_stands_still_for_exactly_so_long(at: int, length: int, packet: int) -> None:
    off = LeadOff("V4", Span(at / 500, length / 500))
    values = whole(made(200, unit=Unit.MV, noise_uv=50, lead_off=(off,), packet=packet))
    is_off = (np.arange(200) >= at) & (np.arange(200) < at + length)
    assert (values[is_off, 2] == np.float32(RAIL_MV)).all()
    fine = whole(made(200, unit=Unit.MV, noise_uv=50, packet=packet))
    assert np.array_equal(values[~is_off], fine[~is_off])
    assert np.array_equal(values[:, :2], fine[:, :2])


def test_a_rail_fits_into_16_bits() -> None:
    off = LeadOff("I", Span(0, 1))
    for unit, rail in ((Unit.UV, 20_000), (Unit.NONE, 24_814)):
        (packet,) = made(10, unit=unit, format=Format.INT16, lead_off=(off,))
        assert (packet.values[:, 0] == rail).all()
        assert packet.clipped == 0
