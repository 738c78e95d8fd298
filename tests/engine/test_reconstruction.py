"""The shipped model through the engine: a batch of any frames is each of them alone, bounded in what it sees."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import physics
from engine.frame import Frame
from engine.leads import INDEPENDENT_ROWS, LEADS
from engine.model import load
from engine.reconstruction import LARGEST_BATCH, Engine

FRAME = 5000


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


def some_leads(seed: int, rows: list[int], length: int = FRAME, largest: float = 8) -> np.ndarray:
    """Random smooth samples on some leads, a few mV and an offset."""
    rng = np.random.default_rng(seed)
    samples = np.full((12, length), np.nan, np.float32)
    smooth = np.cumsum(rng.standard_normal((len(rows), length)), axis=1)
    samples[rows] = 0.05 * smooth + rng.uniform(-2, 2, (len(rows), 1))
    return np.clip(samples, -largest, largest)


def frame_of(samples: np.ndarray, bed: str = "bed") -> Frame:
    """The frame of measured leads, (12, n) in mV, NaN where unmeasured."""
    known, mask, _ = physics.solve(samples)
    eight = np.where(mask, known[list(INDEPENDENT_ROWS)], np.float32(0))
    return Frame(bed, samples.shape[1], eight, mask.astype(np.float32))


def estimate(engine: Engine, samples: np.ndarray) -> np.ndarray:
    """Twelve leads of the last 400 columns of a frame."""
    return engine.estimate([frame_of(samples)])[0].leads[:, -400:]


@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.sampled_from([400, 2000, 4080]), max_size=LARGEST_BATCH + 3))
@settings(max_examples=6)
def test_a_batch_is_each_of_its_frames_alone(engine: Engine, seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    frames = [
        frame_of(some_leads(int(rng.integers(1 << 30)), sorted(rng.permutation(12)[:3].tolist()), length), str(number))
        for number, length in enumerate(counts)
    ]
    together = engine.estimate(frames)
    assert len(together) == len(frames)
    for frame, one in zip(frames, together, strict=True):
        alone = engine.estimate([frame])[0]
        assert one.leads.shape == one.interval.shape == (12, frame.leads.shape[1])
        assert np.abs(one.leads - alone.leads).max() < 1e-5
        assert np.abs(one.interval - alone.interval).max() < 1e-5


def test_what_is_known_passes_and_what_is_not_has_an_interval(engine: Engine) -> None:
    frame = frame_of(some_leads(1, [0, 1, 9]))
    result = engine.estimate([frame])[0]
    assert np.abs(result.leads[[0, 1, 9]] - frame.leads[[0, 1, 5]]).max() < 1e-5
    assert not result.interval[[*range(6), 9]].any()
    assert (result.interval[[6, 7, 8, 10, 11]] > 0).all()


def test_estimates_see_no_more_than_the_look_ahead(engine: Engine) -> None:
    samples = some_leads(3, [0, 1, 9])
    first = estimate(engine, samples)
    end = FRAME - 200
    later = samples.copy()
    later[:, end:] = some_leads(4, [0, 1, 9])[:, end:]
    second = estimate(engine, later)
    settled = 200 - engine.look_ahead
    assert np.array_equal(first[:, :settled], second[:, :settled])
    assert not np.array_equal(first[6, settled:200], second[6, settled:200])  # the bound is tight


def test_left_context_is_enough(engine: Engine) -> None:
    samples = some_leads(5, [0, 1, 9], FRAME + 40 * engine.stride)
    long = estimate(engine, samples)[:, -200:]
    other_past = samples.copy()
    other_past[[0, 1, 9], : -engine.left_context - 200 - engine.stride] = 3.0
    assert np.array_equal(estimate(engine, other_past)[:, -200:], long)
    for length in (FRAME, engine.left_context + 200 + engine.stride):
        assert np.abs(estimate(engine, samples[:, -length:])[:, -200:] - long).max() < 1e-5


def test_an_offset_changes_nothing_but_itself(engine: Engine) -> None:
    samples = some_leads(6, [0, 1, 9])
    lifted = samples + np.float32(256)
    difference = estimate(engine, lifted) - estimate(engine, samples)
    assert np.abs(difference[[6, 7, 8, 10, 11]]).max() < 1e-2
    assert np.abs(difference[9] - 256).max() < 1e-4


def test_backends_agree(engine: Engine) -> None:
    reference = load(backend="torch")
    for seed, rows in ((1, [0, 1, 9]), (2, [1, 2]), (3, [0, 1, 7, 10]), (4, [8])):
        frame = frame_of(some_leads(seed, rows))
        [a], [b] = engine.estimate([frame]), reference.estimate([frame])
        assert np.abs(a.leads - b.leads).max() < 1e-4
        assert np.abs(a.interval - b.interval).max() < 1e-4


def test_the_interval_is_wider_with_fewer_leads(engine: Engine, data_dir: Path) -> None:
    import wfdb

    record = wfdb.rdrecord(str(data_dir / "originals" / "ptbxl" / "00009_hr"))
    twelve = record.p_signal.T.astype(np.float32)
    assert [name.upper() for name in record.sig_name] == [lead.upper() for lead in LEADS]
    widths = []
    for rows in ([0, 1], [0, 1, 7, 10]):
        samples = np.full_like(twelve, np.nan)
        samples[rows] = twelve[rows]
        widths.append(engine.estimate([frame_of(samples)])[0].interval[8].mean())
    assert widths[0] > widths[1]


@pytest.mark.parametrize("length", [0, 4999])
def test_a_frame_that_does_not_fit_is_refused(engine: Engine, length: int) -> None:
    with pytest.raises(ValueError, match="stride"):
        engine.estimate([frame_of(np.zeros((12, length), np.float32))])


def test_nothing_is_estimated_of_nothing(engine: Engine) -> None:
    assert engine.estimate([]) == []
