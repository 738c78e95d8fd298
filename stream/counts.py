"""From the counts of a device to indices: it counts its samples itself, and what its count says must be possible."""

from collections import deque

import numpy as np

from stream.findings import Fault, Finding
from stream.lines import MOST_OFF, HostLine
from stream.shelf import Recent, Run, Shelf, Spot

JUMP_S = 10.0
"""A count may be so much further ahead than the time that passed."""
AGREE_S = 0.5
"""So near to this host's clock the count of another session goes on with the last one's."""
RESET_S, RESET_ARRIVALS = 1.0, 3
"""So much that goes on consistently elsewhere is a count that began anew."""
AWAY_S, PAUSE_S = 0.05, 0.25
"""By this host's clock no longer away, with or without a new session: nothing is missing."""
MOST_SESSIONS = 8
TELL_RATE_S = 60.0


class Counted:
    """Places the samples of a device by its own count of them.

    Within a session the count is the truth, as far as it is possible: it is not ahead of this host's clock. Where it is
    elsewhere altogether samples are held until it shows, by going on there, that it began anew, or is refuted.

    Parameters
    ----------
    rate : float
        Declared, Hz.
    shelf : Shelf
        Where samples are put.
    host : HostLine
        When they are received.
    recent : Recent
        Knows what comes again.
    """

    def __init__(self, rate: float, shelf: Shelf, host: HostLine, recent: Recent) -> None:
        self._rate = rate
        self._shelf = shelf
        self._host = host
        self._recent = recent
        self._session: int | None = None
        self._ended: deque[int] = deque(maxlen=MOST_SESSIONS)
        self._shift = 0
        """From a count to an index."""
        self._received = 0.0
        self._stamp = np.nan
        """When the newest sample was taken, by the sender's clock, s."""
        self._suspects: list[tuple[int, Run]] = []
        self._suspects_session = 0
        self._rate_told = -np.inf

    def place(self, run: Run, count: int, session: int) -> None:
        """Samples have come of which the first has a count: they go to the shelf, or are held or refused."""
        if self._session is None:
            self._session = session
            if not self._shelf.end:
                self._shift = -count
            else:
                self._begin(run, count, AWAY_S)
        elif session != self._session:
            if session in self._ended:  # a message of a sender that was replaced, or a second sender
                self._suspect(run, count, session)
                return
            self._change(run, count, session)
        if not self._take(run, count):
            self._suspect(run, count, session)

    def settle(self) -> None:
        """Nothing more comes that could show whether a count began anew."""
        self._refuse()

    def _change(self, run: Run, count: int, session: int) -> None:
        """Another session: its count goes on with that of the last, or begins anew."""
        self._refuse()
        assert self._session is not None
        self._ended.append(self._session)
        self._session = session
        last = count + self._shift + run.length - 1
        assert run.received is not None
        agrees = abs(self._host.time(last) - run.received) <= AGREE_S
        if count + self._shift < self._shelf.end or not agrees:
            self._begin(run, count, AWAY_S)

    def _begin(self, run: Run, count: int, least: float) -> None:
        """The count has begun anew: the run goes on after the newest index, later if this host's clock says so.

        The sender's own clock knows by how much, where the two agree about it.
        """
        assert run.received is not None
        end, last = self._shelf.end, self._shelf.end + run.length - 1
        leap = (count + self._shift - end) / self._rate
        gap = self._host.index(run.received) - last if self._host.is_begun else 0.0
        told = (run.stamps[0] - self._stamp) * self._host.rate - 1 if run.stamps is not None else np.nan
        if told >= 0 and abs(told - gap) <= AGREE_S * self._rate:
            end += round(told)
        elif gap > (least + 4 * self._host.jitter) * self._rate:
            end += round(gap)
        self._shift = end - count
        self._find(Fault.RESET, leap, "the device's count began anew")

    def _take(self, run: Run, count: int) -> bool:
        """Place a run by its count, if that is possible; whether it was."""
        assert run.received is not None
        start = count + self._shift
        stop = start + run.length
        end = self._shelf.end
        if start >= end:
            passed = max(0.0, run.received - self._received)
            if start - end > (passed + JUMP_S) * self._rate:
                return False
            self._refuse()
            self._put(start, run, count)
            return True
        pieces = list(self._shelf.spots(start, min(stop, end)))
        if stop <= end and not all(
            spot is not Spot.TAKEN or self._is_known(run.part(first - start, last - start), count + first - start)
            for first, last, spot in pieces
        ):
            return False
        for first, last, spot in pieces:
            if spot is Spot.HOLE:
                piece = run.part(first - start, last - start)
                self._recent.add(_counts(count + first - start, last - first), piece.samples)
                self._shelf.put(first, piece)
            elif spot is Spot.GONE:
                self._shelf.pass_by(first, last - first)
            else:
                self._find(Fault.DUPLICATE, last - first, f"{last - first} samples came a second time")
        if stop > end:
            self._refuse()
            self._put(end, run.part(end - start, run.length), count + end - start)
        return True

    def _is_known(self, run: Run, count: int) -> bool:
        return bool(np.all(self._recent.known(_counts(count, run.length), run.samples)))

    def _put(self, index: int, run: Run, count: int) -> None:
        assert run.received is not None
        self._recent.add(_counts(count, run.length), run.samples)
        self._shelf.put(index, run)
        self._host.add(index + run.length - 1, run.received)
        self._received = run.received
        self._stamp = np.nan if run.stamps is None else float(run.stamps[-1])
        self._tell_rate()

    def _suspect(self, run: Run, count: int, session: int) -> None:
        """Hold a run whose count is elsewhere; once enough goes on there, all of it is placed."""
        if self._suspects:
            last_count, last = self._suspects[-1]
            ahead = count - (last_count + last.length)
            assert run.received is not None
            assert last.received is not None
            passed = max(0.0, run.received - last.received)
            if session != self._suspects_session or not 0 <= ahead <= (passed + RESET_S) * self._rate:
                self._refuse()
        self._suspects.append((count, run))
        self._suspects_session = session
        held = sum(run.length for _, run in self._suspects)
        if len(self._suspects) < RESET_ARRIVALS or held < RESET_S * self._rate:
            return
        suspects, self._suspects = self._suspects, []
        if session != self._session:
            assert self._session is not None
            self._ended.append(self._session)
            self._session = session
        first_count, first = suspects[0]
        self._begin(first, first_count, PAUSE_S)
        for count, run in suspects:
            if not self._take(run, count):
                self._refused(run.length, count)

    def _refuse(self) -> None:
        """What was held has not gone on: it is left out."""
        suspects, self._suspects = self._suspects, []
        if not suspects:
            return
        samples = sum(run.length for _, run in suspects)
        count = suspects[0][0]
        if 0 <= count + self._shift < self._shelf.end and self._suspects_session == self._session:
            self._find(Fault.DUPLICATE, samples, f"{samples} samples came with a count that had come before")
        else:
            self._refused(samples, count)

    def _refused(self, samples: int, count: int) -> None:
        self._find(Fault.REFUSED, samples, f"{samples} samples with an impossible count ({count}) were left out")

    def _tell_rate(self) -> None:
        end = self._shelf.end
        if self._host.span < TELL_RATE_S or end - self._rate_told < TELL_RATE_S * self._rate:
            return
        self._rate_told = end
        if abs(self._host.rate / self._rate - 1) > MOST_OFF:
            text = f"{self._host.rate:.5g} Hz by this host's clock, not the {self._rate:g} Hz it declares"
            self._find(Fault.RATE, self._host.rate, text)

    def _find(self, fault: Fault, value: float, text: str) -> None:
        self._shelf.findings.append(Finding(fault, self._shelf.end, float(value), text))


def _counts(first: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return float(first) + np.arange(float(length))
