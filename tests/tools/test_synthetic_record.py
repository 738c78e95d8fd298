"""The bundled record: labelled, reproducible, and shaped like a healthy heart's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.beats import HeartRate
from engine.leads import INDEX, LEADS, RATE
from engine.quality import LeadSignal
from stream.sources.record import Record, open_record

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "ecgstream" / "records" / "synthetic"


@pytest.fixture(scope="module")
def record() -> Record:
    return open_record(BUNDLED)


@pytest.fixture(scope="module")
def samples(record: Record) -> np.ndarray:
    return record.read(0, record.n_samples)


@pytest.fixture(scope="module")
def beat(samples: np.ndarray) -> np.ndarray:
    """The median sinus beat from 300 ms before to 500 ms after the R peak, without its offset, (12, 400)."""
    found = HeartRate().push(samples[INDEX["II"], : 16 * RATE])  # before the first extrasystole
    beats = [beat.index for beat in found if beat.index > RATE]
    assert len(beats) >= 15
    cut = np.median([samples[:, index - 150 : index + 250] for index in beats], axis=0)
    return np.asarray(cut - np.median(cut[:, :20], axis=1, keepdims=True))


def test_the_script_makes_it_again_to_the_byte(tmp_path: Path) -> None:
    script = ROOT / "tools" / "synthetic_record.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=60)
    for suffix in (".hea", ".dat"):
        assert (tmp_path / f"synthetic{suffix}").read_bytes() == BUNDLED.with_suffix(suffix).read_bytes()


def test_it_is_a_minute_of_twelve_leads_and_says_what_it_is(record: Record) -> None:
    assert (record.leads, record.rate, record.seconds) == (LEADS, 500, 60)
    assert record.synthetic
    header = BUNDLED.with_suffix(".hea").read_text()
    assert "SYNTHETIC: nobody was recorded" in header
    assert "tools/synthetic_record.py" in header


def test_the_limb_leads_obey_einthoven_and_goldberger_to_a_count(samples: np.ndarray) -> None:
    one, two, three, avr, avl, avf = np.rint(1000 * samples[:6].astype(float))
    assert np.array_equal(three, two - one)
    assert np.abs(avr + (one + two) / 2).max() <= 0.5
    assert np.abs(avl - (one - two / 2)).max() <= 0.5
    assert np.abs(avf - (two - one / 2)).max() <= 0.5


def test_all_leads_carry_a_signal(samples: np.ndarray) -> None:
    kept, changes = LeadSignal(LEADS).push(samples)
    assert np.array_equal(kept, samples)
    assert changes == []
    assert 1 < np.abs(samples).max() < 5


def test_the_rhythm_is_a_resting_sinus_rhythm_with_two_extrasystoles(samples: np.ndarray) -> None:
    heart_rate = HeartRate()
    beats: list[int] = []
    for start in range(0, samples.shape[1], RATE):
        beats += [beat.index for beat in heart_rate.push(samples[INDEX["II"], start : start + RATE])]
    intervals = np.diff(beats) / RATE
    usual = np.median(intervals)
    assert 60 / usual == pytest.approx(70, abs=2)
    assert heart_rate.rate == pytest.approx(70, abs=5)
    early = np.flatnonzero(intervals < 0.75 * usual)
    assert len(early) == 2
    assert (intervals[early + 1] > 1.2 * usual).all()
    sinus = intervals[(intervals > 0.85 * usual) & (intervals < 1.15 * usual)]
    assert len(sinus) == len(intervals) - 4
    assert 0.01 < sinus.std() / usual < 0.06


def test_the_r_wave_grows_across_the_chest_and_the_s_wave_shrinks(beat: np.ndarray) -> None:
    chest = beat[6:, 120:180]
    r_wave, s_wave = chest.max(axis=1), -chest[:, 30:].min(axis=1)
    assert (np.diff(r_wave[:4]) > 0).all()
    assert (r_wave[:2] < s_wave[:2]).all()
    assert (r_wave[3:] > 3 * s_wave[3:]).all()
    assert (np.diff(s_wave[1:]) < 0.02).all()


def test_p_and_t_waves_are_where_they_belong(beat: np.ndarray) -> None:
    two = beat[INDEX["II"]]
    p_wave, t_wave = two[50:100], two[220:330]
    assert 0.08 < p_wave.max() < 0.25
    assert beat[INDEX["aVR"], 50:100].min() < -0.04
    assert 0.1 < t_wave.max() < 0.5
    for lead in ("I", "II", "V2", "V3", "V4", "V5", "V6"):
        assert beat[INDEX[lead], 220:330].max() > 0.08, lead
    assert beat[INDEX["aVR"], 220:330].min() < -0.1


def test_qrs_and_qt_last_as_in_health(beat: np.ndarray) -> None:
    slope = np.abs(np.gradient(beat[6:], axis=1)).max(axis=0) * RATE  # mV/s, of the steepest chest lead
    steep = np.flatnonzero(slope[100:200] > 6) + 100
    qrs_ms = 1000 * (steep[-1] - steep[0]) / RATE
    assert 70 <= qrs_ms <= 110
    t_wave = beat[INDEX["V3"]]
    top = 220 + int(t_wave[220:330].argmax())
    t_end = top + int(np.argmax(t_wave[top:] < 0.1 * t_wave[top]))
    assert 340 <= 1000 * (t_end - steep[0]) / RATE <= 420
