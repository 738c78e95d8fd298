"""A record replayed: read piece by piece, and each piece let go when a device would have sent it."""

import threading
import time
from collections.abc import Iterator

import numpy as np

from engine.leads import INDEX, LEADS
from stream import LONGEST_WAIT_S
from stream.items import Arrival, Chunk
from stream.sources.record import Record

PIECE_S = 300
"""Read at once from the record: opening its files costs as much as some minutes of samples."""
CHUNK_MS = 20.0
"""What devices usually send at once."""


class Replay:
    """A source that replays a record.

    Parameters
    ----------
    record : Record
        What is replayed.
    leads : tuple of str
        The input; all the record's leads are sent beside it as the truth.
    speed : float or None
        Times real time; None is as fast as it goes.
    chunk_ms : float
        Length of a chunk.
    """

    patient = True
    recorded = True

    def __init__(
        self, record: Record, leads: tuple[str, ...], speed: float | None, *, chunk_ms: float = CHUNK_MS
    ) -> None:
        self.name = record.name
        self.rate = record.rate
        self.leads = leads
        self._record = record
        self._speed = speed
        self._chunk_ms = chunk_ms

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
        """See `Source.arrivals`.

        A chunk comes when its last sample would have been taken, counted from the start: waits do not add up.
        """
        began = time.monotonic()
        for chunk in chunks(self._record, self.leads, self._chunk_ms):
            if self._speed is not None:
                _wait_until(began + chunk.end / self.rate / self._speed, stop)
            if stop.is_set():
                return
            yield Arrival(time.monotonic(), chunk.samples, chunk.index, truth=chunk.truth)


def chunks(record: Record, leads: tuple[str, ...], chunk_ms: float) -> Iterator[Chunk]:
    """All of a record in chunks of this length, in order: some leads as the input, all it holds as the truth."""
    rows = [INDEX[lead] for lead in leads]
    length = max(1, round(record.rate * chunk_ms / 1000))
    piece_length = max(1, round(PIECE_S * record.rate / length)) * length
    for start in range(0, record.n_samples, piece_length):
        truth = record.read(start, min(start + piece_length, record.n_samples))
        samples = np.full((len(LEADS), truth.shape[1]), np.nan, np.float32)
        samples[rows] = truth[rows]
        for at in range(0, truth.shape[1], length):
            columns = slice(at, at + length)
            yield Chunk(start + at, samples[:, columns].copy(), truth[:, columns].copy())


def _wait_until(deadline: float, stop: threading.Event) -> None:
    while (left := deadline - time.monotonic()) > 0:
        if stop.wait(min(left, LONGEST_WAIT_S)):
            return
