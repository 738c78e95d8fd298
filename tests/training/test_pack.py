"""Packed recordings are the recordings, cut and without drift, and a cache is whole or not there."""

import os
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import resample_poly

from engine.errors import SourceError
from engine.leads import INDEPENDENT, LEADS
from tests.stream.records import write_record
from training import pack as packing
from training.catalog import Entry
from training.pack import CHUNK, LAYOUT, PIECE, _pieces, fingerprint, pack, raise_to_500, read


def counts(seed: int, length: int, leads: int = 12) -> NDArray[np.int64]:
    """Whole microvolts, (leads, length), up to 5 mV, that wander."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-40, 41, (leads, length))
    return np.clip(np.cumsum(steps, axis=1), -5000, 5000)


def entry(path: Path) -> Entry:
    return Entry("ptbxl", path, 1)


def write(folder: Path, name: str, microvolts: NDArray[np.int64]) -> Entry:
    return entry(write_record(folder / name, microvolts.T / 1000, LEADS[: len(microvolts)]))


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
    assert packed.held.shape == (3, len(INDEPENDENT))
    assert packed.held.all()


def test_more_recordings_than_a_process_is_given_stay_in_order(tmp_path: Path) -> None:
    made = [counts(seed, PIECE, leads=2) for seed in range(CHUNK + 2)]
    packed = pack([write(tmp_path, f"r{number}", each) for number, each in enumerate(made)], tmp_path / "cache")
    for each, signal in zip(made, packed.signal, strict=True):
        assert np.array_equal(signal[:2], each)


def test_a_lead_that_is_not_there_is_not_held(tmp_path: Path) -> None:
    """Neither one that the recording lacks nor one of which a piece lacks a sample; zeros are no measurement."""
    recorded = counts(1, 3 * PIECE, leads=7) / 1000  # I, II, their four, V1
    recorded[6, PIECE + 30] = np.nan
    recorded[:, 2 * PIECE + 5] = np.nan
    path = write_record(tmp_path / "a", recorded.T, LEADS[:7])
    packed = pack([entry(path)], tmp_path / "cache")
    assert packed.held.tolist() == [[True] * 3 + [False] * 5, [True] * 2 + [False] * 6]  # the third piece holds nothing
    assert np.array_equal(packed.signal[0, :3], np.rint(1000 * recorded[[0, 1, 6], :PIECE]))
    for array in (packed.signal, packed.target):
        assert not array[~packed.held].any()
        assert array[packed.held].any(axis=1).all()


def test_pieces_are_taken_in_millivolts(tmp_path: Path) -> None:
    packed = pack([write(tmp_path, f"r{leads}", counts(leads, PIECE, leads)) for leads in (12, 2)], tmp_path / "cache")
    signal, target, held = packed.take(np.array([1, 0]))
    assert signal.dtype == target.dtype == held.dtype == np.float32
    assert np.allclose(signal, packed.signal[::-1] / 1000, atol=1e-6)
    assert np.allclose(target, packed.target[::-1] / 1000, atol=1e-6)
    assert held.tolist() == [[1, 1, 0, 0, 0, 0, 0, 0], [1] * 8]
    assert np.array_equal(packed.take(slice(1, 2))[0], signal[:1])


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
    (signal, target, _), (_, other, _) = (_pieces(entry(path))[0] for path in paths)
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
    signal = _pieces(entry(path))["signal"][0]
    assert (signal[:, 1::2] == 32767).all()
    assert (signal[:, ::2] == -32768).all()


def test_the_cache_is_used_again_and_made_anew_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    entries = [write(tmp_path, "a", counts(1, PIECE))]
    first = pack(entries, cache)
    (file,) = cache.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(packing, "_all_pieces", None)  # nothing is packed
        again = pack(entries, cache)
    for name in ("signal", "target", "held"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    file.unlink()
    pack(entries, cache)
    assert list(cache.iterdir()) == [file]
    other = [*entries, write(tmp_path, "b", counts(2, PIECE))]
    assert len(pack(other, cache).signal) == 2
    assert len(list(cache.iterdir())) == 2


def test_recordings_that_changed_under_their_names_are_packed_anew(tmp_path: Path) -> None:
    """Even where neither their length nor the time they were written at tells."""
    cache, record, other = tmp_path / "cache", tmp_path / "a", tmp_path / "other"
    other.mkdir()
    entries = [write(tmp_path, "a", counts(1, PIECE)), write(tmp_path, "b", counts(2, PIECE))]
    write(other, "a", counts(3, PIECE))
    first = np.array(pack(entries, cache).signal)
    data = record.with_suffix(".dat")
    written = data.stat()
    shutil.copy(other / "a.dat", data)
    os.utime(data, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert data.stat().st_size == written.st_size
    second = np.array(pack(entries, cache).signal)
    assert np.array_equal(second[0, :2], counts(3, PIECE)[:2])
    assert np.array_equal(second[1], first[1])
    header = record.with_suffix(".hea")
    header.write_text(header.read_text().replace("1000(0)/mV", "500(0)/mV"))
    third = np.array(pack(entries, cache).signal)
    assert np.array_equal(third[0], 2 * second[0])
    assert np.array_equal(third[1], first[1])


def test_the_fingerprint_is_of_what_the_recordings_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [write(tmp_path, name, counts(seed, PIECE)) for seed, name in enumerate("ab")]
    before = fingerprint(entries)
    assert fingerprint(entries) == before
    assert len({before, fingerprint(entries[:1]), fingerprint(entries[::-1]), fingerprint([])}) == 4
    copies = tmp_path / "elsewhere"
    copies.mkdir()
    for entry_here in entries:
        for suffix in (".hea", ".dat"):
            shutil.copyfile(entry_here.path.with_suffix(suffix), copies / f"{entry_here.path.name}{suffix}")
    assert fingerprint([entry(copies / each.path.name) for each in entries]) == before
    changes = {
        "FORMAT": 99, "PIECE": 4000, "COUNTS_PER_MV": 500, "TARGET_HIGH_PASS_HZ": 0.4, "TARGET_ORDER": 2,
    }  # fmt: skip
    for name, value in changes.items():
        with monkeypatch.context() as patched:
            patched.setattr(packing, name, value)
            assert fingerprint(entries) != before


def test_the_segments_of_a_record_are_part_of_its_fingerprint(tmp_path: Path) -> None:
    write(tmp_path, "part", counts(1, PIECE))
    (tmp_path / "whole.hea").write_text(f"whole/1 12 500 {PIECE}\npart {PIECE}\n")
    before = fingerprint([entry(tmp_path / "whole")])
    write(tmp_path, "part", counts(2, PIECE))
    assert fingerprint([entry(tmp_path / "whole")]) != before


@pytest.mark.parametrize("recordings_made", [0, 1, 2])
def test_a_broken_write_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recordings_made: int
) -> None:
    cache = tmp_path / "cache"
    recorded = [counts(seed, PIECE) for seed in range(3)]
    entries = [write(tmp_path, f"r{number}", each) for number, each in enumerate(recorded)]

    def breaking(entries: list[Entry]) -> Iterator[NDArray[np.void]]:
        yield from (_pieces(each) for each in entries[:recordings_made])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(packing, "_all_pieces", breaking)
        with pytest.raises(KeyboardInterrupt):
            pack(entries, cache)
    assert not cache.exists() or not list(cache.iterdir())
    packed = pack(entries, cache)
    assert np.array_equal(packed.signal[:, :2], [each[:2] for each in recorded])
    assert len(list(cache.iterdir())) == 1


def test_no_more_than_a_few_pieces_are_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[NDArray[np.void]]] = []
    most = [0]

    def many(entries: list[Entry]) -> Iterator[NDArray[np.void]]:
        for number in range(200):
            pieces = np.zeros(2, LAYOUT)
            pieces["signal"] = number
            made.append(weakref.ref(pieces))
            most[0] = max(most[0], sum(each() is not None for each in made))
            yield pieces
            del pieces

    monkeypatch.setattr(packing, "_all_pieces", many)
    packed = pack([], tmp_path / "cache")
    assert packed.signal[:, 0, 0].tolist() == [number for number in range(200) for _ in range(2)]
    assert most[0] <= 4


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
