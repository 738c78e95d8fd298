"""The network with its physics layer: mV of the known leads in, twelve leads and their intervals in mV out.

A 1-D U-Net on a 100 Hz core. Every convolution looks only back, an upsampled feature is used only once its block is
complete, and the output is delayed by whole core steps: so an estimate sees at most `look_ahead` later samples and a
bounded number of earlier ones, and no number that depends on the length of the frame.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.leads import INDEPENDENT
from engine.physics import MATRIX

LEADS_IN = len(INDEPENDENT)


@dataclass(frozen=True)
class Shape:
    """What a network is built from; it stands in the manifest.

    Attributes
    ----------
    widths : tuple of int
        Channels at 100, 50, 25 and 12.5 Hz.
    kernel : int
        Taps of the convolutions inside residual blocks.
    dilations : tuple of int
        Dilation of each residual block at the bottom.
    decimation : int
        Samples (500 Hz) for one step of the core.
    stem_kernel : int
        Taps at 500 Hz of the strided convolution into the core.
    baseline_steps : int
        Core steps over which the running mean is taken that is subtracted from each lead.
    delay : int
        Core steps by which the output is delayed: what it can see of the future.
    """

    widths: tuple[int, ...] = (48, 64, 88, 120)
    kernel: int = 7
    dilations: tuple[int, ...] = (1, 3)
    decimation: int = 5
    stem_kernel: int = 25
    baseline_steps: int = 200
    delay: int = 9

    @classmethod
    def of(cls, sizes: Mapping[str, int | list[int]]) -> "Shape":
        """From what stands in a manifest."""
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in sizes.items()})  # type: ignore[arg-type]

    @property
    def stride(self) -> int:
        """Samples (500 Hz) between the network's coarsest steps; frames end on multiples of it."""
        return int(self.decimation * 2 ** (len(self.widths) - 1))

    @property
    def look_ahead(self) -> int:
        """Later samples (500 Hz) an estimate may see."""
        return self.decimation * self.delay + self.decimation - 1

    def sizes(self) -> dict[str, int | list[int]]:
        """As it stands in the manifest."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(self).items()}

    @property
    def left_context(self) -> int:
        """Earlier samples (500 Hz) an estimate may see, rounded up to the stride."""
        steps = self.baseline_steps + 2  # the running mean, and the output's three taps
        deepest = len(self.widths) - 1
        for level in range(len(self.widths)):
            length = 2**level
            blocks = self.dilations if level == deepest else (1, 1)
            steps += length * 2 * (self.kernel - 1) * sum(blocks)
            if level < deepest:
                steps += length * (2 + 2)  # the strided convolution's reach and the shift of the way up
        samples = self.decimation * (steps + 1) + self.stem_kernel
        return -(-samples // self.stride) * self.stride


class CausalConv(nn.Conv1d):
    """A convolution whose output sees nothing later than the end of its own step."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, n) to as many steps as the stride leaves."""
        reach = self.dilation[0] * (self.kernel_size[0] - 1) - (self.stride[0] - 1)
        return super().forward(functional.pad(x, (reach, 0)))


class ResidualBlock(nn.Module):
    """Two causal convolutions with batch norm around a skip."""

    def __init__(self, width: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = CausalConv(width, width, kernel, dilation=dilation, bias=False)
        self.first_norm = nn.BatchNorm1d(width)
        self.second = CausalConv(width, width, kernel, dilation=dilation, bias=False)
        self.second_norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, n) to the same shape."""
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(x + self.second_norm(self.second(inner)))


class Up(nn.Module):
    """To twice the rate, using only blocks that are complete: what a step of two brings is used one step later."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.expand = nn.ConvTranspose1d(width_in, width_out, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width_in, n) to (batch, width_out, 2 n)."""
        return functional.pad(self.expand(x), (1, 0))[..., :-1]


def running_sum(x: Tensor, window: int) -> Tensor:
    """The sum over each step and the `window` - 1 before it, (..., n).

    Sums of 1, 2, 4, ... steps, added up as the window's binary digits say: a window of 200 takes nine additions, and a
    sum depends on nothing outside its window, as the difference of two long sums would by its rounding.
    """
    total, reached = torch.zeros_like(x), 0
    power, width = x, 1
    while width <= window:
        if window & width:
            total = total + _later(power, reached)
            reached += width
        power = power + _later(power, width)
        width *= 2
    return total


def _later(x: Tensor, steps: int) -> Tensor:
    """Moved to the right; zeros come in."""
    return functional.pad(x, (steps, 0))[..., : x.shape[-1]]


