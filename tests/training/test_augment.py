"""What happens to a recording before the network sees it, and what never does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.leads import INDEPENDENT
from training.augment import CHEST, LEADS, V4, Example, augment, lead_sets
from training.loss import loss

MANY = 40_000


def draw(signal: torch.Tensor, target: torch.Tensor, seed: int = 1, held: torch.Tensor | None = None) -> Example:
    """A batch of recordings that hold all leads, unless it is said which."""
    held = torch.ones(signal.shape[:2]) if held is None else held
    return augment(signal, target, held, torch.Generator().manual_seed(seed))


def values(x: torch.Tensor) -> set[float]:
    return set(x.flatten().tolist())


def some(seed: int, batch: int = 8, length: int = 3000) -> torch.Tensor:
    return torch.randn(batch, LEADS, length, generator=torch.Generator().manual_seed(seed))


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15)
def test_what_is_masked_is_zero(seed: int) -> None:
    example = draw(some(1) + 5, some(2), seed)
    assert example.x.shape == example.mask.shape == example.target.shape == (8, LEADS, 3000)
    assert values(example.mask) <= {0.0, 1.0}
    assert not example.x[example.mask == 0].any()
    assert (example.x[example.mask == 1] != 0).all()
    assert (example.mask.amax(dim=(1, 2)) == 1).all()  # something is known of every recording


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15)
def test_a_lead_that_is_not_held_is_neither_given_nor_asked_for(seed: int) -> None:
    held = (torch.rand(64, LEADS, generator=torch.Generator().manual_seed(seed)) < 0.7).float()
    signal, target = some(seed, 64, 1000) * held[:, :, None], some(seed + 1, 64, 1000) * held[:, :, None]
    example = draw(signal, target, seed, held)
    assert not example.mask[held == 0].any()
    assert not example.target[held == 0].any()
    assert (example.target[held == 1] != 0).any(dim=1).all()
    estimate = torch.zeros_like(target)
    width, sigma = torch.ones_like(target), torch.ones(LEADS)
    value = loss(estimate, width, example.target, example.mask, sigma)
    estimate[held == 0] = 7
    assert loss(estimate, width, example.target, example.mask, sigma) == value


def test_an_electrode_does_not_move_to_where_nothing_was_measured() -> None:
    held = torch.ones(200, LEADS)
    held[:, [4, 7]] = 0  # V3 and V6
    ones = held[:, :, None].expand(-1, -1, 100)
    target = draw(ones, ones, held=held).target
    for neighbours in ([3, 5], [6]):
        share = target[:, neighbours] / target[:, :1]  # of the gain that all leads have in common
        assert share.min() > 0.8  # the chest leads' own gain; a third towards nothing would leave less


def test_the_target_is_never_disturbed() -> None:
    nothing = torch.zeros(64, LEADS, 2000)
    example = draw(nothing, nothing)
    assert not example.target.any()
    assert example.x.any()


def test_noise_and_wander_are_small_and_of_some_leads() -> None:
    nothing = torch.zeros(600, LEADS, 2000)
    example = draw(nothing, nothing)
    x = example.x[example.mask.all(dim=2)]
    assert len(x) > 1000
    assert x.abs().max() < 0.3 + 6 * 0.02
    white = x.diff(dim=1).abs().amax(dim=1) > 0.005  # a wander of 0.3 mV and 0.5 Hz does 2 uV a sample
    assert 0.2 < white.float().mean() < 0.33
    wander = x.unfold(1, 250, 250).mean(dim=2).abs().amax(dim=1) > 0.01
    assert 0.3 < wander.float().mean() < 0.5


def test_a_body_changes_signal_and_target_alike() -> None:
    large = 1000 * (1 + some(3, 64, 500).abs())
    example = draw(large, large)
    known = example.mask == 1
    assert (example.x - example.target)[known].abs().max() < 0.5  # what noise and wander add
    assert ((example.target / large) - 1).abs().max() > 0.1


def test_a_body_keeps_what_physics_says_of_limb_leads() -> None:
    large = some(4, 64, 100)
    target = draw(large, large).target
    gain = target[:, :2] / large[:, :2]
    assert torch.allclose(gain, gain[:, :1, :1].expand_as(gain), rtol=1e-4)
    assert gain.std() > 0.1


def test_a_chest_electrode_moves_no_further_than_to_its_neighbour() -> None:
    apart = torch.eye(LEADS).repeat(200, 1, 1)  # as many samples as leads: what comes out is the body itself
    body = draw(apart, apart).target
    assert not body[:, :2, CHEST].any()
    assert not body[:, CHEST, :2].any()
    distance = (torch.arange(LEADS)[:, None] - torch.arange(LEADS)).abs()
    assert not body[:, distance > 1].any()
    assert (body >= 0).all()
    assert body[:, distance == 1].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_generator_is_the_only_chance(seed: int) -> None:
    signal, target = some(5), some(6)
    torch.manual_seed(1)
    one = draw(signal, target, seed)
    torch.manual_seed(2)
    other = draw(signal, target, seed)
    for name in ("x", "mask", "target"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert not torch.equal(one.x, draw(signal, target, seed + 1).x)


def test_the_recording_itself_is_left_as_it_is() -> None:
    signal, target = some(7), some(8)
    kept = signal.clone(), target.clone()
    draw(signal, target)
    assert torch.equal(signal, kept[0])
    assert torch.equal(target, kept[1])


def test_the_shares_of_the_sets() -> None:
    sets = lead_sets(MANY, torch.Generator().manual_seed(1))
    assert values(sets) == {0.0, 1.0}
    assert (sets.sum(dim=1) >= 1).all()
    limb, chest = sets[:, :2].all(dim=1), sets[:, CHEST].sum(dim=1)
    only_v4 = limb & (chest == 1) & (sets[:, V4] == 1)

    def share(which: torch.Tensor) -> float:
        return float(which.float().mean())

    # "any leads at all" is one in twenty and adds at most .006 to each of these
    assert share(only_v4) == pytest.approx(0.35 + 0.25 / 6, abs=0.01)
    assert share(limb & (chest == 0)) == pytest.approx(0.10, abs=0.01)
    assert share(limb & (chest == 1) & ~only_v4) == pytest.approx(0.25 * 5 / 6, abs=0.015)
    assert share(limb & (chest == 2)) == pytest.approx(0.15, abs=0.012)
    assert share(limb & (chest == 3)) == pytest.approx(0.05, abs=0.01)
    assert share(limb & (chest == 4)) == pytest.approx(0.05, abs=0.01)
    assert 0.02 < share(~limb) < 0.05
    others = sets[limb & (chest == 1) & ~only_v4][:, CHEST].mean(dim=0)
    assert (others[torch.arange(LEADS - 2) != V4 - 2] - 0.2).abs().max() < 0.02


def test_i_ii_v4_is_i_ii_v4() -> None:
    assert INDEPENDENT.index("V4") == V4
    assert [INDEPENDENT[row] for row in range(LEADS)[CHEST]] == ["V1", "V2", "V3", "V4", "V5", "V6"]


def test_streams_begin_and_leads_fall_off_for_a_while() -> None:
    signal = torch.ones(700, LEADS, 2500)
    mask = draw(signal, signal).mask
    known = mask.amax(dim=2) == 1
    late = (mask.amax(dim=1)[:, 0] == 0).float().mean()
    assert 0.18 < late < 0.32
    changes = mask.diff(dim=2)
    off, back = (changes == -1).sum(dim=2), (changes == 1).sum(dim=2)
    assert off.max() == 1
    assert 0.005 < (off[known] == 1).float().mean() < 0.03
    again = (mask[:, :, 0] == 1) & (off == 1) & (back == 1)
    length = (mask == 0).sum(dim=2)[again]
    assert len(length) > 20
    assert length.min() >= 90
    assert length.max() <= 1110
