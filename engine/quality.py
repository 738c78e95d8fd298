"""Leads that carry no signal: a lead that stands still or stays away is off, and must not feed the network."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from engine.leads import INDEX, LEADS, RATE

# Nothing of a heart is this still for a second, not even between slow beats: of 14,200 real leads (PTB-XL at 500 Hz,
# LUDB, the challenge's, and CinC 2011's acceptable records) none falls below 20 uV, but the 15 that stand still to the
# count, and of CinC 2011's unacceptable ones 853 stand still to the count where only 5 more fall below 20 uV. A dead
# electrode and a saturated amplifier are both of that kind, so one rule finds them.
WINDOW = RATE
STILL_MV = 0.010
MOVING_MV = 2 * STILL_MV - 0.0001
"""A lead that was still is back at this: noise at the limit does not make it come and go. It is 20 uV less what float32
rounds away on top of an electrode offset of 300 mV."""

FROZEN = 3 * RATE // 10
"""Samples in a row (0.3 s) equal to the last bit: a dead electrode or a saturated amplifier, and known soon."""
PAUSES = range(RATE // 50, FROZEN)
PAUSED = 10 * RATE
"""A lead that had pauses, 20 ms and more to the count that ended by themselves, in its last 10 s is only so quiet or so
coarse: it is not frozen but still, if that, unless it has just jumped there. Of 14,289 real leads (PTB-XL at 500 Hz,
LUDB, the challenge's, CinC 2011's acceptable ones) 131 stand to the count for 0.3 s somewhere, and 15 of them without
such pauses before: 11 leads of 4 records that drop to a constant, and 4 of CinC 2011."""

AWAY = RATE // 2
"""Columns (0.5 s of what arrives) in which a lead is looked for: off when it is in none, back when it is in half."""

JUMP_MV = 2.5
"""From one sample to the next (2 ms) no heart goes so far: of 7,332 leads of PTB-XL at 500 Hz none does, and of 4,680
others that are good 8, most with a pacemaker. An electrode does that comes off or is moved."""
SETTLING = 2 * RATE // 5
"""Samples (0.4 s) after a jump in which a lead tells nothing of a heart: by then it is known whether it is frozen."""

STANDS_STILL = "stands still"
DOES_NOT_ARRIVE = "does not arrive"


@dataclass(frozen=True, slots=True)
class LeadChange:
    """A lead went off or came back.

    Attributes
    ----------
    index : int
        Of the column with which that was known; the first ever is 0, and gaps that were skipped count.
    lead : str
        Which one.
    off : bool
        Off, or back.
    why : str
        Why it is off, for people; empty where it is back.
    """

    index: int
    lead: str
    off: bool
    why: str


class LeadSignal:
    """Watches which of the wanted leads carry a signal, sample by sample.

    A lead is still from where its last second of known samples spans less than 10 uV peak to peak until that spans
    20 uV again. It is frozen from where 0.3 s of it were the same to the last bit until it has spanned 20 uV since. It
    is away from where half a second of columns held some wanted lead but never this one, until it is in half of such
    columns again. In each of these cases it is off; what is still or frozen is masked, what is away masks itself.

    Parameters
    ----------
    leads : iterable of str
        The wanted leads, of `engine.leads.LEADS`. No other is looked at.
    """

    def __init__(self, leads: Iterable[str]) -> None:
        self._rows = sorted({INDEX[lead] for lead in leads})
        # What was before the stream moved without end, and arrived: nothing is off before a window is full.
        self._recent = [np.resize(np.array([np.inf, -np.inf], np.float32), WINDOW - 1) for _ in self._rows]
        self._arrived = np.ones((len(self._rows), AWAY), bool)
        self._still = np.zeros(len(self._rows), bool)
        self._frozen = [_Frozen() for _ in self._rows]
        self._masked = np.zeros(len(self._rows), bool)
        self._away = np.zeros(len(self._rows), bool)
        self._end = 0
        self._silent = 0

    def push(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[LeadChange]]:
        """The next samples without what carries no signal, and the leads that went off or came back.

        Parameters
        ----------
        x : ndarray, (12, n) float32, mV
            In the order of `engine.leads.LEADS`; not finite where nothing was measured.

        Returns
        -------
        kept : ndarray, (12, n) float32, mV
            A copy; NaN where nothing was measured, and where a wanted lead is still, from the sample at which that was
            recognised.
        changes : list of LeadChange
            In order of index, then of `engine.leads.LEADS`.
        """
        finite = np.isfinite(x)
        kept = np.where(finite, x, np.float32(np.nan))
        if not x.shape[1]:
            return kept, []
        known = finite[self._rows]
        before = self._masked | self._away
        still, away = self._stillness(x, known), self._absence(known)
        self._masked = still[:, -1]
        kept[self._rows] = np.where(still, np.float32(np.nan), kept[self._rows])
        self._count_silence(known & ~still)
        changes = self._changes(before, still, still | away)
        self._end += x.shape[1]
        return kept, changes

    def skip(self, length: int) -> None:
        """A gap: so many columns in which nothing arrived. No lead changes for it."""
        self._end += length
        self._silent = 0

    @property
    def leads_off(self) -> tuple[str, ...]:
        """The wanted leads that carry no signal now, in the order of `engine.leads.LEADS`."""
        off = self._masked | self._away
        return tuple(LEADS[row] for row, is_off in zip(self._rows, off, strict=True) if is_off)

    @property
    def silent(self) -> int:
        """How many columns came since the last gap, or since the last column in which a wanted lead was kept."""
        return self._silent

    def _stillness(self, x: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which leads are still or frozen with each column, (wanted leads, n)."""
        stops, moves = np.zeros(known.shape, bool), np.zeros(known.shape, bool)
        freezes, thaws = np.zeros(known.shape, bool), np.zeros(known.shape, bool)
        was_frozen = np.array([each.is_frozen for each in self._frozen], bool)
        for place, row in enumerate(self._rows):
            columns = _columns(known[place : place + 1])
            frozen = self._frozen[place].push(x[row, columns])
            freezes[place, columns], thaws[place, columns] = frozen, ~frozen
            recent = np.concatenate([self._recent[place], x[row, columns]])
            self._recent[place] = recent[len(recent) - (WINDOW - 1) :]
            if _moves_throughout(recent):
                moves[place, columns] = True
                continue
            span = _span(recent)
            stops[place, columns], moves[place, columns] = span < STILL_MV, span >= MOVING_MV
        still = _held(self._still, stops, moves)
        self._still = still[:, -1]
        return still | _held(was_frozen, freezes, thaws)

    def _absence(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which leads are away with each column, (wanted leads, n); columns in which nothing arrived tell nothing."""
        leaves, returns = np.zeros(known.shape, bool), np.zeros(known.shape, bool)
        columns = _columns(known)
        arrived = np.concatenate([self._arrived, known[:, columns]], axis=1)
        self._arrived = arrived[:, -AWAY:]
        sums = arrived.cumsum(axis=1, dtype=np.int32)
        count = sums[:, AWAY:] - sums[:, :-AWAY]
        leaves[:, columns], returns[:, columns] = count == 0, 2 * count >= AWAY
        away = _held(self._away, leaves, returns)
        self._away = away[:, -1]
        return away

    def _count_silence(self, kept: NDArray[np.bool_]) -> None:
        heard = np.flatnonzero(kept.any(axis=0))
        n = kept.shape[1]
        self._silent = n - 1 - int(heard[-1]) if len(heard) else self._silent + n

    def _changes(self, before: NDArray[np.bool_], still: NDArray[np.bool_], off: NDArray[np.bool_]) -> list[LeadChange]:
        """Where leads went off or came back: columns by time, so that they are in order of index."""
        changed = off != np.concatenate([before[:, None], off[:, :-1]], axis=1)
        return [
            LeadChange(self._end + column, LEADS[self._rows[place]], is_off, _why(is_off, bool(still[place, column])))
            for column, place in np.argwhere(changed.T).tolist()
            for is_off in [bool(off[place, column])]
        ]


class Jumps:
    """Finds where leads have just jumped further than a heart can, piece by piece.

    What the network saw of a jump would spoil its estimates for as long as it remembers: the whole left context.

    Parameters
    ----------
    rows : int
        How many leads.
    """

    def __init__(self, rows: int) -> None:
        self._newest = np.full((rows, 1), np.nan, np.float32)
        self._since = np.full(rows, SETTLING, np.int64)

    def push(self, x: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each of the next samples (rows, n), in mV, comes within 0.4 s of a jump."""
        n = x.shape[1]
        if not n:
            return np.zeros(x.shape, bool)
        with np.errstate(invalid="ignore"):
            jumps = np.abs(np.diff(x, axis=1, prepend=self._newest)) > JUMP_MV
        self._newest = x[:, -1:].copy()
        if not jumps.any() and (self._since >= SETTLING).all():  # by far the most common
            return jumps
        at = np.arange(n)
        jumped = np.maximum.accumulate(np.where(jumps, at, -self._since[:, None]), axis=1)
        self._since = np.minimum(n - jumped[:, -1], SETTLING)
        return np.asarray(at - jumped < SETTLING)

    def skip(self, length: int) -> None:
        """A gap of so many samples: what comes after it can be anywhere."""
        self._newest[:] = np.nan
        self._since = np.minimum(self._since + length, SETTLING)


class _Frozen:
    """Finds where one lead's samples are frozen, piece by piece.

    Attributes
    ----------
    is_frozen : bool
        As the newest sample left it.
    """

    def __init__(self) -> None:
        self.is_frozen = False
        self._value = np.float32(np.nan)
        self._low = self._high = np.float32(0)  # since it is frozen
        self._run = 0  # newest samples in a row that are equal
        self._since_pause = PAUSED
        self._since_jump = PAUSED

    def push(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether it is frozen with each of the next samples."""
        n = len(values)
        frozen = np.zeros(n, bool)
        if not n:
            return frozen
        steps = np.diff(values, prepend=self._value)
        changes = np.flatnonzero(steps != 0)
        jumps = np.flatnonzero(np.abs(steps) > JUMP_MV)
        starts = changes if len(changes) and changes[0] == 0 else np.concatenate([[0], changes])
        ends = np.append(starts[1:], n)
        lengths = ends - starts
        if starts is not changes:
            lengths[0] += self._run
        ended_before = starts is changes and not self.is_frozen and self._run in PAUSES
        pauses_until = 0 if ended_before else -self._since_pause  # where the newest pause ended
        thaw = self._thaw(values, 0) if self.is_frozen else 0
        frozen[:thaw] = True
        for start, end, length in zip(
            *(each[lengths >= PAUSES.start] for each in (starts, ends, lengths)), strict=True
        ):
            if end <= thaw:
                continue
            if length < FROZEN:
                if end < n:
                    pauses_until = int(end)
                continue
            began = int(end) - int(length)
            before = jumps[jumps <= began]
            jumped = int(before[-1]) if len(before) else -self._since_jump
            if began - pauses_until >= PAUSED or 0 <= began - jumped <= SETTLING:
                begin = max(thaw, began + FROZEN - 1)
                self._low = self._high = values[start]
                thaw = self._thaw(values, begin)
                frozen[begin:thaw] = True
        self._since_pause = min(n - pauses_until, 2 * PAUSED)
        self._since_jump = min(n - int(jumps[-1]) if len(jumps) else n + self._since_jump, 2 * PAUSED)
        self.is_frozen = bool(frozen[-1])
        self._value, self._run = values[-1], int(lengths[-1])
        return frozen

    def _thaw(self, values: NDArray[np.float32], start: int) -> int:
        """Where, from `start` on, the lead has moved since it was frozen."""
        high = np.maximum.accumulate(np.append(self._high, values[start:]))[1:]
        low = np.minimum.accumulate(np.append(self._low, values[start:]))[1:]
        moved = np.flatnonzero(high - low >= MOVING_MV)
        if not len(moved):
            self._high, self._low = max(self._high, *high[-1:]), min(self._low, *low[-1:])
        return start + int(moved[0]) if len(moved) else len(values)


def _columns(known: NDArray[np.bool_]) -> slice | NDArray[np.intp]:
    """An index of the columns in which any of these rows is known: a slice where all are, for it copies nothing."""
    where = np.logical_or.reduce(known, axis=0)
    return slice(None) if where.all() else np.flatnonzero(where)


def _moves_throughout(recent: NDArray[np.float32]) -> bool:
    """Whether all windows of these samples move, told by half windows: each window holds a whole one."""
    half = WINDOW // 2
    halves = recent[: len(recent) // half * half].reshape(-1, half)
    return bool((np.ptp(halves, axis=1) >= MOVING_MV).all())


def _span(recent: NDArray[np.float32]) -> NDArray[np.float32]:
    """Peak to peak of each whole window of these samples."""
    origin = (WINDOW - 1) // 2  # the window ends at its sample
    highest, lowest = maximum_filter1d(recent, WINDOW, origin=origin), minimum_filter1d(recent, WINDOW, origin=origin)
    return np.asarray(highest[WINDOW - 1 :] - lowest[WINDOW - 1 :])


def _held(before: NDArray[np.bool_], begins: NDArray[np.bool_], ends: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of what begins at some columns, ends at others and else stays as it was, (rows, n)."""
    if not before.any() and not begins.any():
        return begins  # by far the most common, and nothing to look for
    n = begins.shape[1]
    # The last column that decided, one to the right: column 0 is what was before.
    decided = np.maximum.accumulate(np.where(begins | ends, np.arange(1, n + 1), 0), axis=1)
    return np.take_along_axis(np.concatenate([before[:, None], begins], axis=1), decided, axis=1)


def _why(is_off: bool, is_still: bool) -> str:
    if not is_off:
        return ""
    return STANDS_STILL if is_still else DOES_NOT_ARRIVE
