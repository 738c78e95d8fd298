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
from stream.lines import MOST_OFF, SURE, DeviceLine, HostLine
from stream.shelf import HOLD_S, Recent, Run, Shelf, Spot

RESET_S = 0.5
"""A clock that goes back further has begun anew."""
MARGIN_S = 0.25
"""So much too early for this host's clock, and what a stamp says cannot be."""
EARLY_MARGIN_S = 0.5
"""The same in the first seconds."""
EARLY_S = 2.0
CLOCKS_DRIFT = 3e-4
"""Two clocks part by no more than that share of the time."""
FIRST_DRIFT = 0.01
"""The same while the rate is not found yet."""
LEAST_STEP_BACK = 1.5
"""Samples. Less is jitter of stamps that seemed exact."""
AWAY_S = 0.05
"""A device that was away, and by this host's clock no longer, missed nothing."""
CREDIBLE = 0.02
"""How far, in samples, the distance of exact stamps is from a whole number."""
FIRST_CREDIBLE = 0.005
MOST_FIRST = 16
"""If so many stamps do not tell the rate, they are not exact."""
FIRST_TOLERANCE_S = 0.15
"""Less than that is no gap as long as jitter is not known, nor is half a packet, unless it is whole samples."""
LONGEST_WAIT_S = 2.0
"""A doubt is decided after that time of this host, or after `MOST_WAITING_S` of samples, whatever may come."""
MOST_WAITING_S = 10.0
SOON = 1.5
"""Packets. The next one should have come by then."""
FEWEST_REORDERED = 3
"""Fewer samples are not out of order as long as jitter is not known."""
FITTING = 0.1
"""In samples: if all are so near to their places they are in order."""
MOST_LENGTHS = 32
SAME_PACKET = 0.02
"""A step below, in samples, is within a packet whose stamps were deduced from its last."""
EVIDENCE = 16.0
"""Stamps that are together so many standard deviations ahead are not so by chance."""
DOUBT = 2.5
"""Standard deviations: what lies beyond waits for the next, if it can be a packet that is missing."""
LATE_OF_ONE = 1.44
"""Of delays that are exponential: their mean in medians. The least of n is an nth of it."""
MOST_PACKETS_MISSING = 20
"""A longer gap need not be of whole packets."""
STEP_LOWS, PACKET_LOWS, SAMPLE_LOWS = 6, 2, 3
"""Where the least late stamps step ahead of the line, and the newest so many of them stay there, something is missing:
whole packets sooner than samples, as chance would not make it whole ones."""
SETTLED_S = 10.0
SURE_LOWS, MATURE_S = 8, 60.0
"""Even without a step, if the line is as old as that."""
OFF_PACKET = 0.3
EVIDENCE = 16.0
"""Stamps that are together so many standard deviations ahead are not so by chance."""
DOUBT = 2.5
"""Standard deviations: what lies beyond waits for the next, if it can be a packet that is missing."""
LATE_OF_ONE = 1.44
"""Of delays that are exponential: their mean in medians. The least of n is an nth of it."""
MOST_PACKETS_MISSING = 20
"""A longer gap need not be of whole packets."""
EVIDENCE = 32.0
"""Stamps that are all ahead, together by so many standard deviations: something is missing. Were they independent and
exponential, that would happen to one in 10^17 groups of them; but delays come in waves."""
PATIENCE_S, LONG_PATIENCE_S = 3, 30
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
        self._last = -np.inf
        """The stamp of the last sample that found its place."""
        self._received = 0.0
        self._counted = np.arange(64.0)
        self._pending: list[Run] = []
        self._waiting = 0
        self._low = np.inf
        """The least that what is pending is ahead of the line, in samples."""
        self._since_low = self._runs_since_low = 0
        self._shrugged = False
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
        stamps = run.stamps
        if (
            stamps is not None
            and self._has_stamps
            and not (self._is_new or self._is_learning)
            and self._goes_on(stamps)
        ):
            self._remember(run)
            self._put(self._shelf.end, run)
            return
        if stamps is None or not are_times(stamps):
            if self._has_stamps or run.received is None:
                self._put_unjudged(run)
                return
            run.stamps = stamps = np.full(run.length, run.received)
        elif not self._has_stamps:
            self._has_stamps = self._is_new = True
        if not self._has_stamps:
            self._in_bursts = True
        elif run.length >= 3 and not (self.line.is_exact and self.line.is_known):
            self._in_bursts = are_bursts(stamps, self._rate)
        bounds = [*self._bounds(stamps), run.length]
        parts = [run.part(start, stop) for start, stop in pairwise(bounds)] if len(bounds) > 2 else [run]
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
            packet_s = self._largest / self._rate if self._in_bursts else 0.0
            if received is not None and now - received < min(SOON * packet_s, LONGEST_WAIT_S):
                return
        while self._pending:
            self._weigh(is_over=True)

    def _goes_on(self, stamps: Stamps) -> bool:
        """Whether stamps follow the last as they should: the ordinary case, and the only one that has to be fast."""
        if self._pending or not stamps[0] > self._seen:
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

    def _bounds(self, stamps: Stamps) -> list[int]:
        if self._in_bursts:
            return packets(stamps, self._rate)
        return splits(stamps, self.line.rate, max(HALF, SURE * self.line.jitter))

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
                if -most <= late <= most + run.after / self._rate:
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
        if is_credible and spots == {Spot.HOLE}:
            self._fill(run, start, pieces)
        elif back > RESET_S + length / self._rate:
            self._leap(run, ahead, Fault.RESET)
        elif shelf.is_waiting and not is_credible and not self.line.is_exact:
            # What seemed to come after a hole had late stamps only.
            for held in (*shelf.retract(), run):
                self._wait_with(held)
        elif Spot.TAKEN not in spots and (is_credible or Spot.HOLE not in spots):
            self._fill(run, start, pieces)
        elif is_credible and start + length <= 0:
            shelf.pass_by(0, length)  # before the first
        elif (self.line.is_exact or self.line.is_steady) and -ahead > LEAST_STEP_BACK:
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
            before = lowest if low >= -self._tolerance else lowest - 1
            self._place_pending(runs, before + 1, self._shelf.end)
            return
        is_catching_up = len(runs) > 1 and levels[-1] < levels[-2] - HALF * runs[-1].length
        evidence = (low - self.line.middle) * self._runs_since_low
        is_decided = (
            not is_catching_up
            and self._since_low >= HOLD_S * self._rate
            and self._runs_since_low >= 2
            and (evidence >= EVIDENCE * self.line.jitter or not self.line.is_known)
        )
        newest, oldest = runs[-1].received, runs[0].received
        if newest is not None and oldest is not None:
            is_decided |= newest - oldest > LONGEST_WAIT_S
        if not (is_over or is_decided or self._waiting > MOST_WAITING_S * self._rate):
            return
        run = runs[lowest]
        before = sum(run.length for run in runs[:lowest])
        if not self._can_be(run, low + before):
            self._tell_leap(low / self._rate, Fault.RESET)
            gap = self._passed(runs[0], MARGIN_S + (run.length + run.after) / self._rate)
            self.line.move((low - gap) / self._rate)
        else:
            late = min(self.line.middle, LATE_OF_ONE * self.line.middle / len(runs)) if self.line.has_strayed else 0.0
            gap = self._gap(low - max(late, 0.0))
            if self.line.is_exact:
                self.line.move((low - gap) / self._rate)
        self._place_pending(runs, lowest + 1, self._shelf.end + gap)

    def _sorted(self, runs: list[Run]) -> list[Run]:
        """Runs in the order of their stamps, where these cannot be out of order by jitter."""
        fewest = max(1.0, SURE * self.line.jitter) if self.line.is_known else FEWEST_REORDERED
        ordered = sorted(runs, key=_last_stamp)
        is_sure = all(run.length >= fewest for run in runs)
        at = self._shelf.end
        if not is_sure:
            levels = []
            for run in ordered:
                levels.append(abs(self._ahead(run, at)))
                at += run.length
            is_sure = max(levels) <= FITTING
        return ordered if is_sure else list(runs)

    def _place_pending(self, runs: list[Run], count: int, index: int) -> None:
        """Place the first runs that were pending, from an index on, and judge the others anew."""
        came = {id(run): at for at, run in enumerate(self._pending)}
        overtaken, first = 0, len(runs)
        for run in reversed(runs):
            if came[id(run)] > first:
                overtaken += run.length
            first = min(first, came[id(run)])
        self._pending, self._waiting, self._low = [], 0, np.inf
        self._since_low = self._runs_since_low = 0
        if overtaken and count:
            text = f"{_count(overtaken)} came after later ones and were put in place"
            self._find(Fault.REORDER, index, overtaken, text)
        for at, run in enumerate(runs[:count]):
            self._put(index, run, final=True, is_anchor=at == count - 1)
            index += run.length
        for run in runs[count:]:
            if self._pending:
                self._wait_with(run)
            else:
                self._place_new(run)

    def _gap(self, level: float) -> int:
        """How many samples are missing where stamps stay ahead of the line."""
        line = self.line
        if not line.is_known or (line.is_exact and not self._in_bursts):
            is_sure = level >= self._first_tolerance or (self._may_be_exact and self._is_credible(level))
            return round(level) if is_sure else 0
        packet = line.packet if level < MOST_PACKETS_MISSING * line.packet else 1
        gap = missing(level, packet, max(self._tolerance, HALF))
        if not gap and not self._shrugged:
            self._shrugged = True
            return 0
        self._shrugged = False
        return gap or round(level)

    # Judgements.

    def _ahead(self, run: Run, index: int) -> float:
        """How many samples the stamps of a run are ahead of the line, if it stands at an index."""
        assert run.stamps is not None
        length = run.length
        if self._in_bursts or length == 1:
            return float(self.line.residual(run.stamps[-1], index + length - 1))
        residuals = self.line.residuals(run.stamps, index, np.arange(float(length)))
        return float(np.median(residuals))

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
        share = CLOCKS_DRIFT if self._host is not None and self._host.span >= 10 * EARLY_S else FIRST_DRIFT
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
            limit = min(limit, max(0.6 * line.packet, line.middle + DOUBT * line.jitter))
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
        if is_anchor and line.add(last, index + length - 1, length):
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
            bounds = [0] if step >= 0.25 * len(stamps) else []
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
        line, packet, end = self.line, self.line.packet, self._shelf.end
        limit = line.most_ahead
        lows = line.lows(STEP_LOWS)
        if lows:
            level = min(lows[-PACKET_LOWS:])
            step = level - float(np.median(lows[:-PACKET_LOWS]))
            gap = packet * round(step / packet)
            if line.tells_packets and gap > 0 and level > 0:
                self._skip(gap, PACKET_LOWS)
                return
            level = min(lows[-SAMPLE_LOWS:])
            step = level - max(lows[:-SAMPLE_LOWS])
            if min(level, step) > limit and line.span > SETTLED_S:
                self._skip(round(step), SAMPLE_LOWS)
                return
        level = min(line.lows(SURE_LOWS), default=0.0)
        if level > limit and line.span > MATURE_S:
            self._skip(round(level), SURE_LOWS)
            return
        # Too many samples: it seems that the clock went back, unless a gap was told that was none.
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
