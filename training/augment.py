"""What may happen to a recording before the network sees it: other bodies, noise, wander, missing leads."""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.leads import INDEPENDENT, RATE

LEADS = len(INDEPENDENT)
CHEST = slice(2, LEADS)
V4 = INDEPENDENT.index("V4")


@dataclass(frozen=True)
class Example:
    """A batch to learn from.

    Attributes
    ----------
    x, target : Tensor, (batch, 8, n), mV
        Input with its disturbances, zero where masked; and what should come out.
    mask : Tensor, (batch, 8, n)
        1 where the input is known.
    """

    x: Tensor
    mask: Tensor
    target: Tensor


def augment(signal: Tensor, target: Tensor, held: Tensor, generator: torch.Generator) -> Example:
    """A batch as the network may meet it.

    Parameters
    ----------
    signal, target : Tensor, (batch, 8, n), mV
        As recorded, and without slow drift.
    held : Tensor, (batch, 8)
        1 where the recording holds the lead, else 0: such a lead is not given, and without target not asked for.
    generator : torch.Generator
        The only source of chance.
    """
    body = _body(held, generator)
    signal, target = body @ signal, body @ target * held[:, :, None]
    given = lead_sets(signal.shape[0], generator) * held
    mask = given[:, :, None] * _arrivals(signal.shape, generator)
    disturbed = signal + _noise(signal.shape, generator) + _wander(signal.shape, generator)
    return Example(disturbed * mask, mask, target)


def lead_sets(batch: int, generator: torch.Generator) -> Tensor:
    """Which leads are known, (batch, 8): mostly two limb leads and some chest leads, I, II, V4 above all."""
    kind = torch.rand(batch, generator=generator)
    order = torch.rand(batch, LEADS - 2, generator=generator).argsort(dim=1).argsort(dim=1)
    chest_count = torch.bucketize(kind, torch.tensor([0.35, 0.45, 0.70, 0.85, 0.90, 0.95]))
    # kinds: I,II,V4 / I,II / one more / two more / three more / four more / any leads at all
    counts = torch.tensor([1, 0, 1, 2, 3, 4, 0])[chest_count]
    sets = torch.ones(batch, LEADS)
    sets[:, CHEST] = (order < counts[:, None]).float()
    sets[chest_count == 0, CHEST] = torch.eye(LEADS)[V4, CHEST]
    any_leads = (torch.rand(batch, LEADS, generator=generator) < 0.4).float()
    lone = torch.randint(0, LEADS, (batch,), generator=generator)
    any_leads[torch.arange(batch), lone] = 1
    return torch.where((chest_count == 6)[:, None], any_leads, sets)


def _body(held: Tensor, generator: torch.Generator) -> Tensor:
    """Another body with the same heart, (batch, 8, 8): overall and chest-lead gain, electrodes between their places.

    None moves towards a neighbour that is not held.
    """
    batch = held.shape[0]
    gain = torch.exp(0.2 * torch.randn(batch, 1, 1, generator=generator))
    chest_gain = torch.exp(0.05 * torch.randn(batch, LEADS - 2, 1, generator=generator))
    shift = 0.35 * torch.rand(batch, LEADS - 2, 1, generator=generator)
    shift = shift * (torch.rand(batch, 1, 1, generator=generator) < 0.5)
    step = torch.where(torch.rand(batch, LEADS - 2, generator=generator) < 0.5, -1, 1)
    neighbour = (torch.arange(LEADS - 2) + step).clamp(0, LEADS - 3)
    shift = shift * held[:, CHEST].gather(1, neighbour)[:, :, None]
    chest = torch.eye(LEADS - 2) * (1 - shift) + torch.eye(LEADS - 2)[neighbour] * shift
    body = torch.eye(LEADS).repeat(batch, 1, 1)
    body[:, CHEST, CHEST] = chest * chest_gain
    return body * gain


def _arrivals(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """When leads are there, (batch, 8, n): a stream that has only begun, a lead that falls off for a while."""
    batch, leads, length = shape
    time = torch.arange(length)
    begun = torch.rand(batch, 1, 1, generator=generator) < 0.25
    start = (torch.rand(batch, 1, 1, generator=generator) * 0.8 * length) * begun
    falls = torch.rand(batch, leads, 1, generator=generator) < 0.02
    off = torch.rand(batch, leads, 1, generator=generator) * length
    back = off + (0.1 + torch.rand(batch, leads, 1, generator=generator)) * 2 * RATE
    return ((time >= start) & ~(falls & (time >= off) & (time < back))).float()


def _noise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Muscle and electrode noise, up to about 20 uV, white, on a third of the leads."""
    level = 0.02 * torch.rand(shape[0], shape[1], 1, generator=generator) ** 2
    noisy = torch.rand(shape[0], shape[1], 1, generator=generator) < 0.33
    return level * noisy * torch.randn(shape, generator=generator)


def _wander(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Baseline wander of 0.1 to 0.5 Hz, up to about 0.3 mV, on half of the recordings."""
    batch, leads, length = shape
    time = torch.arange(length) / RATE
    frequency = 0.1 + 0.4 * torch.rand(batch, 1, 1, generator=generator)
    phase = 2 * torch.pi * torch.rand(batch, leads, 1, generator=generator)
    height = 0.3 * torch.rand(batch, leads, 1, generator=generator) ** 2
    height = height * (torch.rand(batch, 1, 1, generator=generator) < 0.5)
    return height * torch.sin(2 * torch.pi * frequency * time + phase)
