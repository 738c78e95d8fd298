"""Makes the bundled record: a minute of twelve leads from a moving dipole. Nobody was recorded.

Each wave of a beat is a bell in time along a direction in space, the sum is the heart's dipole (after McSharry et al.,
IEEE Trans Biomed Eng 2003;50:289-294, in three dimensions as Sameni et al., EURASIP J Adv Signal Process 2007:043407).
Dower's matrix (Dower, Machado & Osborne, Clin Cardiol 1980;3:87-95) turns it into leads. What no dipole can tell, the
muscle next to a chest electrode, is added lead by lead; wander, muscle noise and mains are added electrode by
electrode, so that they obey Einthoven as real ones do.

    python tools/synthetic_record.py [FOLDER]
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from engine.leads import CHEST, LEADS, RATE

FOLDER = Path(__file__).resolve().parent.parent / "ecgstream" / "records"
SEED = 1980
SECONDS = 60
COUNTS_PER_MV = 1000

HEART_RATE = 70
BREATHS_PER_S = 0.23
EXTRASYSTOLES = (21, 50)
"""These beats come from a ventricle: early, wide, followed by a pause."""

# Rows I, II, V1-V6; columns Frank's X (to the left), Y (to the feet), Z (to the back).
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Wave:
    """A bell: its top in ms from the R peak, its width (standard deviation) in ms, its dipole in mV along X, Y, Z."""

    at_ms: float
    width_ms: float
    dipole: tuple[float, float, float]


ATRIA = (
    Wave(-172, 17, (0.020, 0.075, -0.040)),  # the right first, to the front
    Wave(-146, 18, (0.070, 0.065, 0.030)),  # then the left, to the back
)
VENTRICLES = (
    Wave(-26, 6.5, (-0.13, -0.03, -0.22)),  # septum: to the right and the front
    Wave(-8, 8.5, (0.75, 0.55, -0.22)),  # apex
    Wave(7, 9, (0.75, 0.55, 0.72)),  # free wall of the left ventricle: to the left and the back
    Wave(27, 9, (-0.13, -0.13, 0.33)),  # base
)
# The T wave rises slowly and falls fast. Its times are for an interval of 1 s and shrink with the root of it (Bazett).
RECOVERY = (
    Wave(150, 60, (0.030, 0.020, -0.035)),
    Wave(240, 48, (0.130, 0.090, -0.080)),
    Wave(284, 34, (0.170, 0.120, -0.100)),
)
EXTRASYSTOLE = (
    Wave(-38, 16, (0.15, 0.45, -0.10)),
    Wave(-6, 24, (0.35, 1.05, 0.55)),
    Wave(34, 22, (0.25, 0.45, 0.75)),
    Wave(255, 62, (-0.16, -0.36, -0.34)),  # recovery against the direction of the QRS
)

# V1-V6: when the muscle under the electrode is passed, ms from the R peak, and what it adds, mV.
NEAR_MS = (-16.0, -12.0, -6.0, 0.0, 6.0, 9.0)
NEAR_MV = (0.05, 0.12, 0.16, 0.14, 0.08, 0.04)
NEAR_WIDTH_MS = 6.0
NEAR_T_MV = (-0.04, 0.06, 0.05, 0.03, 0.01, 0.0)

ELECTRODES = ("RA", "LA", "LL", *CHEST)


@dataclass(frozen=True)
class Beat:
    """A beat: its R peak in s, the interval before it in s, and whether a ventricle started it."""

    at: float
    interval: float
    is_extrasystole: bool


def rhythm(rng: np.random.Generator) -> list[Beat]:
    """Beats that come a little faster on breathing in and wander slowly (as in McSharry 2003)."""
    beats: list[Beat] = []
    at, usual = -1.3, 60 / HEART_RATE
    while at < SECONDS + 1:
        number = len(beats)
        breath = 0.035 * np.sin(2 * np.pi * BREATHS_PER_S * at)
        slow = 0.020 * np.sin(2 * np.pi * 0.1 * at + 1)
        interval = usual * (1 + breath + slow + 0.006 * rng.standard_normal())
        if number in EXTRASYSTOLES:
            interval *= 0.62
        elif number - 1 in EXTRASYSTOLES:
            interval *= 1.36  # the next beat comes when it would have come anyway
        at += interval
        beats.append(Beat(at, interval, number in EXTRASYSTOLES))
    return beats


def bell(time: Signal, beat: Beat, at_ms: float, width_ms: float, stretch: float = 1.0) -> Signal:
    """A bell of height 1 at a beat; time in s, (n,)."""
    return np.exp(-0.5 * ((time - beat.at - stretch * at_ms / 1000) / (stretch * width_ms / 1000)) ** 2)


def dipole(time: Signal, beats: list[Beat]) -> Signal:
    """The heart's dipole in mV, (3, n)."""
    total = np.zeros((3, len(time)))
    for beat in beats:
        waves = EXTRASYSTOLE if beat.is_extrasystole else ATRIA + VENTRICLES
        for wave in waves:
            total += np.outer(wave.dipole, bell(time, beat, wave.at_ms, wave.width_ms))
        for wave in () if beat.is_extrasystole else RECOVERY:
            total += np.outer(wave.dipole, bell(time, beat, wave.at_ms, wave.width_ms, recovery_stretch(beat)))
    return total


