"""Signals for tests: records that are only numbers."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.leads import INDEX, LEADS


@dataclass
class Tones:
    """A record of whole periods, so that it goes on without a step: each lead a sine of its own frequency, in mV."""

    rate: float = 500.0
    n_samples: int = 1000
    leads: tuple[str, ...] = ("I", "II", "V4")
    holes: tuple[slice, ...] = field(default=())

    def __post_init__(self) -> None:
        self.samples = np.full((len(LEADS), self.n_samples), np.nan, np.float32)
        for lead in self.leads:
            self.samples[INDEX[lead]] = self.at(lead, np.arange(self.n_samples) / self.rate)
        for hole in self.holes:
            self.samples[:, hole] = np.nan

    def at(self, lead: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the lead is at any time, without end."""
        periods = 3 + INDEX[lead]
        return np.sin(2 * np.pi * periods * seconds * self.rate / self.n_samples)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        assert 0 <= start <= stop <= self.n_samples
        return self.samples[:, start:stop].copy()
