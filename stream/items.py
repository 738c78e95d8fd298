"""What travels through the rooms: chunks in, settled blocks out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples from a source, at the source's own rate.

    Attributes
    ----------
    index : int
        Sample index (at the source's rate, from the stream's start) of the first column. A jump is a gap.
    samples : ndarray, (12, n) float32, mV
        The measured leads in the order of `engine.leads.LEADS`; NaN where nothing was measured.
    truth : ndarray, (12, n) float32, mV, or None
        All leads the recording holds, for comparison only; it never reaches the engine.
    """

    index: int
    samples: NDArray[np.float32]
    truth: NDArray[np.float32] | None = None


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks that follow each other without a gap, as one."""
    if len(chunks) == 1:
        return chunks[0]
    truth = [chunk.truth for chunk in chunks if chunk.truth is not None]
    return Chunk(
        chunks[0].index,
        np.concatenate([chunk.samples for chunk in chunks], axis=1),
        np.concatenate(truth, axis=1) if truth else None,
    )


@dataclass(frozen=True, slots=True)
class Tail:
    """The newest look-ahead of a frame: provisional, drawn dim, never saved.

    Attributes
    ----------
    leads, interval, origin
        As in `Block`, for the indices that follow it.
    """

    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    origin: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Block:
    """Settled twelve leads: what every sink gets, once, in order.

    Attributes
    ----------
    start : int
        Sample index (500 Hz) of the first column.
    leads : ndarray, (12, n) float32, mV
        Unfiltered; NaN where nothing arrived (origin NONE).
    interval : ndarray, (12, n) float32, mV
        Half-width of the 90 % interval; 0 where measured or computed.
    origin : ndarray, (12, n) uint8
        `engine.leads.Origin` of every sample.
    truth : ndarray, (12, n) float32, mV, or None
        What the recording holds for the same indices; NaN where it holds nothing.
    tail : Tail or None
        The provisional samples after this block (live only).
    """

    start: int
    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    origin: NDArray[np.uint8]
    truth: NDArray[np.float32] | None = None
    tail: Tail | None = None

    @property
    def end(self) -> int:
        """Sample index after the last column."""
        return self.start + int(self.leads.shape[1])


@dataclass(frozen=True, slots=True)
class Status:
    """How a bed is doing, for the screen's status bar.

    Attributes
    ----------
    state : str
        ``searching``, ``live``, ``stale``, ``ended`` or ``failed``.
    message : str
        One line for people where the state needs one (the error of a failed run), else empty.
    latency_ms : float or None
        Arrival of a sample to its estimate, recent median.
    frames, frames_skipped, dropped : int
        Frames computed, frames skipped because the engine was late, blocks a sink dropped.
    heart_rate : float or None
        Beats per minute; None when unsure.
    leads_off : tuple of str
        Leads of the input that carry no signal at present.
    """

    state: str
    message: str = ""
    latency_ms: float | None = None
    frames: int = 0
    frames_skipped: int = 0
    dropped: int = 0
    heart_rate: float | None = None
    leads_off: tuple[str, ...] = field(default=())
