"""The network's laws for any shape: how far it sees, how little it minds, and what passes through it."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backends.network import LEADS_IN, Network, Shape
from engine.physics import LIMB_MATRIX, MATRIX

seeds = st.integers(0, 2**31)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    decimation = draw(st.integers(1, 6))
    return Shape(
        widths=tuple(draw(st.lists(st.integers(3, 6), min_size=1, max_size=4))),
        kernel=draw(st.integers(1, 5)),
        dilations=tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))),
        decimation=decimation,
        stem_kernel=draw(st.integers(decimation, 15)),
        baseline_steps=draw(st.integers(2, 30)),
        delay=draw(st.integers(0, 20)),  # may well reach over several of the coarsest steps
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose more to threads that wait for each other than they win."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network(shape: Shape, seed: int) -> Network:
    """Random weights, as large as a fit leaves them, and a linear model and scales of its own."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    linear = 0.3 * rng.standard_normal((256, LEADS_IN, LEADS_IN), np.float32)
    made = Network(shape, linear, rng.uniform(0.1, 0.5, LEADS_IN).astype(np.float32))
    made.interval_scale.copy_(torch.linspace(0.5, 2, LEADS_IN))
    return made.eval()


def recording(seed: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Leads with offsets of their own that come and go, (1, 8, length), and their mask."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, LEADS_IN, length, generator=generator) + torch.randn(1, LEADS_IN, 1, generator=generator)
    slow = torch.rand(1, LEADS_IN, -(-length // 30), generator=generator).repeat_interleave(30, dim=2)
    mask = (slow[..., :length] < 0.7).float()
    return x * mask, mask


@torch.no_grad()
def both(net: Network, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Estimates and half-widths, (16, n)."""
    return torch.cat(net.estimate(x, mask), dim=1)[0]


@given(shape=shapes(), seed=seeds, place=st.floats(0, 1))
def test_an_estimate_sees_no_more_than_its_look_ahead(shape: Shape, seed: int, place: float) -> None:
    net = network(shape, seed)
    length = shape.stride * 12 + -(-shape.look_ahead // shape.stride) * shape.stride
    x, mask = recording(seed, length)
    first = both(net, x, mask)
    index = int(place * (length - shape.look_ahead - 1))
    later = index + shape.look_ahead + 1
    other, other_mask = recording(seed + 1, length)
    other *= 5
    other[..., :later], other_mask[..., :later] = x[..., :later], mask[..., :later]
    second = both(net, other, other_mask)
    assert torch.equal(first[:, : index + 1], second[:, : index + 1])
    assert torch.isfinite(first).all()
    assert torch.isfinite(second).all()


@given(shape=shapes(), seed=seeds)
def test_the_look_ahead_is_no_larger_than_it_must_be(shape: Shape, seed: int) -> None:
    net = network(shape, seed)
    length = shape.stride * 12 + -(-shape.look_ahead // shape.stride) * shape.stride
    x, mask = recording(seed, length)
    first = both(net, x, mask)

    def seen_at(index: int) -> bool:
        other = x.clone()
        other[..., index + shape.look_ahead :] += 3
        return not torch.equal(first[:, index], both(net, other * mask, mask)[:, index])

    assert any(seen_at(index) for index in range(0, length - shape.look_ahead, shape.decimation))


@given(shape=shapes(), seed=seeds)
def test_nothing_before_the_left_context_matters(shape: Shape, seed: int) -> None:
    net = network(shape, seed)
    cut, context = 2 * shape.stride, shape.left_context
    x, mask = recording(seed, cut + context + 3 * shape.stride)
    whole = both(net, x, mask)
    other, other_mask = recording(seed + 1, x.shape[2])
    other[..., cut:], other_mask[..., cut:] = x[..., cut:], mask[..., cut:]
    assert torch.equal(both(net, other, other_mask)[:, cut + context :], whole[:, cut + context :])
    short = both(net, x[..., cut:].contiguous(), mask[..., cut:].contiguous())
    assert torch.allclose(short[:, context:], whole[:, cut + context :], rtol=1e-4, atol=1e-5)


@given(shape=shapes(), seed=seeds, blocks=st.integers(1, 9), batch=st.integers(1, 3))
@settings(max_examples=25)
def test_any_length_of_whole_strides(shape: Shape, seed: int, blocks: int, batch: int) -> None:
    net = network(shape, seed)
    length = blocks * shape.stride
    parts = [recording(seed + number, length) for number in range(batch)]
    x, mask = (torch.cat(each) for each in zip(*parts, strict=True))
    with torch.no_grad():
        leads, interval = net(x, mask)
    assert leads.shape == interval.shape == (batch, 12, length)
    assert torch.isfinite(leads).all()
    for number, part in enumerate(parts):
        with torch.no_grad():
            alone, _ = net(*part)
        assert torch.allclose(alone[0], leads[number], rtol=1e-4, atol=1e-5)


@given(shape=shapes(), seed=seeds)
@settings(max_examples=25)
def test_measured_samples_pass_and_limb_leads_follow(shape: Shape, seed: int) -> None:
    net = network(shape, seed)
    x, mask = recording(seed, 12 * shape.stride)
    with torch.no_grad():
        leads, interval = net(x, mask)
        estimate, width = net.estimate(x, mask)
    eight = leads[0, [0, 1, *range(6, 12)]]
    known = mask[0] == 1
    assert torch.equal(eight[known], x[0][known])
    assert torch.equal(eight[~known], estimate[0][~known])
    limb = LIMB_MATRIX @ leads[0, :2].double().numpy()
    assert np.abs(leads[0, :6].numpy() - limb).max() <= 1e-6 * max(1, np.abs(limb).max())
    half = np.where(known, 0, (width[0] * net.interval_scale[:, None]).numpy())
    assert np.allclose(interval[0], np.abs(MATRIX) @ half, rtol=1e-5)
    assert (interval[0, 6:][~known[2:]] > 0).all()


@given(shape=shapes(), seed=seeds, offset=st.floats(-3, 3))
@settings(max_examples=20)
def test_an_offset_changes_no_estimate(shape: Shape, seed: int, offset: float) -> None:
    net = network(shape, seed)
    x, mask = recording(seed, 12 * shape.stride)
    moved = (x + offset * torch.linspace(-1, 1, LEADS_IN)[:, None]) * mask
    assert torch.allclose(both(net, x, mask), both(net, moved, mask), rtol=1e-3, atol=1e-4)


@given(seed=seeds, steps=st.integers(1, 40), decimation=st.integers(1, 5))
@settings(max_examples=15)
def test_the_baseline_is_the_mean_of_what_is_known(seed: int, steps: int, decimation: int) -> None:
    net = network(Shape(widths=(2,), decimation=decimation, baseline_steps=steps), 1)
    x, mask = recording(seed, 60 * decimation)
    mean = net.baseline(x, mask)[0]
    for index in range(0, 60 * decimation, 7):
        stop = (index // decimation + 1) * decimation  # the end of its own step
        window = slice(max(0, stop - steps * decimation), stop)
        count = mask[0, :, window].sum(dim=1)
        expected = torch.where(count > 0, x[0, :, window].sum(dim=1) / count.clamp(min=1), 0)
        assert torch.allclose(mean[:, index], expected, atol=1e-5)


@given(shape=shapes())
def test_a_shape_comes_back_from_its_manifest(shape: Shape) -> None:
    assert Shape.of(shape.sizes()) == shape
    assert shape.left_context % shape.stride == 0
    assert shape.stride == shape.decimation * 2 ** (len(shape.widths) - 1)


def test_the_shape_that_ships_fits_the_frame() -> None:
    shape = Shape()
    assert shape.look_ahead <= 50
    assert shape.left_context + shape.look_ahead + shape.stride <= 5000
    assert 5000 % shape.stride == 0