class Network(nn.Module):
    """Eight independent leads and their mask to twelve leads and 90 % half-widths.

    Parameters
    ----------
    shape : Shape
        The sizes.
    linear : ndarray, (256, 8, 8)
        For each set of known leads (bit k of its number: lead k of `INDEPENDENT`) the least-squares matrix from the
        known leads (unknown ones zero) to all eight.
    sigma : ndarray, (8,), mV
        Standard deviation of each independent lead: the scale of the network's output.
    """

    linear: Tensor
    sigma: Tensor
    interval_scale: Tensor
    matrix: Tensor
    bits: Tensor

    def __init__(
        self, shape: Shape, linear: NDArray[np.float32] | None = None, sigma: NDArray[np.float32] | None = None
    ) -> None:
        super().__init__()
        self.shape = shape
        widths = shape.widths
        self.register_buffer("linear", torch.zeros(256, LEADS_IN, LEADS_IN))
        self.register_buffer("sigma", torch.ones(LEADS_IN))
        self.register_buffer("interval_scale", torch.ones(LEADS_IN))
        self.register_buffer("matrix", torch.tensor(MATRIX, dtype=torch.float32), persistent=False)
        self.register_buffer("bits", 2.0 ** torch.arange(LEADS_IN).reshape(1, -1, 1), persistent=False)
        if linear is not None:
            self.linear.copy_(torch.as_tensor(linear))
        if sigma is not None:
            self.sigma.copy_(torch.as_tensor(sigma))
        self.stem = CausalConv(3 * LEADS_IN, widths[0], shape.stem_kernel, stride=shape.decimation)
        self.encoders = nn.ModuleList(ResidualBlock(width, shape.kernel) for width in widths[:-1])
        self.downs = nn.ModuleList(CausalConv(width, wider, 4, stride=2) for width, wider in pairwise(widths))
        self.bottom = nn.ModuleList(ResidualBlock(widths[-1], shape.kernel, dilation) for dilation in shape.dilations)
        self.ups = nn.ModuleList(Up(wider, width) for width, wider in pairwise(widths))
        self.decoders = nn.ModuleList(ResidualBlock(width, shape.kernel) for width in widths[:-1])
        self.head = CausalConv(widths[0], 2 * LEADS_IN * shape.decimation, 3)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Twelve leads and the half-widths of their 90 % intervals.

        Parameters
        ----------
        x : Tensor, (batch, 8, n), mV
            Independent leads, zero where unknown; n is a multiple of the stride.
        mask : Tensor, (batch, 8, n)
            1 where known, else 0.

        Returns
        -------
        leads, interval : Tensor, (batch, 12, n), mV
        """
        estimate, width = self.estimate(x, mask)
        known = mask > 0.5
        leads = torch.matmul(self.matrix, torch.where(known, x, estimate))
        half = torch.where(known, torch.zeros_like(width), width * self.interval_scale[:, None])
        # A limb lead that follows from two estimates is at most as uncertain as their intervals added up.
        interval = torch.matmul(self.matrix.abs(), half)
        return leads, interval

    def estimate(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The network's own estimates of all eight leads, with no offset, and uncalibrated half-widths.

        Parameters and shapes as in `forward`; returns two Tensors (batch, 8, n), mV.
        """
        level = (x - self.baseline(x, mask)) * mask
        linear = self.solve_linear(level, mask)
        features = torch.cat([level / self.sigma[:, None], mask, linear / self.sigma[:, None]], dim=1)
        correction, spread = self.core(features)
        return linear + correction * self.sigma[:, None], functional.softplus(spread) * self.sigma[:, None]

    def baseline(self, x: Tensor, mask: Tensor) -> Tensor:
        """The running mean of each lead over its known samples: offset and slow drift, (batch, 8, n) in mV."""
        step = self.shape.decimation
        both = functional.avg_pool1d(torch.cat([x * mask, mask], dim=1), step)
        total, count = running_sum(both, self.shape.baseline_steps).chunk(2, dim=1)
        mean = total / count.clamp(min=1e-6)
        return mean.repeat_interleave(step, dim=2)

    def solve_linear(self, level: Tensor, mask: Tensor) -> Tensor:
        """The least-squares solution of each sample's own set of known leads, (batch, 8, n) in mV."""
        number = (mask * self.bits).sum(dim=1).round().long()
        return (self.linear[number] * level.transpose(1, 2)[:, :, None, :]).sum(dim=3).transpose(1, 2)

    def core(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The U-Net: (batch, 24, n) to corrections and spreads (batch, 8, n), in units of `sigma`."""
        delay, coarse = self.shape.delay, self.shape.stride // self.shape.decimation
        later = -(-delay // coarse) * coarse  # whole blocks, so that the delayed output reaches the frame's end
        x = functional.relu(self.stem(functional.pad(features, (0, later * self.shape.decimation))))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = functional.relu(down(x))
        for block in self.bottom:
            x = block(x)
        for decoder, up, skip in zip(reversed(self.decoders), reversed(self.ups), reversed(skips), strict=True):
            x = decoder(skip + up(x))
        x = self.head(x)[..., delay : delay - later or None]
        step = self.shape.decimation
        batch, _, steps = x.shape
        x = x.reshape(batch, 2 * LEADS_IN, step, steps).transpose(2, 3).reshape(batch, 2 * LEADS_IN, steps * step)
        return x[:, :LEADS_IN], x[:, LEADS_IN:]
