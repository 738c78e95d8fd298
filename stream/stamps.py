"""From raw stamps to indices: samples are counted, and where their stamps say that some are missing, skipped over."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stream.breaks import (
    HALF,
    Stamps,
    are_bursts,
    are_jumbled,
    are_times,
    exact_rate,
    missing,
    packets,
    quantum,
    splits,
    steps,
    wrapped,
)
from stream.findings import Fault, Finding
from stream.lines import EXACT, MOST_OFF, SURE, DeviceLine, HostLine
from stream.shelf import HOLD_S, Recent, Run, Shelf, Spot

# What this host's clock says.
RESET_S = 0.5
"""A clock that goes back further has begun anew."""
MARGIN_S, EARLY_MARGIN_S, EARLY_S = 0.25, 0.5, 2.0
"""So much too early for this host's clock, and what a stamp says cannot be; and in the first seconds."""
CLOCKS_DRIFT, FIRST_DRIFT, DRIFT_S = 3e-4, 0.01, 20.0
"""Two clocks part by no more than that share of the time; and in the first seconds, while the rate is not found yet."""
AWAY_S = 0.05
"""A device that was away, and by this host's clock no longer, missed nothing."""

# Exact stamps.
CREDIBLE, FIRST_CREDIBLE = 0.02, 0.005
"""How far, in samples, exact stamps are from a whole number of them; and before it is known that they are exact."""
MOST_FIRST = 16
"""If so many stamps do not tell the rate, they are not exact."""
LEAST_STEP = 1.5
"""Samples. A lesser step that is no whole sample is jitter of stamps that seemed exact."""
MOVE_S = 5.0
"""Stamps that step by a part of a sample more often are not exact."""

# Doubt.
FIRST_TOLERANCE_S = 0.15
"""Less than that is no gap as long as jitter is not known, nor is half a packet, unless it is whole samples."""
DOUBT, PART = 2.5, 0.6
"""What lies beyond so many standard deviations, and is the better part of a packet, waits for what comes next."""
EVIDENCE = 16.0
"""Stamps that are together so many standard deviations ahead are not so by chance."""
LONGEST_WAIT_S, MOST_WAITING_S = 2.0, 10.0
"""A doubt is decided after that time of this host, or after so much of the source's, whatever may come."""
SOON = 1.5
"""Packets. The next one should have come by then."""
LATE_OF_ONE = 1.44
"""The mean of exponential delays, in their medians; the least of n delays is an nth of it."""
FEWEST_REORDERED = 3
"""Fewer samples are not out of order as long as jitter is not known, ..."""
FITTING = 0.1
"""... unless all are so near to their places, in samples."""

# Packets.
MOST_LENGTHS = 32
SAME_PACKET = 0.02
"""A lesser step, in samples, is within a packet whose stamps were deduced from its last."""
SAME_BURST = 0.25
"""What comes so much sooner than its length, as a share of it, belongs to the packet before."""
OFF_PACKET = 0.3
"""How far, in packets, what is missing may seem to be from whole ones."""
MOST_PACKETS_MISSING = 20
"""A longer gap need not be of whole packets."""

# What is hidden in jitter.
STEP_LOWS, PACKET_LOWS, SAMPLE_LOWS, SETTLED_S = 6, 2, 5, 10.0
"""Where the least late stamps step ahead of what they were, and the newest so many of them stay there, something is
missing: whole packets sooner than samples, as chance would not make it whole ones; samples not in the first seconds."""
SURE_LOWS, MATURE_S = 12, 60.0
"""So many tell it even without a step, if the line is that old."""
PATIENCE_S, LONG_PATIENCE_S = 3.0, 30.0
"""For so long stamps may say that there are too many samples; longer, where it is whole packets."""

TELL_RATE_S = 60.0
LONGEST_RECORDED_GAP_S = 86400.0
"""A leap of recorded stamps that is longer is a clock that was set."""
BLOCK_S = 2.0
"""Recorded stamps are laid out so much at a time."""


