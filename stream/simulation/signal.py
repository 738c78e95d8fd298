"""A record as the signal that a device measures: at any rate, and without end."""

import math
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX
from stream.simulation.device import RAIL_MV

PIECE_S = 10.0
"""Read and resampled at once: a few ms of work."""
LARGEST_DENOMINATOR = 1000
HALF_WIDTH = 10
"""Periods of the lower rate that the filter of `scipy.signal.resample_poly` sees to either side."""


class Recorded(Protocol):
    """What a signal is made of: a record, whatever file it lies in."""

    @property
    def rate(self) -> float:
        """Samples per second."""

    @property
    def n_samples(self) -> int:
        """Its length."""

    @property
    def leads(self) -> tuple[str, ...]:
        """What it holds."""

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """(12, stop - start) mV, NaN where it holds nothing."""


class Signal:
    """What a device measures, at its own rate.

    A record at another rate is resampled as if it went on for ever, so that no piece and no repetition shows a seam of
    the filter's. What the record lacks is a lead that is off: it stands at the rail.

    Parameters
    ----------
    record : Recorded
        What is measured.
    leads : tuple of str
        Which of it.
    rate : float
        Samples per second.
    endless : bool
        Whether the record begins anew at its end.

    Attributes
    ----------
    n_samples : int or None
        Its length at `rate`; None if it has no end.
    """

    def __init__(self, record: Recorded, leads: tuple[str, ...], rate: float, *, endless: bool = True) -> None:
        if missing := [lead for lead in leads if lead not in record.leads]:
            raise SourceError(f"the record has no {', '.join(missing)}; --leads may name {', '.join(record.leads)}")
        ratio = Fraction(rate / record.rate).limit_denominator(LARGEST_DENOMINATOR)
        self._up, self._down = ratio.numerator, ratio.denominator
        self._record = record
        self._rows = [INDEX[lead] for lead in leads]
        self._endless = endless
        steps = max(1, round(PIECE_S * rate / self._up))
        self._piece_length = steps * self._up
        self._piece_input = steps * self._down
        self._piece = np.empty((len(leads), 0), np.float32)
        self._piece_number = -1
        self.n_samples = None if endless else record.n_samples * self._up // self._down

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The samples from `start` up to `stop`; it is quick where they follow the last ones.

        Returns
        -------
        ndarray, (leads, stop - start) float32, mV
            Finite.

        Raises
        ------
        SourceError
            If the record cannot be read.
        """
        parts = []
        while start < stop:
            number, at = divmod(start, self._piece_length)
            if number != self._piece_number:
                self._piece, self._piece_number = self._make(number), number
            parts.append(self._piece[:, at : at + stop - start])
            start += parts[-1].shape[1]
        return np.concatenate(parts, axis=1) if parts else self._piece[:, :0]

    def _make(self, number: int) -> NDArray[np.float32]:
        first = number * self._piece_input
        if self._up == self._down:
            samples = self._window(first, first + self._piece_input)
            return np.where(np.isfinite(samples), samples, np.float32(RAIL_MV))
        from scipy.signal import resample_poly

        # Whole steps of the filter, so that its phase at the piece's first sample is that of sample 0.
        steps = math.ceil(HALF_WIDTH * max(self._up, self._down) / (self._up * self._down)) + 1
        around = steps * self._down
        samples = self._window(first - around, first + self._piece_input + around)
        known = np.isfinite(samples)
        made = resample_poly(np.where(known, samples, 0).astype(np.float64), self._up, self._down, axis=1)
        made = made[:, steps * self._up :][:, : self._piece_length].astype(np.float32)
        nearest = (2 * np.arange(self._piece_length) * self._down + self._up) // (2 * self._up)
        return np.where(known[:, around + nearest], made, np.float32(RAIL_MV))

    def _window(self, start: int, stop: int) -> NDArray[np.float32]:
        """The record's samples at places that may lie before its beginning and beyond its end."""
        n = self._record.n_samples
        if not self._endless:
            kept = self._record.read(max(0, min(start, n - 1)), min(stop, n))[self._rows]
            return np.pad(kept, ((0, 0), (max(0, -start), max(0, stop - n))), mode="edge")
        parts = []
        while start < stop:
            at = start % n
            parts.append(self._record.read(at, min(at + stop - start, n))[self._rows])
            start += parts[-1].shape[1]
        return np.concatenate(parts, axis=1)
