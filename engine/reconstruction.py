"""Twelve leads of a frame: what was measured passes, what follows is computed, the rest is the network's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine import physics
from engine.backends import Backend
from engine.leads import INDEPENDENT_ROWS, RATE, Origin


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Twelve leads of some consecutive samples.

    Attributes
    ----------
    leads : ndarray, (12, n) float32, mV
        NaN where nothing was known.
    interval : ndarray, (12, n) float32, mV
        Half-width of the 90 % interval of estimated leads, 0 of others.
    origin : ndarray, (12, n) uint8
        `Origin` of each sample.
    settled : int
        Columns from the first that no later sample can change.
    """

    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    origin: NDArray[np.uint8]
    settled: int


class Engine:
    """A model and the physics around it.

    Parameters
    ----------
    backend : Backend
        Runs the network.
    name : str
        The model's.
    stride, look_ahead, left_context : int
        The model's, in samples at 500 Hz.
    """

    rate = RATE

    def __init__(self, backend: Backend, *, name: str, stride: int, look_ahead: int, left_context: int) -> None:
        self.name = name
        self.backend_name = backend.name
        self.stride = stride
        self.look_ahead = look_ahead
        self.left_context = left_context
        self._backend = backend

    def estimate(self, samples: NDArray[np.float32], keep: int) -> Reconstruction:
        """Twelve leads of the last columns of a frame.

        Only as much of the frame as these columns can see is computed.

        Parameters
        ----------
        samples : ndarray, (12, n) float32, mV
            Measured leads, NaN where nothing was measured. n is a multiple of the stride, and so is the sample index
            of the first column.
        keep : int
            Columns wanted, counted from the last.
        """
        length = samples.shape[1]
        if length % self.stride or not 0 < keep <= length:
            raise ValueError(f"a frame of {length} samples, {keep} of them wanted, does not fit stride {self.stride}")
        seen = -(-(keep + self.left_context) // self.stride) * self.stride
        known, mask, origin = physics.solve(samples[:, max(0, length - seen) :])
        x = np.nan_to_num(known[list(INDEPENDENT_ROWS)])
        leads, interval = self._backend.run(x[None], mask[None].astype(np.float32))
        known, origin = known[:, -keep:], origin[:, -keep:]
        derived = origin == Origin.ESTIMATED
        nothing = origin == Origin.NONE
        return Reconstruction(
            leads=np.where(derived, leads[0, :, -keep:], np.where(nothing, np.float32(np.nan), known)),
            interval=np.where(derived, interval[0, :, -keep:], np.float32(0)),
            origin=np.ascontiguousarray(origin),
            settled=max(0, keep - self.look_ahead),
        )
