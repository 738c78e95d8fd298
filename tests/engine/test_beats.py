"""Beats and heart rate: right on marked recordings, silent on what is no heart, the same however the stream is cut."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, resample_poly, sosfilt

from engine.beats import HeartRate
from engine.leads import INDEX, RATE
from stream.sources.record import open_record

WITHIN = RATE // 10
BEATS = set("NLRejAaJSVEFQ/f")
HOP = 40


def follow(x: np.ndarray, hop: int = HOP) -> tuple[list[int], list[float | None]]:
    """All beats that were found, and the rate after every hop."""
    heart_rate = HeartRate()
    beats: list[int] = []
    rates = []
    for start in range(0, len(x), hop):
        heart_rate.push(x[start : start + hop].astype(np.float32))
        beats += [beat for beat in heart_rate.beats if not beats or beat > beats[-1]]
        rates.append(heart_rate.rate)
    return beats, rates


def pulses(rate: float, seconds: float, amplitude: float = 1.0) -> np.ndarray:
    """QRS-like triangles of 60 ms with a slow T wave and a little noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = (time + 30 / rate) % (60 / rate) - 30 / rate  # s from the nearest beat
    qrs = np.clip(1 - np.abs(phase) / 0.03, 0, None)
    t_wave = 0.3 * np.exp(-(((phase - 0.2 * (60 / rate) ** 0.5) / 0.04) ** 2))
    return amplitude * (qrs + t_wave) + np.random.default_rng(0).normal(0, 0.01, len(time))


def matched(found: np.ndarray, marks: np.ndarray) -> int:
    """How many marks have a beat of their own within 100 ms."""
    free = list(found)
    hits = 0
    for mark in marks:
        near = min(free, key=lambda beat: abs(beat - mark), default=None)
        if near is not None and abs(near - mark) <= WITHIN:
            free.remove(near)
            hits += 1
    return hits


@pytest.mark.data
def test_the_marked_beats_of_a_holter_recording_are_found(data_dir: Path) -> None:
    path = str(data_dir / "originals" / "mitdb" / "100")
    marks = wfdb.rdann(path, "atr", sampto=5 * 60 * 360)
    lead = wfdb.rdrecord(path, sampto=5 * 60 * 360, channels=[0]).p_signal[:, 0]
    is_beat = np.isin(marks.symbol, sorted(BEATS))
    true = marks.sample[is_beat] * RATE / 360
    beats, rates = follow(resample_poly(lead, 25, 18))
    true = true[true < len(lead) * RATE / 360 - 0.5 * RATE]  # the last may not be judged yet
    hits = matched(np.array(beats), true)
    assert len(true) > 350
    assert hits / len(true) >= 0.99
    assert hits / len(beats) >= 0.99
    settled = rates[5 * RATE // HOP :]
    assert None not in settled
    assert np.median(settled) == pytest.approx(60 * RATE / np.median(np.diff(true)), abs=1.5)


@pytest.mark.data
def test_the_marked_beats_of_many_people_are_found(data_dir: Path) -> None:
    hits = n_true = n_found = close = 0
    people = range(1, 201, 2)
    for person in people:
        path = data_dir / "ludb" / "data" / str(person)
        marks = wfdb.rdann(str(path), "ii")
        true = marks.sample[np.array(marks.symbol) == "N"]
        beats, rates = follow(open_record(path).read(0, 10 * RATE)[INDEX["II"]])
        found = np.array([beat for beat in beats if true[0] - 60 < beat < true[-1] + 60])  # the outer ones are unmarked
        hits += matched(found, true)
        n_true += len(true)
        n_found += len(found)
        shown = rates[-1]
        close += shown is not None and abs(shown - 60 * RATE / np.median(np.diff(true))) < 5
    assert hits / n_true >= 0.985
    assert hits / n_found >= 0.985
    assert close >= 0.97 * len(people)


@pytest.mark.parametrize("rate", [30, 45, 72, 120, 190])
@pytest.mark.parametrize("amplitude", [0.15, 1, 4])
def test_the_rate_is_right(rate: float, amplitude: float) -> None:
    _, rates = follow(pulses(rate, 14, amplitude))
    assert rates[-1] == pytest.approx(rate, rel=0.01)


def test_the_rate_is_there_soon_and_r_peaks_are_where_they_are() -> None:
    beats, rates = follow(pulses(75, 10))
    assert rates[5 * RATE // HOP] is not None
    offsets = [(beat + 200) % 400 - 200 for beat in beats[1:]]
    assert np.abs(offsets).max() < 10


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 1500), max_size=10))
def test_any_chunking_equals_whole(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x = pulses(rng.uniform(40, 180), 12, rng.uniform(0.1, 3)) + rng.normal(0, rng.uniform(0, 0.2), 12 * RATE)
    for _ in range(rng.integers(0, 4)):
        start = rng.integers(0, len(x))
        x[start : start + rng.integers(1, 2500)] = rng.choice([np.nan, 0])
    x = x.astype(np.float32)
    whole, chunked = HeartRate(), HeartRate()
    whole.push(x)
    for part in np.split(x, np.minimum(np.cumsum(sizes, dtype=int), len(x))):
        chunked.push(part)
    assert chunked.beats == whole.beats
    assert chunked.rate == whole.rate


def noises() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    n = 60 * RATE
    time = np.arange(n) / RATE
    hiss = rng.normal(0, 0.1, n)
    return {
        "nothing": np.zeros(n),
        "missing": np.full(n, np.nan),
        "white": hiss,
        "loud": 20 * hiss,
        "mains": 0.3 * np.sin(2 * np.pi * 50 * time) + 0.1 * hiss,
        "wander": 0.5 * np.sin(2 * np.pi * 0.3 * time) + 0.03 * hiss,
        "muscle": sosfilt(butter(2, (20, 120), "bandpass", fs=RATE, output="sos"), 2 * hiss),
        "drift": np.cumsum(0.1 * hiss),
        "tremor": 0.3 * np.sin(2 * np.pi * 5 * time) + 0.1 * hiss,
    }


@pytest.mark.parametrize("name", list(noises()))
def test_what_is_no_heart_has_no_rate(name: str) -> None:
    _, rates = follow(noises()[name])
    assert set(rates) == {None}


@pytest.mark.parametrize("silence", [0.0, np.nan])
def test_the_rate_goes_when_the_beats_do_and_comes_back(silence: float) -> None:
    x = pulses(80, 30)
    x[10 * RATE : 18 * RATE] = silence
    _, rates = follow(x)
    assert rates[10 * RATE // HOP - 1] == pytest.approx(80, abs=1)
    assert set(rates[int(13.3 * RATE) // HOP : 18 * RATE // HOP]) == {None}
    assert rates[25 * RATE // HOP] == pytest.approx(80, abs=1)


def test_a_gap_is_no_long_interval() -> None:
    x = pulses(60, 20)
    for second in range(2, 20, 4):
        x[second * RATE + 100 : second * RATE + 400] = np.nan
    _, rates = follow(x)
    assert rates[-1] == pytest.approx(60, abs=1)
    x[10 * RATE + 100 : 12 * RATE - 100] = np.nan
    _, rates = follow(x)
    assert rates[13 * RATE // HOP] == pytest.approx(60, abs=1)