class Stamped:
    """Places the samples of a device by its stamps: of each sample, of each packet, or by when they are received.

    A run of stamps that go on as the line says, but for jitter, follows what came before. What is ahead of the line is
    a gap if it stays there: stamps that were only late come back to it. What is behind is known, fills a hole, or shows
    that the clock has leapt; so does what this host's clock says cannot be.

    Parameters
    ----------
    rate : float
        Declared, Hz.
    shelf : Shelf
        Where samples are put.
    host : HostLine or None
        When they are received; None for recorded stamps, of which nothing is known but themselves.
    recent : Recent or None
        Knows what comes again; None where nothing can.
    """

    def __init__(self, rate: float, shelf: Shelf, host: HostLine | None = None, recent: Recent | None = None) -> None:
        self.line = DeviceLine(rate)
        self._rate = rate
        self._shelf = shelf
        self._host = host
        self._recent = recent
        self._session: int | None = None
        self._is_new = True
        self._has_stamps = False
        self._in_bursts = False
        self._first: Stamps = np.empty(0)
        self._is_learning = True
        self._tolerance = HALF
        self._seen = -np.inf
        """The newest stamp of this clock."""
        self._moved = 0
        self._turn = -1
        self._last = -np.inf
        """The stamp of the last sample that found its place."""
        self._received = 0.0
        self._counted = np.arange(64.0)
        self._pending: list[Run] = []
        self._waiting = 0
        self._low = np.inf
        """The least that what is pending is ahead of the line, in samples."""
        self._since_low = self._runs_since_low = 0
        self._early_since = 0
        self._packet = self._largest = 0
        self._lengths: deque[int] = deque(maxlen=MOST_LENGTHS)
        self._sizes: deque[int] = deque(maxlen=MOST_LENGTHS)
        self._rate_told = -np.inf

    @property
    def has_stamps(self) -> bool:
        """Whether stamps tell anything."""
        return self._has_stamps

    def place(self, run: Run, session: int) -> None:
        """Samples have come: they go to the shelf, now or when a doubt is decided."""
        self._sizes.append(run.length)
        if session != self._session:
            self.settle()
            self._session, self._is_new = session, True
        if run.stamps is not None and self._goes_on(run.stamps):
            self._remember(run)
            self._put(self._shelf.end, run)
            return
        if not self._gets_stamps(run):
            self._put_unjudged(run)
            return
        parts = self._parts(run)
        if self._is_new:
            self._is_new = False
            if not self._begin(parts[0]):
                del parts[0]
        for part in parts:
            self._judge(part)

    def settle(self, now: float | None = None) -> None:
        """Decide what is in doubt, as nothing has come until `now`, or will come any more."""
        if now is not None and self._pending:
            received = self._pending[-1].received
            packet_s = self._largest / self._rate if self._in_bursts or self.line.has_strayed else 0.0
            if received is not None and now - received < min(SOON * packet_s, LONGEST_WAIT_S):
                return
        while self._pending:
            self._weigh(is_over=True)

    def _goes_on(self, stamps: Stamps) -> bool:
        """Whether stamps follow the last as they should: the ordinary case, and the only one that has to be fast."""
        is_ordinary = self._has_stamps and not (self._is_new or self._is_learning or self._pending)
        if not (is_ordinary and stamps[0] > self._seen):
            return False
        length = len(stamps)
        end, limit = self._shelf.end, self._tolerance
        if self._in_bursts:
            ahead = self.line.residual(stamps[-1], end + length - 1)
            return bool(-limit <= ahead <= limit and (stamps[-1] - stamps[0]) * self._rate < HALF)
        if length > len(self._counted):
            self._counted = np.arange(2.0 * length)
        residuals = self.line.residuals(stamps, end, self._counted[:length])
        return bool(-limit <= residuals.min() and residuals.max() <= limit)

    def _gets_stamps(self, run: Run) -> bool:
        """See that a run has stamps, if need be that of its arrival; whether that can be done."""
        if run.stamps is None or not are_times(run.stamps):
            if self._has_stamps or run.received is None:
                return False
            run.stamps = np.full(run.length, run.received)
        elif not self._has_stamps:
            self._has_stamps = self._is_new = True
        return True

    def _parts(self, run: Run) -> list[Run]:
        """The packets of a run, or what goes on from sample to sample."""
        assert run.stamps is not None
        stamps, line = run.stamps, self.line
        if not self._has_stamps:
            self._in_bursts = True
        elif run.length > 1 and not (line.is_exact and line.is_known):
            self._in_bursts = are_bursts(stamps, self._rate)
        if self._in_bursts:
            bounds = packets(stamps, self._rate)
        else:
            bounds = splits(stamps, line.rate, max(HALF, SURE * line.jitter))
            if not line.is_exact and are_jumbled(stamps, self._rate, len(bounds)):
                return [run]
        return [run.part(start, stop) for start, stop in pairwise([*bounds, run.length])]

    # What begins.

    def _begin(self, run: Run) -> bool:
        """The first run of a session; whether it is still to be judged, as one that follows."""
        assert run.stamps is not None
        stamps, end, length = run.stamps, self._shelf.end, run.length
        if not end:
            self.line.begin(stamps[-1], length - 1)
            self._largest = length
            self._tolerance = self._limit()
            return True
        ahead = self.line.residual(stamps[-1], end + length - 1)
        if self.line.is_known or self.line.is_exact:
            if abs(ahead) <= self._tolerance:
                return True
            if ahead > 0 and run.received is not None and self._host is not None:
                late = run.received - self._host.time(end + length - 1 + ahead)
                most = RESET_S + self._drift(run.received)
                if -most <= late <= most + 2 * run.after / self._rate:  # more may be missing among those
                    return True
        gap = self._passed(run, AWAY_S)
        if self._has_stamps:
            self._find(Fault.RESET, end, ahead / self._rate, "the device's clock began anew with its connection")
        self._first, self._is_learning = np.empty(0), True
        self.line.begin(stamps[-1], end + gap + length - 1)
        self._seen = -np.inf
        self._remember(run)
        self._tolerance = self._limit()
        self._put(end + gap, run, final=True)
        return False

    def _learn(self, stamps: Stamps) -> None:
        """Take the rate from the first stamps, if they are exact."""
        self._first = np.concatenate([self._first, stamps])
        rate = None if self._in_bursts else exact_rate(self._first, self._rate)
        if rate is not None:
            self.line.declare(rate)
        self._is_learning = rate is None and len(self._first) < MOST_FIRST and not self._in_bursts

    # What follows.

    def _judge(self, run: Run) -> None:
        """Place a run that has just come."""
        for new in self._new_parts(run):
            self._remember(new)
            if self._is_learning and new.stamps is not None:
                self._learn(new.stamps)
            if self._pending:
                ahead = self._ahead(new, self._shelf.end + self._waiting)
                back = RESET_S * self._rate + self._waiting + new.length
                if -ahead <= back and self._can_be(new, ahead + self._waiting):
                    self._wait_with(new)
                    continue
                self.settle()
            self._place_new(new)

    def _place_new(self, run: Run) -> None:
        ahead = self._ahead(run, self._shelf.end)
        if abs(ahead) <= self._tolerance:
            self._put(self._shelf.end, run)
        elif ahead < 0:
            self._place_behind(run, ahead)
        elif not self._can_be(run, ahead):
            self._leap(run, ahead, Fault.RESET)
        elif self._is_credible(ahead):
            self._put(self._shelf.end + round(ahead), run)
        else:
            self._wait_with(run)

    def _new_parts(self, run: Run) -> list[Run]:
        """What of a run has not come before."""
        assert run.stamps is not None
        if self._recent is None or not self._has_stamps or run.stamps[0] > self._seen:
            return [run]
        known = self._recent.known(run.stamps, run.samples)
        count = int(np.count_nonzero(known))
        if not count:
            return [run]
        end = self._shelf.end + self._waiting
        is_too_many = self.line.residual(run.stamps[-1], end + run.length - 1) < -run.length / 2
        if self._in_bursts and not is_too_many and _is_flat(run.samples[:, known]):
            return [run]  # flat samples are all alike: the packet they are in has only come in parts
        self._find(Fault.DUPLICATE, end, count, f"{_count(count)} came a second time")
        bounds = [0, *(np.flatnonzero(np.diff(known)) + 1).tolist(), run.length]
        return [run.part(start, stop) for start, stop in pairwise(bounds) if not known[start]]

    def _remember(self, run: Run) -> None:
        """A run has come for the first time."""
        assert run.stamps is not None
        self._seen = max(self._seen, float(run.stamps[-1]))
        if self._recent is not None and self._has_stamps:
            self._recent.add(run.stamps, run.samples)

    def _place_behind(self, run: Run, ahead: float) -> None:
        """Place a run whose stamps are behind the newest: it fills a hole, or the clock has gone back."""
        shelf, back, length = self._shelf, -ahead / self._rate, run.length
        start = shelf.end + round(ahead)
        pieces = list(shelf.spots(start, min(start + length, shelf.end)))
        spots = {spot for _, _, spot in pieces}
        is_credible = self._is_credible(ahead)
        if is_credible and Spot.TAKEN not in spots:
            self._fill(run, start, pieces)
        elif back > RESET_S + length / self._rate:
            self._leap(run, ahead, Fault.RESET)
        elif shelf.is_waiting and not is_credible and not self.line.is_exact:
            # What seemed to come after a hole had late stamps only.
            for held in (*shelf.retract(), run):
                self._wait_with(held)
        elif spots == {Spot.GONE}:
            self._fill(run, start, pieces)
        elif is_credible and start + length <= 0:
            shelf.pass_by(0, length)  # before the first
        elif (self.line.is_exact or self.line.is_steady) and -ahead > LEAST_STEP:
            self._leap(run, ahead, Fault.STEP_BACK)
        else:
            if not self.line.is_known:
                self.line.lower(-ahead)  # it was the first stamps that were late
            self._put(shelf.end, run)  # jitter, unless it lasts

    def _fill(self, run: Run, start: int, pieces: list[tuple[int, int, Spot]]) -> None:
        for first, last, spot in pieces:
            if spot is Spot.HOLE:
                self._shelf.put(first, run.part(first - start, last - start))
            else:
                self._shelf.pass_by(first, last - first)
        done = pieces[-1][1] - start
        if done < run.length:
            self._put(self._shelf.end, run.part(done, run.length))

    def _leap(self, run: Run, ahead: float, fault: Fault) -> None:
        """The clock has leapt: the run goes on where the last ended, later if this host's clock says so."""
        assert run.stamps is not None
        gap = self._passed(run, MARGIN_S + (run.length + run.after) / self._rate)
        index = self._shelf.end + gap
        self._tell_leap(ahead / self._rate, fault)
        self.line.move((self._ahead(run, index) - self.line.middle) / self.line.rate)
        self._seen = float(run.stamps[-1])
        self._put(index, run, final=True)

    def _tell_leap(self, seconds: float, fault: Fault) -> None:
        way = f"{abs(seconds):.4g} s {'forward' if seconds > 0 else 'back'}"
        text = f"the device's clock stepped {way}" if fault is Fault.STEP_BACK else f"the device's clock leapt {way}"
        self._find(fault, self._shelf.end, seconds, text)

    # What is in doubt.

    def _wait_with(self, run: Run) -> None:
        """Stamps are ahead: late ones, or samples are missing. What comes next tells."""
        self._pending.append(run)
        self._waiting += run.length
        self._since_low += run.length
        self._runs_since_low += 1
        self._weigh()

    def _weigh(self, *, is_over: bool = False) -> None:
        """Decide what is in doubt, if that can be done.

        Of stamps that are late only the least late counts. As long as each packet is less late than the one before,
        what was held up somewhere is still coming.
        """
        runs = self._sorted(self._pending)
        levels, at = [], self._shelf.end
        for run in runs:
            levels.append(self._ahead(run, at))
            at += run.length
        low = min(levels)
        lowest = levels.index(low)
        if low < self._low - max(HALF, self.line.jitter):
            self._low = low
            self._since_low, self._runs_since_low = self._pending[-1].length, 1
        if low <= self._tolerance:
            self._place_pending(runs, lowest + (low >= -self._tolerance), self._shelf.end)
        elif is_over or self._is_decided(runs, levels):
            before = sum(run.length for run in runs[:lowest])
            if self._can_be(runs[lowest], low + before):
                gap = self._gap(low - self._usual_low(len(runs)))
                if self.line.is_exact:
                    self.line.move((low - gap) / self._rate)
            else:
                self._tell_leap(low / self._rate, Fault.RESET)
                gap = self._passed(runs[0], MARGIN_S + (runs[0].length + runs[0].after) / self._rate)
                self.line.move((low - gap) / self._rate)
            self._place_pending(runs, lowest + 1, self._shelf.end + gap)

    def _is_decided(self, runs: list[Run], levels: list[float]) -> bool:
        """Whether what is ahead has stayed so for long enough, and nothing more that was held up is coming."""
        line = self.line
        newest, oldest = runs[-1].received, runs[0].received
        is_long = newest is not None and oldest is not None and newest - oldest > LONGEST_WAIT_S
        if is_long or self._waiting > MOST_WAITING_S * self._rate:
            return True
        is_catching_up = len(runs) > 1 and levels[-1] < levels[-2] - HALF * runs[-1].length
        evidence = (min(levels) - line.middle) * self._runs_since_low
        is_clear = evidence >= EVIDENCE * line.jitter or not line.is_known
        is_enough = self._since_low >= HOLD_S * self._rate and self._runs_since_low >= 2
        return is_enough and is_clear and not is_catching_up

    def _usual_low(self, runs: int) -> float:
        """How far ahead the least late of some runs is, if nothing is missing."""
        middle = max(self.line.middle, 0.0)
        return min(middle, LATE_OF_ONE * middle / runs) if self.line.has_strayed else 0.0

    def _sorted(self, runs: list[Run]) -> list[Run]:
        """Runs in the order of their stamps, where these cannot be out of order by jitter."""
        fewest = max(1.0, SURE * self.line.jitter) if self.line.is_known else FEWEST_REORDERED
        ordered = sorted(runs, key=_last_stamp)
        is_sure = all(run.length >= fewest for run in runs)
        at = self._shelf.end
        if not is_sure and not self.line.has_strayed:
            levels = []
            for run in ordered:
                levels.append(abs(self._ahead(run, at)))
                at += run.length
            is_sure = max(levels) <= FITTING
        return ordered if is_sure else list(runs)

    def _place_pending(self, runs: list[Run], count: int, index: int) -> None:
        """Place the first runs that were pending, from an index on, and judge the others anew."""
        late = self._overtaken(runs) if count else 0
        self._pending, self._waiting, self._low = [], 0, np.inf
        self._since_low = self._runs_since_low = 0
        if late:
            self._find(Fault.REORDER, index, late, f"{_count(late)} came after later ones and were put in place")
        starts = [index + sum(before.length for before in runs[:at]) for at in range(count)]
        levels = [self._ahead(run, start) for run, start in zip(runs, starts, strict=False)]
        for at in range(count - 1):
            # What was late by itself shows how much stamps jitter; what the next one followed at once was held up.
            if levels[at + 1] > levels[at] - HALF * runs[at + 1].length:
                self.line.note(_last_stamp(runs[at]), starts[at] + runs[at].length - 1)
        for at, start in enumerate(starts):
            self._put(start, runs[at], final=True, is_anchor=at == count - 1)
        for run in runs[count:]:
            if self._pending:
                self._wait_with(run)
            else:
                self._place_new(run)

    def _overtaken(self, runs: list[Run]) -> int:
        """How many samples came after others that they belong before."""
        came = {id(run): at for at, run in enumerate(self._pending)}
        late, first = 0, len(runs)
        for run in reversed(runs):
            late += run.length if came[id(run)] > first else 0
            first = min(first, came[id(run)])
        return late

    def _gap(self, level: float) -> int:
        """How many samples are missing where stamps stay ahead of the line."""
        line = self.line
        if not line.is_known:
            is_sure = level >= self._first_tolerance or (self._may_be_exact and self._is_credible(level))
            return round(level) if is_sure else 0
        if line.is_exact and not self._in_bursts:
            return round(level) if level > LEAST_STEP or self._is_credible(level) else 0
        packet = line.packet if level < MOST_PACKETS_MISSING * line.packet else 1
        if level < packet and level < (1 - OFF_PACKET) * packet:
            return 0  # if it is no jitter it will show in the least late stamps
        return missing(level, packet, max(self._tolerance, OFF_PACKET * packet))

    # Judgements.

    def _ahead(self, run: Run, index: int) -> float:
        """How many samples the stamps of a run are ahead of the line, if it stands at an index."""
        assert run.stamps is not None
        length = run.length
        if self._in_bursts or length == 1:
            return float(self.line.residual(run.stamps[-1], index + length - 1))
        residuals = self.line.residuals(run.stamps, index, np.arange(float(length)))
        residuals.sort()
        return float(residuals[length // 2])

    def _is_credible(self, ahead: float) -> bool:
        """Whether stamps are ahead by whole samples, as are exact ones where some are missing."""
        if self._in_bursts:
            return False
        off = abs(ahead - round(ahead))
        if self.line.is_exact:
            return off <= CREDIBLE
        if self._is_learning:  # the rate may be off
            return off <= min(FIRST_CREDIBLE + MOST_OFF * abs(ahead), FITTING)
        return self._may_be_exact and off <= FIRST_CREDIBLE

    @property
    def _may_be_exact(self) -> bool:
        return self.line.is_exact or not self.line.has_strayed

    def _can_be(self, run: Run, ahead: float) -> bool:
        """Whether a run can be so many samples ahead: it was not received before it was taken."""
        if self._host is None or run.received is None:
            return ahead <= LONGEST_RECORDED_GAP_S * self._rate
        taken = self._host.time(self._shelf.end + run.length - 1 + ahead)
        margin = MARGIN_S if self._host.span >= EARLY_S else EARLY_MARGIN_S
        return taken - run.received <= margin + self._drift(run.received)

    def _passed(self, run: Run, least: float) -> int:
        """How many samples this host's clock says are missing before a run; none if it is less than `least` s."""
        if self._host is None or run.received is None or not self._host.is_begun:
            return 0
        gap = self._host.index(run.received) - (self._shelf.end + run.length + run.after - 1)
        return round(gap) if gap > (least + 4 * self._host.jitter) * self._rate else 0

    def _drift(self, received: float) -> float:
        is_settled = self._host is not None and self._host.span >= DRIFT_S
        share = CLOCKS_DRIFT if is_settled else FIRST_DRIFT
        return share * max(0.0, received - self._received)

    @property
    def _first_tolerance(self) -> float:
        return max(self._largest / 2, FIRST_TOLERANCE_S * self._rate)

    def _limit(self) -> float:
        """How many samples stamps may be off and still follow."""
        line = self.line
        if not line.is_known:
            return self._first_tolerance if self._in_bursts else HALF + line.doubt
        limit = line.middle + SURE * line.jitter
        if line.packet > 1:
            limit = min(limit, max(PART * line.packet, line.middle + DOUBT * line.jitter))
        return max(HALF, limit) + line.doubt

    # What has found its place.

    def _put(self, index: int, run: Run, *, final: bool = False, is_anchor: bool = True) -> None:
        shelf, line, length = self._shelf, self.line, run.length
        shelf.put(index, run, final=final)
        stamps, received = run.stamps, run.received
        assert stamps is not None
        last = float(stamps[-1])
        if not line.is_exact:
            self._measure(stamps)
        self._last = last
        if received is not None and self._host is not None and not run.after:
            self._host.add(index + length - 1, received)
            self._received = received
        if not is_anchor:
            return
        if line.is_exact and line.is_known and not self._in_bursts:
            ahead = line.residual(last, index + length - 1)
            if abs(ahead) > EXACT and index - self._moved > MOVE_S * self._rate:
                line.move(ahead / self._rate)  # its clock has stepped; if it does so often its stamps are not exact
                self._moved = index
        if not self._in_bursts:  # any of its samples may show how much stamps jitter
            self._turn = (self._turn + 1) % length
            line.note(float(stamps[self._turn]), index + self._turn)
        typical = None
        if line.has_strayed and not self._in_bursts:
            typical = last - (line.residual(last, index + length - 1) - self._ahead(run, index)) / line.rate
        if line.add(last, index + length - 1, length, typical=typical):
            self._look()

    def _put_unjudged(self, run: Run) -> None:
        """Samples without a time, of a device that has stamps."""
        self.settle()
        gap = self._passed(run, RESET_S + run.length / self._rate)
        self._shelf.put(self._shelf.end + gap, run, final=True)
        if run.received is not None and self._host is not None:
            self._host.add(self._shelf.end - 1, run.received)
            self._received = run.received

    def _measure(self, stamps: Stamps) -> None:
        """Gather the lengths of packets."""
        step = (stamps[0] - self._last) * self._rate
        if self._in_bursts:
            bounds = [0] if step >= SAME_BURST * len(stamps) else []
        else:
            bounds = [0] if abs(step - 1) > SAME_PACKET else []
            bounds += (np.flatnonzero(np.abs(steps(stamps, self._rate)) > SAME_PACKET) + 1).tolist()
        start = 0
        for bound in bounds:
            if self._packet + bound - start:
                self._lengths.append(self._packet + bound - start)
                self._largest = max(self._largest, self._lengths[-1])
            self._packet, start = 0, bound
        self._packet += len(stamps) - start

    def _look(self) -> None:
        """The line was fitted anew: what follows from it."""
        line = self.line
        line.packet = 1
        if not line.is_exact:
            line.packet = quantum(self._lengths)
            if line.packet == 1:  # each sample has a stamp of its own
                line.packet = quantum(self._sizes)
        self._tolerance = self._limit()
        if self._host is not None:
            self._host.lean(line.rate)
        if line.is_off:
            self._tell_rate()
        if line.is_known and line.has_strayed:
            self._look_at_lows()

    def _look_at_lows(self) -> None:
        """Small losses are hidden in jitter, but not for long: even the least late stamps are then ahead."""
        line, packet = self.line, self.line.packet
        limit = line.most_ahead
        lows = line.lows(STEP_LOWS)
        if line.tells_packets:
            level = min(line.lows(PACKET_LOWS), default=0.0)
            step = level - float(np.median(lows[:-PACKET_LOWS])) if lows else 0.0
            if packet * HALF > limit:  # even if the rate is not quite known it is no matter of that
                step = level
            gap = packet * round(step / packet)
            if gap > 0 and level > 0:
                self._skip(gap, PACKET_LOWS)
                return
        lows = line.lows(STEP_LOWS + SAMPLE_LOWS)
        if lows and line.span > SETTLED_S:
            level = min(lows[-SAMPLE_LOWS:])
            step = level - max(lows[:-SAMPLE_LOWS])
            if min(level, step) > limit:
                self._skip(round(step), SAMPLE_LOWS)
                return
        level = min(line.lows(SURE_LOWS), default=0.0)
        if level > limit and line.span > MATURE_S:
            self._skip(round(level), SURE_LOWS)
            return
        self._look_at_early_lows()

    def _look_at_early_lows(self) -> None:
        """Too many samples: it seems that the clock went back, unless a gap was told that was none."""
        line, packet, end = self.line, self.line.packet, self._shelf.end
        limit = line.most_ahead
        early = max(line.lows(PACKET_LOWS), default=0.0)
        if early > -limit:
            self._early_since = end
            return
        is_whole = packet > 1 and abs(wrapped(early, packet)) < OFF_PACKET * packet
        if end - self._early_since > (LONG_PATIENCE_S if is_whole else PATIENCE_S) * self._rate:
            self._early_since = end
            self._tell_leap(early / self._rate, Fault.STEP_BACK)
            line.move(early / self._rate)

    def _skip(self, samples: int, lows: int) -> None:
        """So many samples were missing before those of the newest lows."""
        self._shelf.skip(samples)
        self.line.skip(samples, lows)

    def _tell_rate(self) -> None:
        end = self._shelf.end
        if self.line.is_off and end - self._rate_told >= TELL_RATE_S * self._rate:
            self._rate_told = end
            rate = self.line.rate
            self._find(Fault.RATE, end, rate, f"{rate:.5g} Hz by its stamps, not the {self._rate:g} Hz it declares")

    def _find(self, fault: Fault, index: int, value: float, text: str) -> None:
        self._shelf.findings.append(Finding(fault, index, float(value), text))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where recorded samples stand.

    Attributes
    ----------
    indices : ndarray, (n,) int64
        Of each sample, from 0 on; ascending but for samples that were recorded after later ones, each there once. -1
        for those that were recorded so late that their place was given up.
    rate : float
        As fitted, Hz.
    findings : tuple of Finding
        What was the matter.
    """

    indices: NDArray[np.int64]
    rate: float
    findings: tuple[Finding, ...]


def lay_out(stamps: Stamps, rate: float) -> Layout:
    """Where the samples of a recording stand, by the same rules as live ones.

    Gaps are jumps of the index; where the clock leaps back, or further than a day, samples follow one another.

    Parameters
    ----------
    stamps : ndarray, (n,) float64
        Raw, s. Those that are no time do not matter.
    rate : float
        Declared, Hz.
    """
    shelf = Shelf(rate)
    stamped = Stamped(rate, shelf)
    numbers = np.arange(len(stamps), dtype=np.int64)[None]
    indices = np.full(len(stamps), -1, np.int64)
    findings: list[Finding] = []
    block = max(1, round(BLOCK_S * rate))
    for start in range(0, len(stamps), block):
        some = slice(start, start + block)
        stamped.place(Run(numbers[:, some], stamps=stamps[some]), 0)
        if start + block >= len(stamps):
            stamped.settle()
            shelf.flush()
        for index, run in shelf.ready:
            indices[run.samples[0]] = np.arange(index, index + run.length)
        findings += shelf.findings
        shelf.ready, shelf.findings = [], []
    return Layout(indices, stamped.line.rate, tuple(findings))


def _last_stamp(run: Run) -> float:
    assert run.stamps is not None
    return float(run.stamps[-1])


def _count(samples: int) -> str:
    return "1 sample" if samples == 1 else f"{samples} samples"


def _is_flat(samples: NDArray[np.float32]) -> bool:
    return bool(np.all((samples == samples[:, :1]) | np.isnan(samples)))
