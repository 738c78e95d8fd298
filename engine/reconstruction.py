"""The engine: estimates of frames, a batch from any beds at a time."""

from collections.abc import Sequence

import numpy as np

from engine.backends import Backend
from engine.frame import Estimate, Frame
from engine.leads import RATE

LARGEST_BATCH = 16
"""Frames given to the backend at once: bounds the memory."""


class Engine:
    """A model that runs.

    Parameters
    ----------
    backend : Backend
        Runs the network with its physics layer.
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

    def estimate(self, frames: Sequence[Frame]) -> list[Estimate]:
        """Estimates of frames, in their order; those of one length go through the network together.

        Parameters
        ----------
        frames : sequence of Frame
            Of any beds; the length of each is a multiple of the stride.
        """
        estimates: dict[int, Estimate] = {}
        by_length: dict[int, list[int]] = {}
        for place, frame in enumerate(frames):
            length = frame.leads.shape[1]
            if not length or length % self.stride:
                raise ValueError(f"a frame of {length} samples does not fit stride {self.stride}")
            by_length.setdefault(length, []).append(place)
        for places in by_length.values():
            for first in range(0, len(places), LARGEST_BATCH):
                some = places[first : first + LARGEST_BATCH]
                x = np.stack([frames[place].leads for place in some])
                mask = np.stack([frames[place].mask for place in some])
                leads, interval = self._backend.run(x, mask)
                for row, place in enumerate(some):
                    estimates[place] = Estimate(leads[row], interval[row])
        return [estimates[place] for place in range(len(frames))]
