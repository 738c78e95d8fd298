"""What travels: arrivals, notices and chunks in; blocks, gaps and events out, one ordered stream a bed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a source received at once, as it came.

    Attributes
    ----------
    received : float
        When: seconds of this host's monotonic clock.
    samples : ndarray, (12, n) float32, mV
        The measured leads in the order of `engine.leads.LEADS`; NaN where nothing was measured.
    index : int or None
        Sample index (at the source's rate, from the stream's start) of the first column, where the source counts.
    stamps : ndarray, (n,) float64, or None
        The source's own time of each column in s, where it has one. Evidence, not truth.
    truth : ndarray, (12, n) float32, mV, or None
        All leads a replayed recording holds, for comparison only.
    session : int
        Which connection or sender it came by; with another one the source has begun anew, and its index may have too.
    offset : float or None
        What to add to the stamps to have this host's monotonic clock, where that is known.
    """

    received: float
    samples: NDArray[np.float32]
    index: int | None = None
    stamps: NDArray[np.float64] | None = None
    truth: NDArray[np.float32] | None = None
    session: int = 0
    offset: float | None = None

    def __post_init__(self) -> None:
        lock(self, "samples", "stamps", "truth")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a source has to say of itself, between its arrivals.

    Attributes
    ----------
    received : float
        When: seconds of this host's monotonic clock.
    text : str
        One line for people: what is wrong with it, and what to do; empty once nothing is wrong any more.
    """

    received: float
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples at the source's own rate, in their place.

    Attributes
    ----------
    index : int
        Sample index (at the source's rate, from the stream's start) of the first column. A jump is a gap.
    samples : ndarray, (12, n) float32, mV
        The measured leads in the order of `engine.leads.LEADS`; not finite where nothing was measured.
    truth : ndarray, (12, n) float32, mV, or None
        All leads the recording holds, for comparison only; it never reaches the engine.
    """

    index: int
    samples: NDArray[np.float32]
    truth: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        lock(self, "samples", "truth")

    @property
    def end(self) -> int:
        """Sample index after the last column."""
        return self.index + int(self.samples.shape[1])


def joined(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The same chunks in as few as can be: those that follow each other become one, and a gap stays a gap."""
    runs: list[list[Chunk]] = []
    for chunk in chunks:
        if runs and runs[-1][-1].end == chunk.index:
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    return [run[0] if len(run) == 1 else _one(run) for run in runs]


def _one(run: list[Chunk]) -> Chunk:
    samples = np.concatenate([chunk.samples for chunk in run], axis=1)
    held = [chunk.truth for chunk in run if chunk.truth is not None]
    return Chunk(run[0].index, samples, np.concatenate(held, axis=1) if len(held) == len(run) else None)


@dataclass(frozen=True, slots=True)
class Tail:
    """The newest look-ahead of a frame: provisional, drawn dim, never saved.

    Attributes
    ----------
    leads, interval, origin
        As in `Block`, for the indices that follow it; where nothing was known the origin is NONE and leads are NaN.
    """

    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    origin: NDArray[np.uint8]

    def __post_init__(self) -> None:
        lock(self, "leads", "interval", "origin")


@dataclass(frozen=True, slots=True)
class Block:
    """Settled twelve leads of a run of indices in each of which at least one lead was known.

    Attributes
    ----------
    start : int
        Sample index (500 Hz) of the first column.
    leads : ndarray, (12, n) float32, mV
        Unfiltered.
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

    def __post_init__(self) -> None:
        lock(self, "leads", "interval", "origin", "truth")

    @property
    def end(self) -> int:
        """Sample index after the last column."""
        return self.start + int(self.leads.shape[1])


class Why(StrEnum):
    """Why there is a gap."""

    MISSING = "nothing arrived"
    NO_SIGNAL = "no lead carries a signal"


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of indices in which no lead was known. It costs this description, however long it is.

    Attributes
    ----------
    start, length : int
        Sample index (500 Hz) of the first, and how many.
    why : Why
        What was the matter.
    """

    start: int
    length: int
    why: Why = Why.MISSING

    @property
    def end(self) -> int:
        """Sample index after the last one."""
        return self.start + self.length


class Kind(StrEnum):
    """What an event tells of."""

    SOURCE = "source"
    """The source's state has changed; `text` is the new one (`stream.supervisor.State`)."""
    NOTICE = "notice"
    """What the source says of itself (`Notice`); an empty `text`: nothing is wrong with it any more."""
    TIME = "time"
    """`value` is when the sample at the event's index was taken: Unix time in s, by this host's clock."""
    FAILED = "failed"
    """The stream has stopped for a reason; `text` says which."""
    CLOCK = "clock"
    """The source's count or stamps went wrong: a duplicate, a reorder, a step, a reset; `text` says which, `value` is
    how many samples, or how large a step in s."""
    GAP = "gap"
    """Samples are missing, as the source's count or stamps say; `value` is how many, at the source's rate."""
    DROPPED = "dropped"
    """The source's queue was full and its oldest samples were dropped; `value` is how many, at the source's rate."""
    LATE = "late"
    """The engine could not keep up; `value` is how many frames were left out."""
    LATENCY = "latency"
    """`value` is how long, in ms, samples waited lately for their estimates."""
    LEAD_OFF = "lead off"
    LEAD_BACK = "lead back"
    LIMB_DISAGREE = "limb leads disagree"
    """`value` is how far, in uV, the redundant limb lead strays from what the others say."""
    LIMB_AGREE = "limb leads agree"
    BEAT = "beat"
    """An R peak; `value` is the heart rate per minute with it, None while unsure, and `text` then says why."""
    RATE_LOST = "heart rate lost"
    """There is no sure heart rate any more; `text` says why."""
    SINK_FAILED = "sink failed"
    """A sink could not take what it was given; `text` says which and why."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at an index.

    Attributes
    ----------
    index : int
        Sample index (500 Hz) that it speaks of.
    kind : Kind
        What it tells of.
    lead : str
        Which lead it is about, if it is about one.
    text : str
        The rest of it, for people.
    value : float or None
        The figure that belongs to it, if one does.
    """

    index: int
    kind: Kind
    lead: str = ""
    text: str = ""
    value: float | None = None


Item = Block | Gap | Event
"""What comes out of a bed and goes to every sink.

Blocks and gaps follow one another: each index lies in exactly one of them. An event comes after the block or gap that
holds its index, or where that is still to come, at the end of what is settled; so all are in order of index, but for
beats, which are known up to some seconds after they were.
"""


def lock(item: object, *names: str) -> None:
    """Make arrays of a frozen item read-only, without touching the arrays it was made from."""
    for name in names:
        array = getattr(item, name)
        if array is not None:
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(item, name, view)
