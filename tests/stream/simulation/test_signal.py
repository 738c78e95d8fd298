"""A record as an endless signal: to the bit at its own rate, and at others without a seam."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SourceError
from stream.simulation.device import RAIL_MV
from stream.simulation.signal import Signal
from tests.stream.simulation.signals import Tones

LEADS = ("I", "II", "V4")


def truth(tones: Tones, rate: float, start: int, stop: int) -> np.ndarray:
    return np.stack([tones.at(lead, np.arange(start, stop) / rate) for lead in tones.leads])


def test_at_its_own_rate_it_is_the_record_again_and_again() -> None:
    tones = Tones(n_samples=1003)
    signal = Signal(tones, LEADS, 500)
    assert signal.n_samples is None
    rows = tones.samples[[0, 1, 9]]
    read = signal.read(0, 12_345)
    assert read.dtype == np.float32
    assert np.array_equal(read, np.concatenate([rows] * 13, axis=1)[:, :12_345])


@pytest.mark.parametrize("rate", [100, 125, 130, 250, 256, 360, 500, 1000, 2000])
def test_at_another_rate_it_goes_on_beyond_pieces_and_the_records_end(rate: float) -> None:
    tones = Tones(n_samples=3500)  # 7 s, while a piece is 10 s
    read = Signal(tones, LEADS, rate).read(0, int(45 * rate))
    # What is left is the filter's ripple: a seam would be a hundred times as large.
    assert np.abs(read - truth(tones, rate, 0, int(45 * rate))).max() < 2e-3


@given(cuts=st.lists(st.integers(0, 4000), max_size=8), rate=st.sampled_from([130.0, 250.0, 500.0, 720.0]))
def test_any_pieces_are_the_whole(cuts: list[int], rate: float) -> None:
    tones = Tones(n_samples=1700)
    whole = Signal(tones, LEADS, rate).read(0, 4000)
    places = [0, *sorted(cuts), 4000]
    signal = Signal(tones, LEADS, rate)
    pieces = [signal.read(a, b) for a, b in pairwise(places)]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


@pytest.mark.parametrize(("rate", "length"), [(500, 1003), (250, 501), (1000, 2006)])
def test_once_it_ends_with_the_record(rate: float, length: int) -> None:
    tones = Tones(n_samples=1003)
    signal = Signal(tones, LEADS, rate, endless=False)
    assert signal.n_samples == length
    read = signal.read(0, length)
    assert read.shape == (3, length)
    inner = slice(40, -40)
    assert np.abs(read - truth(tones, rate, 0, length))[:, inner].max() < 2e-3


def test_what_the_record_lacks_stands_at_the_rail() -> None:
    tones = Tones(holes=(slice(100, 300),))
    for rate, hole in ((500, slice(100, 300)), (250, slice(50, 150))):
        read = Signal(tones, LEADS, rate).read(0, int(2 * rate))
        assert (read[:, hole] == np.float32(RAIL_MV)).all()
        rest = np.delete(read, np.arange(hole.start, hole.stop), axis=1)
        assert np.abs(rest).max() < 1.2


def test_a_lead_that_it_has_not_is_refused() -> None:
    with pytest.raises(SourceError, match="no V1, V2; --leads may name I, II, V4"):
        Signal(Tones(), ("V1", "V2"), 500)
