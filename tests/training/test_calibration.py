"""Scaled half-widths cover nine errors of ten, whatever the network made of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfiltfilt
from torch import Tensor

from engine.backends.network import Network, Shape
from engine.leads import INDEPENDENT, RATE, Origin
from engine.model import load
from training.augment import lead_sets
from training.calibration import FEWEST, interval_scale
from training.catalog import TEST_FOLD, ptbxl
from training.evaluate import live, longest_hop, twelve
from training.pack import COUNTS_PER_MV, TARGET_HIGH_PASS_HZ, TARGET_ORDER, Pack

LEADS, LENGTH = len(INDEPENDENT), 5000
SEED = 3


class Guessing(Network):
    """Estimates nothing, with half-widths that follow the size of the errors but for a factor of each lead."""

    def estimate(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        width = 0.1 * (1.2 + torch.sin(torch.arange(x.shape[2]) / 40.0))
        return torch.zeros_like(x), width.expand_as(x)


def recordings(seed: int, count: int) -> Pack:
    """Errors of long tails in mV; every eighth recording holds no V1."""
    rng = np.random.default_rng(seed)
    width = 0.1 * (1.2 + np.sin(np.arange(LENGTH) / 40.0))
    factor = np.linspace(0.5, 3, LEADS)[:, None]
    target = rng.laplace(size=(count, LEADS, LENGTH)) * width * factor
    held = np.ones((count, LEADS), bool)
    held[::8, 2] = False
    counts = np.rint(target * held[:, :, None] * COUNTS_PER_MV).astype(np.int16)
    return Pack(counts, counts, held)


def test_the_scaled_half_widths_cover_nine_of_ten_errors() -> None:
    network = Guessing(Shape(widths=(2,)))
    check, fresh = recordings(1, 150), recordings(2, 20)
    scale = interval_scale(network, check, SEED).numpy()
    missing = (lead_sets(150, torch.Generator().manual_seed(SEED)) == 0).sum(dim=0).numpy() * LENGTH / 10
    assert (missing[2:] > 1.2 * FEWEST).all()
    _, width = network.estimate(torch.zeros(20, LEADS, LENGTH), torch.ones(20, LEADS, LENGTH))
    error = np.abs(fresh.target / COUNTS_PER_MV)
    for lead in range(2, LEADS):
        rows = error[:, lead].any(axis=1)
        covered = (error[rows, lead] <= scale[lead] * width.numpy()[rows, lead]).mean()
        assert abs(covered - 0.9) < 0.01
    assert (missing[:2] < FEWEST).all()
    assert scale[:2].tolist() == [1, 1]  # so seldom missing that nothing can be said


def test_the_same_seed_gives_the_same_scale() -> None:
    network, check = Guessing(Shape(widths=(2,))), recordings(1, 50)
    assert torch.equal(interval_scale(network, check, SEED), interval_scale(network, check, SEED))


def test_a_network_is_shown_only_what_is_known() -> None:
    seen = []

    class Watching(Guessing):
        def estimate(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            seen.append((x, mask))
            return super().estimate(x, mask)

    check = recordings(1, 40)
    check.held[:20, INDEPENDENT.index("V4")] = False
    interval_scale(Watching(Shape(widths=(2,))), check, SEED)
    x, mask = (torch.cat(parts) for parts in zip(*seen, strict=True))
    assert len(x) == 40
    sets = lead_sets(40, torch.Generator().manual_seed(SEED))
    assert torch.equal(mask[:, :, 0], sets * torch.from_numpy(check.held))
    assert not torch.equal(mask[:, :, 0], sets)
    assert not x[mask == 0].any()
    shown = torch.from_numpy(check.signal.astype(np.float32) / COUNTS_PER_MV)
    assert torch.equal(x[mask == 1], shown[mask == 1])


@pytest.mark.data
def test_the_shipped_intervals_hold_nine_of_ten_samples_of_recordings_it_never_saw(data_dir: Path) -> None:
    engine = load()
    high_pass = butter(TARGET_ORDER, TARGET_HIGH_PASS_HZ, "highpass", fs=RATE, output="sos")
    inside = []
    for entry in ptbxl(data_dir, frozenset({TEST_FOLD}), RATE):
        truth = twelve(entry.path)
        samples = np.full_like(truth, np.nan)
        samples[[0, 1, 9]] = truth[[0, 1, 9]]
        hop = longest_hop(samples.shape[1], engine.stride)
        emitted = live(engine, samples, RATE, ("I", "II", "V4"), hop)
        estimated = emitted.origin == Origin.ESTIMATED
        level = sosfiltfilt(high_pass, truth, axis=1)[:, : emitted.end]
        inside.append((np.abs(emitted.leads - level) <= emitted.interval)[estimated])
    covered = np.concatenate(inside).mean()
    assert 0.87 < covered < 0.93
