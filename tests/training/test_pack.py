"""Packed recordings are the recordings, cut and without drift, and a cache is whole or not there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from engine.errors import SourceError
from engine.leads import INDEPENDENT, LEADS
from tests.stream.records import write_record
from training import pack as packing
from training.catalog import Entry
from training.pack import CHUNK, PIECE, _pieces, pack, raise_to_500, read


def counts(seed: int, length: int, leads: int = 12) -> np.ndarray:
    """Whole microvolts, (leads, length), up to 5 mV, that wander."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-40, 41, (leads, length))
    return np.clip(np.cumsum(steps, axis=1), -5000, 5000)


def entry(path: Path) -> Entry:
    return Entry("ptbxl", path, 1)


def write(folder: Path, name: str, microvolts: np.ndarray, **options: float) -> Entry:
    return entry(write_record(folder / name, microvolts.T / 1000, LEADS[: len(microvolts)], **options))


def test_the_values_are_the_recordings_own_cut_into_pieces(tmp_path: Path) -> None:
    long, short, one = counts(1, 2 * PIECE + 700), counts(2, PIECE - 1), counts(3, PIECE)
    entries = [write(tmp_path, name, each) for name, each in (("long", long), ("short", short), ("one", one))]
    packed = pack(entries, tmp_path / "cache")
    assert packed.signal.dtype == packed.target.dtype == np.int16
    assert packed.signal.shape == packed.target.shape == (3, len(INDEPENDENT), PIECE)
    eight = [LEADS.index(lead) for lead in INDEPENDENT]
    assert np.array_equal(packed.signal[0], long[eight, :PIECE])
    assert np.array_equal(packed.signal[1], long[eight, PIECE : 2 * PIECE])
    assert np.array_equal(packed.signal[2], one[eight])


def test_more_recordings_than_a_process_is_given_stay_in_order(tmp_path: Path) -> None:
    made = [counts(seed, PIECE, leads=2) for seed in range(CHUNK + 2)]
    packed = pack([write(tmp_path, f"r{number}", each) for number, each in enumerate(made)], tmp_path / "cache")
    for each, signal in zip(made, packed.signal, strict=True):
        assert np.array_equal(signal[:2], each)
        assert not signal[2:].any()  # leads that are not there


def test_the_target_has_no_drift_and_all_else(tmp_path: Path) -> None:
    time = np.arange(PIECE) / 500
    beat = np.sin(2 * np.pi * 5 * time)
    drift = 1.5 + 0.8 * np.sin(2 * np.pi * 0.1 * time)
    with_drift, without = (np.rint(1000 * np.tile(each, (8, 1))) for each in (beat + drift, beat))
    names = list(INDEPENDENT)
    paths = [
        write_record(tmp_path / name, each.T / 1000, names)
        for name, each in (("with", with_drift), ("without", without))
    ]
    (signal, target), (_, other) = (_pieces(entry(path))[0] for path in paths)
    assert np.array_equal(signal, with_drift)
    inner = slice(1500, -1500)  # a filter this slow needs its seconds at both ends
    assert np.abs(target[:, inner] - without[:, inner]).max() < 20
    assert np.abs(other[:, inner] - without[:, inner]).max() < 10
    spectrum = np.abs(np.fft.rfft(target[0].astype(float))) / PIECE * 2
    frequency = np.fft.rfftfreq(PIECE, 1 / 500)
    assert spectrum[frequency < 0.3].max() < 40  # of 1500 and 800 uV
    assert spectrum[frequency == 5] > 990


def test_what_no_int16_holds_is_clipped_not_wrapped(tmp_path: Path) -> None:
    high = np.full((8, PIECE), 40.0)
    high[:, ::2] = -40.0
    path = write_record(tmp_path / "high", high.T, list(INDEPENDENT), gain=500)
    signal, _ = _pieces(entry(path))[0]
    assert (signal[:, 1::2] == 32767).all()
    assert (signal[:, ::2] == -32768).all()


