"""One patient's stream: chunks in, frames out; estimates in, settled items out; the same however chunks were cut."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine import physics
from engine.beats import Beat, HeartRate
from engine.errors import UsageError
from engine.frame import Estimate, Frame
from engine.leads import INDEPENDENT_ROWS, INDEX, Origin
from engine.quality import Jumps, LeadSignal
from stream.columns import GAPS, KNOWN, Columns
from stream.framer import FRAME, due, newest
from stream.items import Block, Chunk, Event, Gap, Item, Kind, Tail, Why
from stream.resampler import Resampler
from stream.ring import Ring

LONGEST_LOOK_AHEAD = 50
"""100 ms."""
OFFLINE_HOP = 10_000
"""20 s: the left context, computed anew for each frame, then costs less than half; and it bounds the memory."""
LARGEST_MV = 1e6
"""No electrode gives more: beyond it, and where it is not finite, a sample is not known."""
RHYTHM = "II"
"""The lead that beats are found in: known as soon as any two limb leads are, and never where it is estimated."""


class Reach(Protocol):
    """How far a model sees: all that a bed needs to know of it. See `engine.reconstruction.Engine`."""

    @property
    def stride(self) -> int:
        """Frames begin and end at multiples of it."""

    @property
    def look_ahead(self) -> int:
        """Later samples that an estimate may see."""

    @property
    def left_context(self) -> int:
        """Earlier samples that an estimate may see."""


class Estimator(Protocol):
    """What estimates frames: see `engine.reconstruction.Engine`."""

    def estimate(self, frames: Sequence[Frame]) -> list[Estimate]:
        """The estimates of frames of any beds, in their order."""


@dataclass(slots=True)
class _Run:
    """Indices in a row that wait for their frame's estimate."""

    start: int
    stop: int
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class _Settling:
    """What a frame settles once its estimate is there: some runs of these columns, the last ones before its end."""

    columns: Columns
    start: int
    runs: list[_Run]
    tail_from: int | None


