"""Beats and heart rate: right on marked recordings, silent on what is no heart, the same however the stream is cut."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt

from engine.beats import DELAY, HISTORY, LEARNS, NO_BEAT, NOT_CLEAR, NOT_KNOWN, PATIENCE, Beat, HeartRate
from engine.leads import INDEX, RATE
from stream.sources.record import open_record

WITHIN = RATE // 10
BEATS = set("NLRejAaJSVEFQ/f")
HOP = 40


Samples = NDArray[np.float64]


def follow(x: Samples, hop: int = HOP) -> tuple[list[int], list[float | None]]:
    """All beats that were found, and the rate after every hop."""
    heart_rate = HeartRate()
    beats: list[Beat] = []
    rates = []
    for start in range(0, len(x), hop):
        beats += heart_rate.push(x[start : start + hop].astype(np.float32))
        rates.append(heart_rate.rate)
    return [beat.index for beat in beats], rates


def doubts(x: Samples) -> list[str]:
    """Why there is no rate after every hop."""
    heart_rate = HeartRate()
    whys = []
    for start in range(0, len(x), HOP):
        heart_rate.push(x[start : start + HOP].astype(np.float32))
        whys.append(heart_rate.why)
        assert (heart_rate.rate is None) == bool(heart_rate.why)
    return whys


def pulses(rate: float, seconds: float, amplitude: float = 1.0) -> Samples:
    """QRS-like triangles of 60 ms with a slow T wave and a little noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = (time + 30 / rate) % (60 / rate) - 30 / rate  # s from the nearest beat
    qrs = np.clip(1 - np.abs(phase) / 0.03, 0, None)
    t_wave = 0.3 * np.exp(-(((phase - 0.2 * (60 / rate) ** 0.5) / 0.04) ** 2))
    x: Samples = amplitude * (qrs + t_wave) + np.random.default_rng(0).normal(0, 0.01, len(time))
    return x


def matched(found: NDArray[np.intp], marks: NDArray[np.floating]) -> int:
    """How many marks have a beat of their own within 100 ms."""
    free = [int(beat) for beat in found]
    hits = 0
    for mark in marks.tolist():
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
    assert np.median(np.array(settled, float)) == pytest.approx(60 * RATE / np.median(np.diff(true)), abs=1.5)


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


def eventful(seed: int) -> NDArray[np.float32]:
    """Beats with more or less noise, gaps and stretches of nothing."""
    rng = np.random.default_rng(seed)
    x = pulses(rng.uniform(40, 180), 12, rng.uniform(0.1, 3)) + rng.normal(0, rng.uniform(0, 0.2), 12 * RATE)
    for _ in range(rng.integers(0, 4)):
        start = rng.integers(0, len(x))
        x[start : start + rng.integers(1, 2500)] = rng.choice([np.nan, np.inf, 0])
    return x.astype(np.float32)


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 1500), max_size=10))
def test_any_chunking_gives_the_same_beats_with_the_same_rates(seed: int, sizes: list[int]) -> None:
    x = eventful(seed)
    whole, chunked = HeartRate(), HeartRate()
    beats = whole.push(x)
    parts = np.split(x, np.minimum(np.cumsum(sizes, dtype=int), len(x)))
    assert [beat for part in parts for beat in chunked.push(part)] == beats
    assert (chunked.rate, chunked.why) == (whole.rate, whole.why)
    assert all((beat.rate is None) == bool(beat.why) for beat in beats)


@given(
    seed=st.integers(0, 2**32 - 1),
    cut=st.integers(0, 12 * RATE),
    length=st.sampled_from([0, 1, 99, 100, 101, 500, 501, HISTORY - 1, HISTORY, HISTORY + 1, 5000]),
)
def test_a_gap_is_what_is_missing(seed: int, cut: int, length: int) -> None:
    x = eventful(seed)
    skipped, missed = HeartRate(), HeartRate()
    beats = [*skipped.push(x[:cut]), *skipped.skip(length)]
    assert [*missed.push(x[:cut]), *missed.push(np.full(length, np.nan, np.float32))] == beats
    assert (skipped.rate, skipped.why) == (missed.rate, missed.why)
    assert skipped.push(x[cut:]) == missed.push(x[cut:])
    assert (skipped.rate, skipped.why) == (missed.rate, missed.why)


