"""Two lines: from a device's stamps to the samples' indices, and from these to the time of this host."""

from collections import deque
from itertools import pairwise

import numpy as np

from stream.breaks import FEWEST_POINTS, HALF, NORMAL, Stamps, fitted, spread

MOST_OFF = 0.012
"""How wrong a declared rate may be, as a share; what looks like more is lost samples, if stamps are not exact."""
OFF, OFF_S = 0.0105, 10.0
"""It is told if it is found so wrong for so long."""
EVEN_MOST_OFF = 0.25
"""How far off a rate is believed that exact stamps tell."""
FIRST_DOUBT = 0.004
"""Standard deviation of declared rates, as a share."""
GROUP, FEWEST_GROUP, GROUP_S = 8, 3, 2.0
"""Of so many stamps that jitter the least late counts, of fewer where they come seldom: it was held up least."""
MOST_LOWS = 32
TICK_S = 1.0
FIRST_TICK = 5
"""Samples. The line is fitted anew with each tick: a quarter of all there was, but no longer than `TICK_S`."""
MOST_POINTS = 128
LONGEST_POINT_S = 8.0
"""A tick is a point of the line, and later some are one: it is that of the last 17 minutes at most."""
MOST_ANCHORS = 256
ANCHOR_S = 0.1
"""Jitter is that of the newest `MOST_ANCHORS`, no more than one in so long a time: of 25 s."""
FEWEST_ANCHORS = 8
FEWEST_EXACT = 3
EXACT = 0.01
"""Samples. The Unix time in float64 at 2000 Hz is off by a twentieth of that."""
MOST_OUTLIERS = 2
STEADY = 0.1
"""With less jitter, in samples, there is no doubt which sample a stamp is that of."""
DOUBT = 3.0
"""Standard deviations of the rate."""
LEVELS = 2.0
"""Ticks over which steps are looked for."""
FEW = 4.0
EARLY, FEW_IN_PACKET = 0.25, 8.0
"""How much of a packet stamps are early at most, and jitter that is small for it."""
CLEAR = 3.5
"""Standard deviations of the least late stamps, twice in succession: then it is clear whether a packet is missing."""
LEAST_AHEAD = 1.5
SURE = 5.0
"""Standard deviations: what lies beyond is no jitter."""

Anchor = tuple[float, float]
"""A stamp and the index of its sample."""