class Bed:
    """Resamples, frames and settles: a plain object that calls no engine, has no clock and no thread.

    Chunks go in by `push` and due frames come out; the estimate of each is handed back to `settle`; `items` is what has
    become final since it was last asked. Index i settles once, in the first frame whose end is at least
    i + look_ahead + 1.

    Parameters
    ----------
    model : Reach
        Whose estimates will come.
    rate : float
        Of the chunks, Hz.
    leads : tuple of str
        The input.
    name : str
        Of the bed; its frames say it.
    look_ahead : int, optional
        Later samples (500 Hz) that an index waits for; the model's own if not given.
    hop : int, optional
        Samples (500 Hz) between frames; the model's stride if not given.
    frame : int
        Samples (500 Hz) in the longest frame, a multiple of the model's stride. A longer one lets the hop be longer,
        which costs less where nobody waits; the estimates stay the same but for float rounding.

    Attributes
    ----------
    frames, frames_skipped : int
        Frames given out; frames left out because newer ones were due already.
    settled : int
        Index up to which all has come out of `items`.
    received : int
        Index up to which samples or gaps are known (500 Hz).
    name : str
        As given.
    look_ahead, hop : int
        In force.

    Raises
    ------
    UsageError
        If look-ahead or hop do not fit the model or the frame.
    """

    def __init__(
        self,
        model: Reach,
        rate: float,
        leads: tuple[str, ...],
        *,
        name: str = "bed",
        look_ahead: int | None = None,
        hop: int | None = None,
        frame: int = FRAME,
    ) -> None:
        self.name = name
        self.look_ahead = model.look_ahead if look_ahead is None else look_ahead
        self.hop = model.stride if hop is None else hop
        if not 0 <= self.look_ahead <= LONGEST_LOOK_AHEAD:
            raise UsageError(
                f"a look-ahead of {2 * self.look_ahead} ms is out of range; choose 0 to {2 * LONGEST_LOOK_AHEAD} ms"
            )
        if self.hop < 1 or self.hop % model.stride or frame % model.stride:
            raise UsageError(f"a hop of {self.hop} samples does not fit the model; choose a multiple of {model.stride}")
        self._longest = frame
        self._span = frame - model.left_context
        if self.hop + self.look_ahead > self._span:
            raise UsageError(
                f"a hop of {self.hop} and a look-ahead of {self.look_ahead} samples do not fit the frame; "
                f"together they may be {self._span} at most with this model"
            )
        self._left_context = model.left_context
        self._usual = _rounded_up(model.left_context + self.hop + self.look_ahead, model.stride)
        self.frames = 0
        self.frames_skipped = 0
        self.settled = 0
        self.received = 0
        self._rows = [INDEX[lead] for lead in leads]
        self._resampler = Resampler(rate)
        self._signal = LeadSignal(leads)
        self._jumps = Jumps(len(INDEPENDENT_ROWS))
        self._limb = physics.LimbCheck(leads)
        self._heart = HeartRate()
        self._rate_told = ""
        self._ring = Ring(2 * len(INDEPENDENT_ROWS), frame)
        self._promised = 0  # index up to which all is in the queue
        self._held = Columns.unknown(0, with_truth=False)  # the columns from there on
        self._has_truth = False
        self._events: list[Event] = []  # in order of index, not in the queue yet
        self._queue: deque[_Run | Gap | Event] = deque()

    @property
    def leads_off(self) -> tuple[str, ...]:
        """The leads of the input that carry no signal now; nothing of them reaches the network."""
        return self._signal.leads_off

    @property
    def silent(self) -> int:
        """How many samples (500 Hz) have come since the last one in which any lead carried a signal."""
        return self._signal.silent

    def push(self, chunk: Chunk, *, late: bool = False) -> list[Frame]:
        """The frames that a chunk makes due, oldest first.

        Parameters
        ----------
        chunk : Chunk
            The next samples, at the source's rate.
        late : bool
            The engine cannot keep up: of the frames that are due only the newest comes, and settles all. If more is due
            than one frame can settle with its left context whole, as few as possible come.
        """
        return [frame for made in self._resampler.push(self._given(chunk)) for frame in self._take(made, late=late)]

    def finish(self) -> list[Frame]:
        """The frames of what is left when the stream has ended: it waits for nothing any more."""
        frames = [frame for made in self._resampler.flush() for frame in self._take(made, late=False)]
        end = self.received
        if self._promised < end:
            padding = -end % self.hop
            self._ring.skip(padding)
            self._hold(Columns.unknown(padding, with_truth=self._has_truth))
            frames += self._frame(end + padding, end, with_tail=False)
        self._tell(end + 1)
        return frames

    def settle(self, frame: Frame, estimate: Estimate) -> None:
        """Take the estimate of a frame that this bed gave out."""
        settling = frame.settles
        assert isinstance(settling, _Settling)
        columns, start, n = settling.columns, settling.start, len(settling.columns)
        derived = columns.origin == Origin.ESTIMATED
        leads = np.where(derived, estimate.leads[:, -n:], columns.known)
        interval = np.where(derived, estimate.interval[:, -n:], np.float32(0))
        for run in settling.runs:
            some = slice(run.start - start, run.stop - start)
            tail = slice(settling.tail_from, None)
            run.block = Block(
                run.start,
                leads[:, some].copy(),
                interval[:, some].copy(),
                columns.origin[:, some].copy(),
                None if columns.truth is None else columns.truth[:, some].copy(),
                Tail(leads[:, tail].copy(), interval[:, tail].copy(), columns.origin[:, tail].copy())
                if settling.tail_from == some.stop < n
                else None,
            )

    def items(self) -> list[Item]:
        """What has become final since the last call, in order."""
        items: list[Item] = []
        while self._queue:
            entry = self._queue[0]
            if isinstance(entry, _Run):
                if entry.block is None:
                    break
                items += [entry.block, *self._told(self._heart.push(_rhythm(entry.block)), entry.start)]
                self.settled = entry.stop
            elif isinstance(entry, Gap):
                items += [entry, *self._told(self._heart.skip(entry.length), entry.start)]
                self.settled = entry.end
            else:
                items.append(entry)
            self._queue.popleft()
        return items

    def _given(self, chunk: Chunk) -> Chunk:
        """What is known of the input: a lead that is none of it is nothing, whatever comes for it."""
        samples = np.full_like(chunk.samples, np.nan)
        some = chunk.samples[self._rows]
        samples[self._rows] = np.where(np.abs(some) <= LARGEST_MV, some, np.float32(np.nan))
        return Chunk(chunk.index, samples, chunk.truth)

    def _take(self, chunk: Chunk, *, late: bool) -> list[Frame]:
        """The frames that samples at 500 Hz make due, and before them what a gap does."""
        frames = self._skip(chunk.index - self.received, late=late) if chunk.index > self.received else []
        samples, changes = self._signal.push(chunk.samples)
        events = [
            Event(change.index, Kind.LEAD_OFF if change.off else Kind.LEAD_BACK, change.lead, change.why)
            for change in changes
        ]
        known, mask, origin = physics.solve(samples)
        events += map(_limb_event, self._limb.push(samples))
        self._events += sorted(events, key=lambda event: event.index)
        arrived = np.isfinite(chunk.samples).any(axis=0)
        what = np.where(arrived, np.uint8(GAPS.index(Why.NO_SIGNAL)), np.uint8(GAPS.index(Why.MISSING)))
        what[origin[0] != Origin.NONE] = KNOWN
        self._has_truth = chunk.truth is not None
        self._hold(Columns(known, origin, what, chunk.truth))
        eight = known[list(INDEPENDENT_ROWS)]
        mask &= ~self._jumps.push(np.where(mask, eight, np.float32(np.nan)))
        eight = np.where(mask, eight, np.float32(0))
        frames += self._advance(np.concatenate([eight, mask.astype(np.float32)]), late=late)
        return frames

    def _skip(self, length: int, *, late: bool) -> list[Frame]:
        """The frames that a gap makes due: those of what came before it. The gap itself costs nothing more."""
        end = self.received + length
        self._signal.skip(length)
        self._jumps.skip(length)
        self._events += map(_limb_event, self._limb.skip(length))
        frames: list[Frame] = []
        if self._promised < self.received:
            waits = min(length, _rounded_up(self.received + self.look_ahead, self.hop) - self.received)
            self._hold(Columns.unknown(waits, with_truth=self._has_truth))
            frames = self._advance(np.zeros((self._ring.rows, waits), np.float32), late=late)
        if self.received < end:
            self._ring.skip(end - self.received)
            self._queue_jump(end)
            self.received = self._promised = end
            self._held = self._held.between(0, 0)
            self._tell(end)
        return frames

    def _hold(self, columns: Columns) -> None:
        self._held = self._held.followed_by(columns)

    def _advance(self, columns: NDArray[np.float32], *, late: bool) -> list[Frame]:
        """Write columns as far as a frame needs them, make the frame, and so on."""
        ring = self._ring
        self.received += columns.shape[1]
        ends = due(ring.end, self.received, self.hop)
        if late:
            kept = newest(ends, self._promised, self.look_ahead, self._span)
            self.frames_skipped += len(ends) - len(kept)
            ends = kept
        frames = []
        for end in ends:
            missing = end - ring.end
            ring.write(columns[:, :missing])
            columns = columns[:, missing:]
            if end - self.look_ahead > self._promised:
                frames += self._frame(end, end - self.look_ahead, with_tail=True)
        ring.write(columns)
        return frames

    def _frame(self, end: int, stop: int, *, with_tail: bool) -> list[Frame]:
        """The frame that ends at `end` and settles up to `stop`; none where there is nothing to estimate."""
        start = self._promised
        columns = self._held.between(0, end - start)
        waiting = []
        for first, last, kind in columns.between(0, stop - start).runs():
            if kind == KNOWN:
                waiting.append(_Run(start + first, start + last))
                self._queue.append(waiting[-1])
            else:
                self._queue.append(Gap(start + first, last - first, GAPS[kind]))
            self._tell(start + last)
        self._promised = stop
        self._held = self._held.between(stop - start, len(self._held))
        if not waiting:
            return []
        self.frames += 1
        length = self._usual if len(columns) <= self._usual - self._left_context else self._longest
        window = self._ring.window(end, length).copy()
        n = len(INDEPENDENT_ROWS)
        settling = _Settling(columns, start, waiting, stop - start if with_tail else None)
        return [Frame(self.name, end, window[:n], window[n:], settling)]

    def _queue_jump(self, end: int) -> None:
        """Put the rest of a gap into the queue: one with what a frame has settled of it."""
        start = self._promised
        last = self._queue[-1] if self._queue else None
        if isinstance(last, Gap) and (last.end, last.why) == (start, Why.MISSING):
            self._queue.pop()
            start = last.start
        self._queue.append(Gap(start, end - start))

    def _tell(self, end: int) -> None:
        """Put the events before an index into the queue."""
        while self._events and self._events[0].index < end:
            self._queue.append(self._events.pop(0))

    def _told(self, beats: list[Beat], start: int) -> list[Event]:
        """The events of beats found in what settled from `start` on, and why there is no heart rate, if that is new."""
        events = [Event(beat.index, Kind.BEAT, RHYTHM, beat.why, beat.rate) for beat in beats]
        if beats:
            self._rate_told = beats[-1].why
        why = self._heart.why
        if why and why != self._rate_told:
            self._rate_told = why
            events.append(Event(start, Kind.RATE_LOST, RHYTHM, why))
        return events


