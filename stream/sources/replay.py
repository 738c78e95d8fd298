"""A record sent as if it were a device, in its own time or as fast as it goes."""

import queue
import threading
import time
from collections.abc import Iterator

import numpy as np

from engine.leads import INDEX, LEADS
from stream.items import Chunk
from stream.sources.record import Record

PIECE_S = 60
"""Read at once from the record: opening its files costs 3 ms, a minute of them 2 ms more."""
LONGEST_WAIT_S = 0.2

Arrival = tuple[float, Chunk] | Exception | None
"""What a source's thread puts: monotonic time and chunk; at its end None, or the error that ended it."""


class Replay:
    """A source that replays a record.

    Parameters
    ----------
    record : Record
        Read piece by piece.
    leads : tuple of str
        The input; all the record's leads are sent beside it as the truth.
    speed : float or None
        Times real time; None is as fast as it goes.
    chunk_ms : float
        Length of a chunk.

    Attributes
    ----------
    waited : int
        Chunks that found the queue full: a file can wait.
    """

    def __init__(self, record: Record, leads: tuple[str, ...], speed: float | None, chunk_ms: float = 20) -> None:
        self.waited = 0
        self._record = record
        self._rows = [INDEX[lead] for lead in leads]
        self._speed = speed
        self._length = max(1, round(record.rate * chunk_ms / 1000))

    def chunks(self) -> Iterator[Chunk]:
        """All chunks of the record, in order."""
        piece_length = max(1, round(PIECE_S * self._record.rate / self._length)) * self._length
        for start in range(0, self._record.n_samples, piece_length):
            truth = self._record.read(start, min(start + piece_length, self._record.n_samples))
            samples = np.full((len(LEADS), truth.shape[1]), np.nan, np.float32)
            samples[self._rows] = truth[self._rows]
            for at in range(0, truth.shape[1], self._length):
                columns = slice(at, at + self._length)
                yield Chunk(start + at, samples[:, columns].copy(), truth[:, columns].copy())

    def run(self, chunks: "queue.Queue[Arrival]", stop: threading.Event) -> None:
        """Put every chunk when it is due, then None, or the error that ended it; ends soon after `stop` is set.

        A chunk is due when its last sample would have been taken, counted from the start: waits do not add up.
        """
        last: Exception | None = None
        try:
            began = time.monotonic()
            for chunk in self.chunks():
                if self._speed is not None:
                    taken_s = (chunk.index + chunk.samples.shape[1]) / self._record.rate
                    _wait_until(began + taken_s / self._speed, stop)
                if not self._put(chunks, (time.monotonic(), chunk), stop):
                    return
        except Exception as error:  # raised again where the chunks are taken
            last = error
        self._put(chunks, last, stop)

    def _put(self, chunks: "queue.Queue[Arrival]", item: Arrival, stop: threading.Event) -> bool:
        """Put an item when there is room; False if `stop` was set before there was."""
        self.waited += chunks.full()
        while not stop.is_set():
            try:
                chunks.put(item, timeout=LONGEST_WAIT_S)
                return True
            except queue.Full:
                continue
        return False


def _wait_until(deadline: float, stop: threading.Event) -> None:
    while (left := deadline - time.monotonic()) > 0:
        if stop.wait(min(left, LONGEST_WAIT_S)):
            return
