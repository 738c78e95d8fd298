"""The packets that a device makes: what it measures, in its own unit and format. No clock, no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.items import lock
from stream.simulation.device import RAIL_MV, Device
from stream.simulation.signal import Signal

NOISE_KEY = 0
"""What makes the device's noise random in its own way: no fault changes it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What a device sends at once.

    Attributes
    ----------
    number : int
        From 0.
    index : int
        Number of its first sample, from 0.
    values : ndarray, (n, channels)
        As the device says them; strings are still numbers.
    clipped : int
        How many values did not fit into the format.
    """

    number: int
    index: int
    values: NDArray[Any]
    clipped: int = 0

    def __post_init__(self) -> None:
        lock(self, "values")

    @property
    def end(self) -> int:
        """Number of the sample after its last."""
        return self.index + len(self.values)


def packets(signal: Signal, device: Device, *, n_samples: int | None = None, seed: int = 0) -> Iterator[Packet]:
    """All packets of a device; the last may be a shorter one.

    Parameters
    ----------
    signal : Signal
        What it measures.
    device : Device
        How it says it.
    n_samples : int or None
        When it ends, if it does; never later than the signal.
    seed : int
        Of the noise.
    """
    ends = [end for end in (n_samples, signal.n_samples) if end is not None]
    noise = np.random.default_rng([seed, NOISE_KEY])
    for number in count():
        index = number * device.packet
        stop = min([index + device.packet, *ends])
        if stop <= index:
            return
        samples = signal.read(index, stop).astype(np.float64)
        if device.noise_uv:
            samples += noise.standard_normal(samples.shape) * device.noise_uv / 1000
        _put_off(samples, device, index)
        values, clipped = _values(samples, device, index)
        yield Packet(number, index, values, clipped)


def _put_off(samples: NDArray[np.float64], device: Device, index: int) -> None:
    """A lead that is off stands still at the rail, noise and all."""
    for off in device.lead_off:
        first, last = (max(0, place - index) for place in off.span.samples(device.rate))
        samples[device.leads.index(off.lead), first:last] = RAIL_MV


def _values(samples: NDArray[np.float64], device: Device, index: int) -> tuple[NDArray[Any], int]:
    """As the device says them, and how many were clipped."""
    values = samples.T * device.unit.per_mv
    clipped = 0
    if limits := device.format.limits:
        values = np.rint(values)
        clipped = int(((values < limits[0]) | (values > limits[1])).sum())
        values = np.clip(values, *limits)
    said = values.astype(device.format.dtype)
    if device.counter:
        numbers = np.arange(index, index + len(said)) % device.counter_modulus
        said = np.column_stack([said, numbers.astype(said.dtype)])
    return np.ascontiguousarray(said), clipped