def test_a_day_is_skipped_as_fast_as_a_second_and_its_indices_count() -> None:
    x = pulses(75, 10).astype(np.float32)
    day = 24 * 3600 * RATE
    at_once, later = HeartRate(), HeartRate()
    later.skip(day)
    assert [beat.index - day for beat in later.push(x)] == [beat.index for beat in at_once.push(x)]
    assert later.rate == at_once.rate


def test_beats_tell_the_rate_that_was_known_with_them() -> None:
    beats = HeartRate().push(np.concatenate([pulses(75, 10), pulses(100, 10)]).astype(np.float32))
    assert [beat.why for beat in beats[:4]] == [LEARNS] * 3 + [""]
    assert {beat.why for beat in beats[3:]} == {""}
    assert {beat.rate for beat in beats[:3]} == {None}
    assert beats[9].rate == pytest.approx(75, abs=1)
    assert beats[-1].rate == pytest.approx(100, abs=1)


def noises() -> dict[str, Samples]:
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


def test_the_reason_for_no_rate_is_the_first_cause() -> None:
    assert HeartRate().why == NOT_KNOWN
    assert doubts(np.full(10 * RATE, np.nan)) == [NOT_KNOWN] * (10 * RATE // HOP)
    beats = pulses(80, 10)
    nothing, missing = np.zeros(5 * RATE), np.full(5 * RATE, np.nan)
    assert list(dict.fromkeys(doubts(nothing))) == [LEARNS, NO_BEAT]
    assert doubts(nothing)[(PATIENCE + HOP) // HOP] == NO_BEAT
    assert list(dict.fromkeys(doubts(beats))) == [LEARNS, ""]
    assert list(dict.fromkeys(doubts(np.concatenate([beats, nothing])))) == [LEARNS, "", NO_BEAT]
    lost = doubts(np.concatenate([beats, missing, beats]))
    assert list(dict.fromkeys(lost)) == [LEARNS, "", NOT_KNOWN]
    back = lost[15 * RATE // HOP + 1 :]
    assert list(dict.fromkeys(back)) == [LEARNS, ""]
    noise = noises()["white"]
    assert doubts(noise)[-1] == NOT_CLEAR


def test_a_short_gap_is_not_the_reason() -> None:
    x = np.zeros(10 * RATE)
    heart_rate = HeartRate()
    heart_rate.push(x.astype(np.float32))
    heart_rate.skip(RATE - 1)
    assert heart_rate.why == NO_BEAT
    heart_rate.skip(1)
    assert heart_rate.why == NOT_KNOWN
    heart_rate.push(np.zeros(1, np.float32))
    assert heart_rate.why == LEARNS
    heart_rate.push(np.zeros(PATIENCE, np.float32))
    assert heart_rate.why == NO_BEAT


def test_the_rate_goes_a_patience_after_the_last_beat() -> None:
    heart_rate = HeartRate()
    beats = heart_rate.push(pulses(80, 10).astype(np.float32))
    beats += heart_rate.push(np.zeros(RATE, np.float32))
    left = beats[-1].index + DELAY + PATIENCE - 11 * RATE
    heart_rate.push(np.zeros(left, np.float32))
    assert heart_rate.rate is not None
    heart_rate.push(np.zeros(1, np.float32))
    assert heart_rate.rate is None


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_what_is_not_finite_is_missing(value: float) -> None:
    x, y = pulses(80, 20).astype(np.float32), pulses(80, 20).astype(np.float32)
    for part, put in ((x, value), (y, np.nan)):
        part[4000:4003] = put
        part[7000:9000] = put
    a, b = HeartRate(), HeartRate()
    assert a.push(x) == b.push(y)
    assert (a.rate, a.why) == (b.rate, b.why)
