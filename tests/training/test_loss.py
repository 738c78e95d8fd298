"""What the network is asked for, and what it is not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.loss import loss

BATCH, LEADS, LENGTH = 3, 8, 1200
SIGMA = torch.linspace(0.1, 0.8, LEADS)


def case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Estimate, half-width, target and a mask in which recordings begin late and leads come and go."""
    generator = torch.Generator().manual_seed(seed)
    target, error = (torch.randn(BATCH, LEADS, LENGTH, generator=generator) * SIGMA[:, None] for _ in range(2))
    width = 0.1 + torch.rand(BATCH, LEADS, LENGTH, generator=generator)
    mask = (torch.rand(BATCH, LEADS, 1, generator=generator) < 0.4).float().repeat(1, 1, LENGTH)
    mask[:, 0, 700:] = 0
    mask[:, 1, 300:] = 1
    mask[:, :, :200] = 0
    return target + 0.5 * error, width, target, mask


def asked_of(mask: torch.Tensor) -> torch.Tensor:
    """Missing samples after the first that is known of a recording."""
    asked = torch.zeros_like(mask)
    for number, recording in enumerate(mask):
        first = int(torch.nonzero(recording.any(dim=0))[0])
        asked[number, :, first:] = 1 - recording[:, first:]
    return asked


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15)
def test_only_missing_samples_of_begun_recordings_count(seed: int) -> None:
    estimate, width, target, mask = case(seed)
    value = loss(estimate, width, target, mask, SIGMA)
    asked = asked_of(mask)
    other = torch.randn(estimate.shape, generator=torch.Generator().manual_seed(seed + 1))
    elsewhere = loss(
        torch.where(asked == 1, estimate, 9 * other), torch.where(asked == 1, width, other.abs()), target, mask, SIGMA
    )
    assert elsewhere == pytest.approx(float(value), rel=1e-5)
    assert loss(torch.where(asked == 1, target + other, estimate), width, target, mask, SIGMA) > value


def test_leads_without_signal_in_truth_are_not_asked_for() -> None:
    estimate, width, target, mask = case(1)
    mask[:, 4] = 0
    target[:, 4] = 0.3 + 0.009 * torch.rand(BATCH, LENGTH)
    value = loss(estimate, width, target, mask, SIGMA)
    estimate[:, 4] += 7
    assert loss(estimate, width, target, mask, SIGMA) == value
    target[:, 4, 500] += 0.02
    assert loss(estimate, width, target, mask, SIGMA) > value


@given(seed=st.integers(0, 2**31), size=st.floats(1e-3, 10))
@settings(max_examples=15)
def test_nothing_is_better_than_the_truth(seed: int, size: float) -> None:
    estimate, _, target, mask = case(seed)
    certain = torch.zeros_like(estimate)
    best = loss(target, certain, target, mask, SIGMA)
    assert float(best) == pytest.approx(0, abs=1e-3)
    worse = target + size * (estimate - target)
    assert loss(worse, certain, target, mask, SIGMA) > best
    assert loss(target, certain + size, target, mask, SIGMA) > best


def test_its_parts_are_their_formulas() -> None:
    generator = torch.Generator().manual_seed(1)
    target, estimate = torch.randn(2, 1, LEADS, LENGTH, generator=generator) * SIGMA[:, None]
    width = torch.full_like(target, 0.2)
    mask = torch.zeros_like(target)
    mask[:, :3] = 1
    t, e, s = (x.double().numpy() for x in (target[0, 3:], estimate[0, 3:], SIGMA[3:, None]))
    error = np.abs(e - t) / s
    r = np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(t, e, strict=True)])
    beyond = error - 0.2 / s
    pinball = np.where(beyond > 0, 0.9 * beyond, -0.1 * beyond).mean()
    expected = error.mean() + 3 * (1 - r) + 0.3 * pinball
    assert float(loss(estimate, width, target, mask, SIGMA)) == pytest.approx(expected, rel=1e-4)


def test_the_best_half_width_covers_nine_errors_of_ten() -> None:
    generator = torch.Generator().manual_seed(2)
    target = torch.randn(8, LEADS, LENGTH, generator=generator) ** 3 * SIGMA[:, None]
    mask = torch.zeros_like(target)
    mask[:, 0] = 1
    error = (target / SIGMA[:, None])[:, 1:].abs()
    shares = np.linspace(0.7, 0.99, 59)
    values = [
        float(loss(0 * target, q * SIGMA[:, None].expand_as(target), target, mask, SIGMA))
        for q in np.quantile(error.numpy(), shares)
    ]
    assert shares[np.argmin(values)] == pytest.approx(0.9, abs=0.0101)


def test_the_half_width_does_not_pull_at_the_estimate() -> None:
    estimate, width, target, mask = case(3)
    gradients: list[torch.Tensor] = []
    for factor in (1, 5):
        leaf = estimate.clone().requires_grad_()
        gradients += torch.autograd.grad(loss(leaf, factor * width, target, mask, SIGMA), leaf)
    assert torch.equal(gradients[0], gradients[1])
    assert gradients[0].any()


@pytest.mark.parametrize("what", ["flat target", "flat estimate", "all known", "never begun", "one sample asked"])
def test_gradients_are_finite_where_nothing_can_be_judged(what: str) -> None:
    estimate, width, target, mask = case(4)
    if what == "flat target":
        target = torch.zeros_like(target)
    elif what == "flat estimate":
        estimate = torch.zeros_like(target)
    elif what == "all known":
        mask = torch.ones_like(mask)
    elif what == "never begun":
        mask = torch.zeros_like(mask)
    else:
        mask = torch.ones_like(mask)
        mask[1, 2, 800] = 0
    leaves = estimate.clone().requires_grad_(), width.clone().requires_grad_()
    value = loss(*leaves, target, mask, SIGMA)
    assert torch.isfinite(value.detach())
    for gradient in torch.autograd.grad(value, leaves):
        assert torch.isfinite(gradient).all()
    if what in ("flat target", "all known", "never begun"):
        assert value.item() == 0
