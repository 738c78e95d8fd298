"""One patient's stream: chunks in, settled blocks out, the same however the chunks were cut."""

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.leads import LEADS, Origin
from engine.quality import LeadSignal
from stream.framer import FRAME, due, newest
from stream.items import Block, Chunk, Tail
from stream.resampler import Resampler
from stream.ring import Ring

Number = TypeVar("Number", np.float32, np.uint8)

LONGEST_LOOK_AHEAD = 50
"""100 ms."""
OFFLINE_HOP = 10_000
"""20 s: the left context, computed anew for each frame, then costs less than half; and it bounds the memory."""


class Estimate(Protocol):
    """Twelve leads of the last columns of a frame: leads and interval in mV, origin an `Origin`, each (12, n)."""

    @property
    def leads(self) -> NDArray[np.float32]:
        """Measured, computed and estimated; NaN where nothing was known."""

    @property
    def interval(self) -> NDArray[np.float32]:
        """Half-width of the 90 % interval."""

    @property
    def origin(self) -> NDArray[np.uint8]:
        """Where each sample comes from."""


class Estimator(Protocol):
    """What a bed needs of an engine: see `engine.reconstruction.Engine`."""

    @property
    def stride(self) -> int:
        """Frames begin and end at multiples of it."""

    @property
    def look_ahead(self) -> int:
        """Later samples that an estimate may see."""

    @property
    def left_context(self) -> int:
        """Earlier samples that an estimate may see."""

    def estimate(self, samples: NDArray[np.float32], keep: int) -> Estimate:
        """Twelve leads of the last `keep` columns of a frame."""