def recovery_stretch(beat: Beat) -> float:
    """How much later the T wave comes than for an interval of 1 s; no single beat moves it much."""
    return float(np.sqrt(np.clip(beat.interval, 0.8, 0.95)))


def near_field(time: Signal, beats: list[Beat]) -> Signal:
    """What the muscle next to the chest electrodes adds, mV, (6, n)."""
    total = np.zeros((len(CHEST), len(time)))
    for beat in beats:
        if beat.is_extrasystole:
            continue
        t_wave = bell(time, beat, 275, 40, recovery_stretch(beat))
        for row, (at_ms, height, t_height) in enumerate(zip(NEAR_MS, NEAR_MV, NEAR_T_MV, strict=True)):
            rise = bell(time, beat, at_ms - NEAR_WIDTH_MS, NEAR_WIDTH_MS)
            fall = bell(time, beat, at_ms + NEAR_WIDTH_MS, NEAR_WIDTH_MS)
            total[row] += height * (rise - fall) + t_height * t_wave
    return total


def breathing(time: Signal, vector: Signal) -> Signal:
    """The dipole as the chest moves: it swings by 3 degrees in the frontal plane and swells by 4 %."""
    phase = np.sin(2 * np.pi * BREATHS_PER_S * time - 0.6)
    angle = np.radians(3) * phase
    x, y, z = vector
    swung = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z])
    return swung * (1 + 0.04 * phase)


def electrode_noise(time: Signal, rng: np.random.Generator) -> dict[str, Signal]:
    """Wander, muscle and mains at each electrode, mV."""
    noise = {}
    for electrode in ELECTRODES:
        breath = rng.uniform(0.01, 0.04) * np.sin(2 * np.pi * BREATHS_PER_S * time + rng.uniform(-0.5, 0.5))
        wander = 0.03 * unit(in_band(rng.standard_normal(len(time)), 0.03, 0.4))
        muscle = 0.005 * unit(in_band(rng.standard_normal(len(time)), 15, 120))
        mains = 0.0015 * np.sin(2 * np.pi * 50.02 * time + rng.uniform(0, 2 * np.pi))
        noise[electrode] = breath + wander + muscle + mains
    return noise


def in_band(noise: Signal, low: float, high: float) -> Signal:
    """Noise between two frequencies."""
    return np.asarray(sosfiltfilt(butter(2, (low, high), "bandpass", fs=RATE, output="sos"), noise))


def unit(noise: Signal) -> Signal:
    """Noise with a standard deviation of 1."""
    return np.asarray(noise / noise.std())


def independent_leads(time: Signal, beats: list[Beat], rng: np.random.Generator) -> Signal:
    """I, II, V1-V6 in mV, (8, n)."""
    leads = DOWER @ breathing(time, dipole(time, beats))
    leads[2:] += near_field(time, beats)
    noise = electrode_noise(time, rng)
    terminal = (noise["RA"] + noise["LA"] + noise["LL"]) / 3  # Wilson's
    leads[0] += noise["LA"] - noise["RA"]
    leads[1] += noise["LL"] - noise["RA"]
    leads[2:] += [noise[electrode] - terminal for electrode in CHEST]
    return leads


def twelve_counts(leads: Signal) -> NDArray[np.int64]:
    """Counts in the order of `LEADS`, (12, n): the other limb leads follow from the counts of I and II."""
    counts = np.rint(leads * COUNTS_PER_MV).astype(np.int64)
    one, two = counts[:2]
    halves = np.stack([-(one + two), 2 * one - two, 2 * two - one])  # twice aVR, aVL, aVF
    return np.concatenate([counts[:2], [two - one], np.rint(halves / 2).astype(np.int64), counts[2:]])


def write(folder: Path) -> None:
    """Make the record ``synthetic`` in a folder."""
    rng = np.random.default_rng(SEED)
    time = np.arange(SECONDS * RATE) / RATE
    beats = rhythm(rng)
    counts = twelve_counts(independent_leads(time, beats, rng))
    early = " and ".join(f"{beat.at:.1f} s" for beat in beats if beat.is_extrasystole)
    wfdb.wrsamp(
        "synthetic",
        fs=RATE,
        units=["mV"] * len(LEADS),
        sig_name=list(LEADS),
        d_signal=counts.T.astype(np.int16),
        fmt=["16"] * len(LEADS),
        adc_gain=[COUNTS_PER_MV] * len(LEADS),
        baseline=[0] * len(LEADS),
        comments=[
            "SYNTHETIC: nobody was recorded.",
            "Made from a dipole model by tools/synthetic_record.py of ecgstream.",
            f"Sinus rhythm of about {HEART_RATE}/min; ventricular extrasystoles at {early}.",
        ],
        write_dir=str(folder),
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