def test_the_cache_is_used_again_and_made_anew_where_a_part_is_missing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    entries = [write(tmp_path, "a", counts(1, PIECE))]
    first = pack(entries, cache)
    files = sorted(cache.iterdir())
    assert len(files) == 2
    moved = tmp_path / "a.moved"
    (tmp_path / "a.dat").rename(moved)
    again = pack(entries, cache)  # the recordings are not read
    assert np.array_equal(first.signal, again.signal)
    assert np.array_equal(first.target, again.target)
    moved.rename(tmp_path / "a.dat")
    for missing in files:
        missing.unlink()
        pack(entries, cache)
        assert sorted(cache.iterdir()) == files
    other = [*entries, write(tmp_path, "b", counts(2, PIECE))]
    assert len(pack(other, cache).signal) == 2
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("files_made", [0, 1])
def test_a_broken_write_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_made: int
) -> None:
    cache = tmp_path / "cache"
    recorded = counts(1, PIECE)
    entries = [write(tmp_path, "a", recorded)]
    made, open_memmap = [0], np.lib.format.open_memmap

    def breaking(*arguments: object) -> np.memmap:
        array = open_memmap(*arguments)
        if made[0] == files_made:
            raise KeyboardInterrupt
        made[0] += 1
        return array

    with monkeypatch.context() as patched:
        patched.setattr(packing.np.lib.format, "open_memmap", breaking)
        with pytest.raises(KeyboardInterrupt):
            pack(entries, cache)
    assert len(list(cache.glob("*.npy"))) == files_made
    packed = pack(entries, cache)
    assert np.array_equal(packed.signal[0, :2], recorded[:2])
    assert packed.target.shape == packed.signal.shape
    assert not list(cache.glob("*.part"))


@pytest.mark.parametrize("lengths", [[], [PIECE - 1]])
def test_nothing_long_enough_is_an_error(tmp_path: Path, lengths: list[int]) -> None:
    entries = [write(tmp_path, f"r{length}", counts(1, length)) for length in lengths]
    with pytest.raises(SourceError, match="none of the recordings holds 10 s"):
        pack(entries, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_recording_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    made = write(tmp_path, "cut-off", counts(1, PIECE))
    data = tmp_path / "cut-off.dat"
    data.write_bytes(data.read_bytes()[:-5000])
    with pytest.raises(SourceError, match=r"cut-off\.dat is cut off"):
        pack([made], tmp_path / "cache")


def test_units_and_limb_leads_are_understood(tmp_path: Path) -> None:
    first, second, chest = counts(1, PIECE, leads=3) / 1000
    limbs = {"aVR": -(first + second) / 2, "aVF": second - first / 2, "V1": chest}
    millivolts, microvolts = (
        write_record(tmp_path / unit, factor * np.stack(list(limbs.values())).T, list(limbs), units=unit, gain=gain)
        for unit, factor, gain in (("mV", 1, 2000), ("uV", 1000, 2))
    )
    for path in (millivolts, microvolts):
        leads, rate = read(path)
        assert rate == 500
        assert np.abs(leads[0] - first).max() < 2e-3  # half a count of each of the two it follows from
        assert np.abs(leads[1] - second).max() < 2e-3
        assert np.abs(leads[6] - chest).max() < 1e-6
        assert np.isnan(leads[7:]).all()


def test_100_hz_is_raised_as_the_protocol_says() -> None:
    leads = np.random.default_rng(1).standard_normal((2, 1000))
    assert np.array_equal(raise_to_500(leads, 100), resample_poly(leads, 5, 1, axis=1))
    assert raise_to_500(leads, 500) is leads


@given(rate=st.sampled_from([100, 128, 250, 257.3, 360, 400, 1000]), frequency=st.floats(1, 15))
@settings(max_examples=20)
def test_any_rate_keeps_its_time(rate: float, frequency: float) -> None:
    """A sine stays where it was, so the time at the end of 10 s is right to a fraction of a millisecond."""
    leads = np.sin(2 * np.pi * frequency * np.arange(round(10 * rate)) / rate)[None]
    raised = raise_to_500(leads, rate)
    expected = np.sin(2 * np.pi * frequency * np.arange(raised.shape[1]) / 500)
    assert abs(raised.shape[1] - PIECE) <= 2
    assert np.abs(raised[0] - expected)[250:-250].max() < 0.01


def test_a_gap_stays_a_gap() -> None:
    leads = np.ones((2, 1000))
    leads[1, 300:400] = np.nan
    raised = raise_to_500(leads, 250)
    gap = np.isnan(raised)
    assert not gap[0].any()
    assert np.flatnonzero(gap[1])[[0, -1]].tolist() == pytest.approx([600, 800], abs=2)
    assert gap[1].sum() == pytest.approx(200, abs=2)