class Bed:
    """Resamples, frames, estimates and settles: plain objects, no I/O, no clock.

    Index i settles once, in the first frame whose end is at least i + look_ahead + 1.

    Parameters
    ----------
    engine : Estimator
        Makes twelve leads of a frame.
    rate : float
        Of the chunks, Hz.
    look_ahead : int, optional
        Later samples (500 Hz) that an index waits for; the engine's own if not given.
    hop : int, optional
        Samples (500 Hz) between frames; the engine's stride if not given.
    frame : int
        Samples (500 Hz) in a frame, a multiple of the engine's stride. A longer one lets the hop be longer, which costs
        less where nobody waits; the estimates stay the same but for float rounding.

    Attributes
    ----------
    frames, frames_skipped : int
        Frames computed; frames left out because newer ones were due already.
    settled : int
        Index up to which all is settled.
    received : int
        Samples (500 Hz) that came out of the resampler.
    look_ahead, hop : int
        In force.
    leads_off : tuple of str
        Leads that were measured and carry no signal now; nothing of them reaches the engine.

    Raises
    ------
    UsageError
        If look-ahead or hop do not fit the engine or the frame.
    """

    def __init__(
        self,
        engine: Estimator,
        rate: float,
        look_ahead: int | None = None,
        hop: int | None = None,
        frame: int = FRAME,
    ) -> None:
        self.look_ahead = engine.look_ahead if look_ahead is None else look_ahead
        self.hop = engine.stride if hop is None else hop
        if not 0 <= self.look_ahead <= LONGEST_LOOK_AHEAD:
            raise UsageError(
                f"a look-ahead of {2 * self.look_ahead} ms is out of range; choose 0 to {2 * LONGEST_LOOK_AHEAD} ms"
            )
        if self.hop < 1 or self.hop % engine.stride or frame % engine.stride:
            raise UsageError(
                f"a hop of {self.hop} samples does not fit the model; choose a multiple of {engine.stride}"
            )
        self._frame = frame
        self._span = frame - engine.left_context
        if self.hop + self.look_ahead > self._span:
            raise UsageError(
                f"a hop of {self.hop} and a look-ahead of {self.look_ahead} samples do not fit the frame; "
                f"together they may be {self._span} at most with this model"
            )
        self.frames = 0
        self.frames_skipped = 0
        self.settled = 0
        self.received = 0
        self._engine = engine
        self._resampler = Resampler(rate)
        self._signal = LeadSignal()
        self._ring: Ring | None = None

    @property
    def leads_off(self) -> tuple[str, ...]:
        """See the class."""
        return self._signal.leads_off

    def push(self, chunk: Chunk, late: bool = False) -> list[Block]:
        """What a chunk settles, frame by frame.

        Parameters
        ----------
        chunk : Chunk
            The next samples, at the source's rate.
        late : bool
            The engine cannot keep up: of the frames that are due only the newest is computed, and settles all. If more
            is due than one frame can settle with its left context whole, as few as possible are.
        """
        resampled = self._resampler.push(chunk)
        return [] if resampled is None else self._take(resampled, late)

    def finish(self) -> list[Block]:
        """What is left when the stream has ended: it waits for nothing any more."""
        rest = self._resampler.flush()
        blocks = [] if rest is None else self._take(rest, late=False)
        ring, end = self._ring, self.received
        if ring is None or self.settled == end:
            return blocks
        padding = -end % self.hop
        ring.write(np.full((ring.rows, padding), np.nan, np.float32))
        return [*blocks, self._settle(ring, end + padding, end, with_tail=False)]

    def _take(self, chunk: Chunk, late: bool) -> list[Block]:
        """Write samples as far as a frame needs them, settle the frame, and so on."""
        columns = self._signal.push(chunk.samples)
        if chunk.truth is not None:
            columns = np.concatenate([columns, chunk.truth])
        ring = self._ring = self._ring or Ring(len(columns), self._frame)
        self.received += columns.shape[1]
        blocks = []
        ends = due(ring.end, self.received, self.hop)
        if late:
            kept = newest(ends, self.settled, self.look_ahead, self._span)
            self.frames_skipped += len(ends) - len(kept)
            ends = kept
        for end in ends:
            missing = end - ring.end
            ring.write(columns[:, :missing])
            columns = columns[:, missing:]
            if end - self.look_ahead > self.settled:
                blocks.append(self._settle(ring, end, end - self.look_ahead, with_tail=True))
        ring.write(columns)
        return blocks

    def _settle(self, ring: Ring, end: int, stop: int, with_tail: bool) -> Block:
        """The block up to `stop` from the frame that ends at `end`; its tail is what follows in the frame."""
        window = ring.window(end, self._frame)
        frame, truth = window[: len(LEADS)], window[len(LEADS) :]
        start, keep = self.settled, end - self.settled
        leads, interval, origin = self._estimate(frame, keep)
        self.settled = stop
        n = stop - start
        return Block(
            start,
            _columns(leads, 0, n),
            _columns(interval, 0, n),
            _columns(origin, 0, n),
            _columns(truth, self._frame - keep, self._frame - keep + n) if len(truth) else None,
            Tail(_columns(leads, n, keep), _columns(interval, n, keep), _columns(origin, n, keep))
            if with_tail and n < keep
            else None,
        )

    def _estimate(
        self, frame: NDArray[np.float32], keep: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """Leads, interval and origin of the last columns; a frame that holds nothing needs no engine."""
        if np.isnan(frame[:, -1]).all() and np.isnan(frame).all():
            shape = (len(LEADS), keep)
            return (
                np.full(shape, np.nan, np.float32),
                np.zeros(shape, np.float32),
                np.full(shape, Origin.NONE, np.uint8),
            )
        self.frames += 1
        estimate = self._engine.estimate(frame, keep)
        return estimate.leads, estimate.interval, estimate.origin


def offline_bed(engine: Estimator, rate: float, look_ahead: int | None = None, hop: int = OFFLINE_HOP) -> Bed:
    """A bed whose frames are long: where nobody waits, the fewer frames the better.

    Parameters
    ----------
    engine, rate, look_ahead
        As for `Bed`.
    hop : int
        Samples (500 Hz) at least between frames; it becomes a multiple of the engine's stride, and the frame holds it
        with its whole context.
    """
    stride = engine.stride
    hop = -(-hop // stride) * stride
    context = engine.left_context + (engine.look_ahead if look_ahead is None else look_ahead)
    return Bed(engine, rate, look_ahead, hop, frame=-(-(hop + context) // stride) * stride)


def _columns(array: NDArray[Number], start: int, stop: int) -> NDArray[Number]:
    """Columns of their own: the ring moves on, and a block may be kept."""
    return array[:, start:stop].copy()