def offline_bed(
    model: Reach, rate: float, leads: tuple[str, ...], *, look_ahead: int | None = None, hop: int = OFFLINE_HOP
) -> Bed:
    """A bed whose frames are long: where nobody waits, the fewer frames the better.

    Parameters
    ----------
    model, rate, leads, look_ahead
        As for `Bed`.
    hop : int
        Samples (500 Hz) at least between frames; it becomes a multiple of the model's stride, and the frame holds it
        with its whole context.
    """
    hop = _rounded_up(hop, model.stride)
    context = model.left_context + (model.look_ahead if look_ahead is None else look_ahead)
    frame = _rounded_up(hop + context, model.stride)
    return Bed(model, rate, leads, look_ahead=look_ahead, hop=hop, frame=frame)


def passed(engine: Estimator, bed: Bed, chunks: Iterable[Chunk], *, finish: bool = True) -> Iterator[Item]:
    """All that chunks come to, where nobody waits: one bed and one engine, driven by whoever takes the items.

    Parameters
    ----------
    engine, bed
        What estimates, and what settles.
    chunks : iterable of Chunk
        In order.
    finish : bool
        Whether the stream ends with them; else what has not settled stays in the bed.
    """
    for chunk in chunks:
        yield from _settled(engine, bed, bed.push(chunk))
    if finish:
        yield from _settled(engine, bed, bed.finish())


def _settled(engine: Estimator, bed: Bed, frames: list[Frame]) -> list[Item]:
    for frame, estimate in zip(frames, engine.estimate(frames) if frames else [], strict=True):
        bed.settle(frame, estimate)
    return bed.items()


def _limb_event(change: physics.LimbChange) -> Event:
    kind = Kind.LIMB_DISAGREE if change.disagree else Kind.LIMB_AGREE
    text = f"strays {change.residual_uv:.0f} uV from what the other limb leads say"
    return Event(change.index, kind, change.lead, text, change.residual_uv)


def _rhythm(block: Block) -> NDArray[np.float32]:
    """The lead that beats are found in; NaN where it is no more than an estimate."""
    row = INDEX[RHYTHM]
    return np.where(block.origin[row] == Origin.ESTIMATED, np.float32(np.nan), block.leads[row])


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