class DeviceLine:
    """From raw stamps to indices. The rate moves slowly, over minutes; what is lost or comes twice does not move it.

    Stamps that jitter are late rather than early: the line is that of the least late ones. Samples that are missing
    make stamps late, too, and so do not move it as long as they are not told.

    Parameters
    ----------
    rate : float
        Declared, Hz.

    Attributes
    ----------
    rate : float
        Fitted, Hz of the device's clock.
    middle, jitter : float
        How far stamps are ahead of the line by their median, and their robust standard deviation, in samples.
    doubt : float
        How far ahead stamps may be because the rate is not quite known yet, in samples.
    is_known : bool
        Whether enough stamps have come for the jitter to mean anything.
    is_exact : bool
        Whether stamps are those of the samples, to float64.
    has_strayed : bool
        Whether any stamp, among few, was not.
    packet : int
        What packets have lengths of, where that is known; else 1. Told from outside.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.packet = 1
        self._declared = rate
        self._centre = rate
        self._off = 0.0
        self.begin(0.0, 0.0)

    def begin(self, time: float, index: float) -> None:
        """Follow another clock, of which a stamp is that of an index; the rate stays as it was found."""
        self.middle = self.jitter = self.doubt = 0.0
        self.is_known = self.is_exact = self.has_strayed = False
        self._time, self._index = time, index
        self._rate_before = self.rate
        self._points: list[Anchor] = []
        self._newest: list[Anchor] = []
        self._ticks_a_point = 1
        self._samples = self._samples_before = 0
        self._anchors: deque[Anchor] = deque(maxlen=MOST_ANCHORS)
        self._group: list[Anchor] = []
        self._tick: list[Anchor] = []
        self._lows: deque[Anchor] = deque(maxlen=MOST_LOWS)

    def declare(self, rate: float) -> None:
        """Take the rate that the first stamps tell exactly, Hz."""
        if abs(rate / self._declared - 1) <= EVEN_MOST_OFF:
            self.rate = self._rate_before = rate
            self._bound(0.0, is_exact=True)

    @property
    def is_off(self) -> bool:
        """Whether the rate has been further from the declared one than it may be, for some time."""
        return self._off >= OFF_S

    @property
    def is_steady(self) -> bool:
        """Whether a stamp leaves no doubt which sample it is that of."""
        return self.is_known and self.jitter < STEADY

    def residuals(self, stamps: Stamps, index: int, counted: Stamps) -> Stamps:
        """How many samples stamps are ahead of those that stand at `index` and after it; `counted` is 0, 1, 2, ..."""
        return (stamps - self._time) * self.rate - (counted + (index - self._index))

    def residual(self, stamp: float, index: float) -> float:
        """How many samples a stamp is ahead of that of an index."""
        return (stamp - self._time) * self.rate - (index - self._index)

    def time(self, index: float) -> float:
        """The device's time of an index, s."""
        return self._time + (index - self._index) / self.rate

    def move(self, seconds: float) -> None:
        """The device's clock has leapt: the line goes on from where it is now."""
        self._time += seconds
        for points in (self._points, self._newest, self._anchors, self._group, self._tick, self._lows):
            moved = [(time + seconds, index) for time, index in points]
            points.clear()
            points.extend(moved)

    @property
    def span(self) -> float:
        """For how long it has followed the stamps of this clock, s."""
        points = self._points + self._newest
        return points[-1][0] - points[0][0] if points else 0.0

    def lower(self, samples: float) -> None:
        """The line was so much too high, whatever the points say, until it is fitted anew."""
        self._index += samples

    def add(self, stamp: float, index: int, samples: int, *, typical: float | None = None) -> bool:
        """Samples have found their place.

        Parameters
        ----------
        stamp : float
            Of the last one, s.
        index : int
            Of the last one.
        samples : int
            How many.
        typical : float, optional
            What its stamp would be, s, if it jittered no more than most of them.

        Returns
        -------
        bool
            Whether there is something new to be seen: a low, or the whole line.
        """
        anchor = stamp, float(index)
        self.note(stamp, index)
        self._samples += samples
        is_low = True
        if self.has_strayed:
            is_low = self._gather(anchor if typical is None else (typical, anchor[1]))
        else:
            self._tick.append(anchor)
        if self._tick and self._samples >= self._due:
            self._close()
            return True
        return is_low and self.has_strayed

    def note(self, stamp: float, index: int) -> None:
        """A sample has found its place, and its stamp shows how much they jitter."""
        if len(self._anchors) < FEWEST_ANCHORS or abs(stamp - self._anchors[-1][0]) >= ANCHOR_S:
            self._anchors.append((stamp, float(index)))

    @property
    def _due(self) -> float:
        """How many samples a tick has."""
        return min(TICK_S * self._declared, max(FIRST_TICK, self._samples_before / 4))

    def lows(self, count: int) -> list[float]:
        """How many samples the newest groups of stamps are ahead of the line, by the least late of each, in order."""
        return [self.residual(*low) for low in list(self._lows)[-count:]] if count <= len(self._lows) else []

    @property
    def lows_jitter(self) -> float:
        """Of the least late of each group, in samples, but for whole packets that are missing between them."""
        steps = np.diff([self.residual(*low) for low in self._lows])
        if len(steps) < FEWEST_GROUP:
            return np.inf
        if self.packet > 1:
            steps -= self.packet * np.round(steps / self.packet)
        return NORMAL * float(np.median(np.abs(steps - np.median(steps)))) / 2**0.5 * (1 + FEW / len(steps))

    @property
    def most_ahead(self) -> float:
        """How far ahead of the line, in samples, the least late stamps of a group can be if none are missing."""
        return max(LEAST_AHEAD, SURE * self.lows_jitter) + LEVELS * self.doubt

    @property
    def tells_packets(self) -> bool:
        """Whether a packet that is missing shows as soon as stamps that are not late have come."""
        return self.packet > 1 and HALF * self.packet > CLEAR * self.lows_jitter

    def skip(self, samples: int, lows: int) -> None:
        """So many samples had been missing before those of the newest lows: these stand as much later."""
        since = self._lows[-lows][0]
        for points in (self._points, self._newest, self._anchors, self._group, self._tick, self._lows):
            moved = [(time, index + samples if time >= since else index) for time, index in points]
            points.clear()
            points.extend(moved)

    def _gather(self, anchor: Anchor) -> bool:
        """Add a stamp to its group; whether the group is complete."""
        group = self._group
        group.append(anchor)
        is_long = len(group) >= FEWEST_GROUP and abs(anchor[0] - group[0][0]) >= GROUP_S
        if len(group) < GROUP and not is_long:
            return False
        low = min(group, key=lambda one: self.residual(*one))
        group.clear()
        self._tick.append(low)
        self._lows.append(low)
        return True

    def _close(self) -> None:
        """Make a point of what has come, and fit the line."""
        tick, self._tick = self._tick, []
        time, index = sorted(tick, key=lambda one: self.residual(*one))[len(tick) // 2]
        self._newest.append((time, index))
        self._samples_before += self._samples
        seconds, self._samples = self._samples / self._declared, 0
        self._fit(seconds)
        self._look()
        self._thin(seconds)

    def _fit(self, seconds: float) -> None:
        points = self._points + self._newest
        if len(points) < FEWEST_POINTS:  # every stamp counts
            points = list(self._anchors)
        times, indices = np.array(points).T
        doubt = FIRST_DOUBT * self._declared
        noise = min(self.jitter / GROUP**0.5, self.lows_jitter) if self.has_strayed else 0.0
        self.rate, doubt, self._index = fitted(times, indices, rate=self._rate_before, doubt=doubt, noise=noise)
        self.doubt = DOUBT * doubt * max(seconds, self._due / self._declared)
        self._time = points[-1][0]
        self._bound(seconds, is_exact=self.is_steady)
        if self.is_steady or not self.has_strayed:
            # Where the newest stamps leave no doubt, the line follows a quartz that warms up.
            newest = [self.residual(*point) for point in (self._points + self._newest)[-3:]]
            self._index -= sorted(newest)[len(newest) // 2]

    def _bound(self, seconds: float, *, is_exact: bool) -> None:
        """Keep the rate where it may be: about the declared one, or about the one that exact stamps tell."""
        off = abs(self.rate / self._declared - 1)
        if off <= MOST_OFF:
            self._centre = self._declared
        elif is_exact and off <= EVEN_MOST_OFF:
            self._centre = self.rate
        self._off = self._off + seconds if off > OFF else 0.0
        self.rate = min(max(self.rate, self._centre * (1 - MOST_OFF)), self._centre * (1 + MOST_OFF))

    def _look(self) -> None:
        """How much stamps jitter about the line."""
        times, indices = np.array(self._anchors).T
        residuals = (times - self._time) * self.rate - (indices - self._index)
        self.middle, self.jitter = spread(residuals)
        if self.tells_packets:
            # Some came while packets were missing and that was not told yet.
            middle, jitter = spread(residuals - self.packet * np.floor(residuals / self.packet + EARLY))
            if FEW_IN_PACKET * jitter < self.packet:
                self.middle, self.jitter = middle, jitter
        self.is_known = len(residuals) >= FEWEST_ANCHORS
        outliers = int(np.count_nonzero(np.abs(residuals) > EXACT))
        fit = outliers <= (MOST_OUTLIERS if self.is_known else 0)
        self.is_exact, self.has_strayed = fit and len(residuals) >= FEWEST_EXACT, not fit

    def _thin(self, seconds: float) -> None:
        """Keep few points: older ones sum up more, and those of long ago are forgotten."""
        while len(self._newest) >= 2 * self._ticks_a_point:
            self._points.append(_mean(self._newest[: self._ticks_a_point]))
            del self._newest[: self._ticks_a_point]
        if len(self._points) <= MOST_POINTS:
            return
        if self._ticks_a_point * seconds < LONGEST_POINT_S:
            self._ticks_a_point *= 2
            self._points = [_mean(self._points[at : at + 2]) for at in range(0, len(self._points), 2)]
        else:
            del self._points[0]


HOST_POINT_S, LONGEST_HOST_POINT_S = 2.0, 16.0
"""The same of the host's line, each the least delayed sample of so long a time."""
HOST_POINTS = 64
HOST_RECENT_S = 30.0
"""A delay that all samples have for longer is the usual one."""
HOST_SPAN_S = 20.0
"""The rate is found from no less."""
HOST_MOST_OFF = 0.25
HOST_DELAYS = 32


class HostLine:
    """From indices to this host's time: samples were taken no later than they were received.

    The line runs along the lower edge of what was received: the samples that were least delayed.

    Parameters
    ----------
    rate : float
        Declared, Hz.

    Attributes
    ----------
    is_begun : bool
        Whether anything has come yet.
    span : float
        For how long it has followed the source, s.
    """

    def __init__(self, rate: float) -> None:
        self._period = 1 / rate
        self._slope = 0.0
        self.begin(0, 0.0)
        self.is_begun = False

    @property
    def rate(self) -> float:
        """Hz of this host's clock, as fitted."""
        return 1 / (self._period * (1 + self._slope))

    @property
    def jitter(self) -> float:
        """Of what is received about the time it was taken: a robust standard deviation, s."""
        return spread(np.array(self._delays))[1]

    def begin(self, index: float, received: float) -> None:
        """Begin anew with a sample; the rate stays as it was found."""
        self.is_begun = True
        self._index, self._time = index, received
        self._late = 0.0
        self._points: list[tuple[float, float]] = []
        self._lowest: tuple[float, float] | None = None
        self._point_s = HOST_POINT_S
        self._due = received + HOST_POINT_S
        self._delays: deque[float] = deque(maxlen=HOST_DELAYS)
        self.span = 0.0

    def lean(self, rate: float) -> None:
        """Go by a rate found otherwise, Hz, as long as there is too little to find it here."""
        if self.span < HOST_SPAN_S:
            self._slope = 1 / (rate * self._period) - 1

    def add(self, index: float, received: float) -> None:
        """The sample at an index was received."""
        if not self.is_begun:
            self.begin(index, received)
        run = (index - self._index) * self._period
        late = received - self._time - run
        delay = late - self._late - self._slope * run
        self._delays.append(max(delay, 0.0))
        if delay < 0:
            self._late += delay
        if self._lowest is None or late - self._slope * run < self._lowest[1] - self._slope * self._lowest[0]:
            self._lowest = run, late
        self.span = received - self._time
        if received >= self._due:
            self._close(received)

    def time(self, index: float) -> float:
        """When the sample at an index was taken, s."""
        run = (index - self._index) * self._period
        return self._time + run * (1 + self._slope) + self._late

    def index(self, time: float) -> float:
        """Which sample is received at a time, if it is not delayed."""
        return self._index + (time - self._time - self._late) / (self._period * (1 + self._slope))

    def _close(self, received: float) -> None:
        """Make a point of the least delayed sample, and draw the line anew."""
        assert self._lowest is not None
        self._points.append(self._lowest)
        self._lowest = None
        self._due = received + self._point_s
        if len(self._points) > HOST_POINTS:
            if self._point_s < LONGEST_HOST_POINT_S:
                self._point_s *= 2
                pairs = (self._points[at : at + 2] for at in range(0, len(self._points), 2))
                self._points = [min(pair, key=lambda point: point[1] - self._slope * point[0]) for pair in pairs]
            else:
                del self._points[0]
        newest = self._points[-1][0]
        if newest - self._points[0][0] >= HOST_SPAN_S:
            slope = lower_slope(self._points)
            self._slope = min(max(slope, -HOST_MOST_OFF), HOST_MOST_OFF)
        recent = [point for point in self._points if point[0] >= newest - HOST_RECENT_S]
        self._late = min(late - self._slope * run for run, late in recent)


def lower_slope(points: list[tuple[float, float]]) -> float:
    """The slope of the line below all points that is nearest to them: the edge of their hull under their middle.

    Parameters
    ----------
    points : list of (float, float)
        Two at least, ascending in the first.
    """
    hull: list[tuple[float, float]] = []
    for point in points:
        while len(hull) >= 2 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    middle = sum(x for x, _ in points) / len(points)
    for before, after in pairwise(hull):
        if after[0] >= middle:
            return (after[1] - before[1]) / (after[0] - before[0])
    return 0.0


def _turns_down(first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]) -> bool:
    rise = (second[1] - first[1]) * (third[0] - first[0])
    return rise >= (third[1] - first[1]) * (second[0] - first[0])


def _mean(points: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(time for time, _ in points) / len(points), sum(index for _, index in points) / len(points)
