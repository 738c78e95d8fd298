"""What stamps say, as small functions over arrays: where they break, how much they jitter, what line they follow.

Residuals, steps and lengths are in samples, so that one is right for every rate.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Stamps = NDArray[np.float64]

LONGEST_STAMP_S = 1e11
"""Stamps beyond are no time of any clock; below it a float64 still tells 16 us apart."""
HALF = 0.5
"""Of a sample: a stamp that is further off belongs to another one."""
NORMAL = 1.4826
"""From the median absolute deviation to the standard deviation of what is normally distributed."""
TENTH = 1.2816
"""Standard deviations from the middle to the highest tenth of what is normally distributed."""
FEW = 16.0
"""A spread seen in so few may be half of the real one."""
MOSTLY = 0.9
FEWEST_PACKETS = 6
ALIKE, MOST_APART = 0.1, 2 / 3
"""So near, in samples, stamps are alike, and so many of those of packets are: two alike may be but a coarse clock."""
MOST_ALONE = 0.75
"""If fewer stamps are unlike all others it is for want of resolution, not as samples came twice."""
OFF_EXACT = 0.005
"""Samples: exact stamps are nearer to their places."""
MOST_MISSING = 20
"""Of more in a row the number is not sure as long as the rate may be off by a hundredth."""
FEWEST_POINTS = 4
MOST_WRONG = 0.012
"""A rate is not wrong by a larger share: what looks like it is a step."""
STEP = 6.0
LEAST_STEP = 0.75
"""What is so many standard deviations, and so many samples, is a step."""
LEAST_LATE = 0.7
"""The share of points that are behind the line."""
CORRELATED = 4.0
"""Delays come in waves: points tell as much as a quarter of them would that know nothing of each other."""


def are_times(stamps: Stamps) -> bool:
    """Whether all of them can be the time of a clock."""
    return bool(np.all(np.abs(stamps) < LONGEST_STAMP_S))  # false for what is not a number


def steps(stamps: Stamps, rate: float) -> NDArray[np.float64]:
    """How much further each stamp is from the one before than it should be, (n - 1,): 1 where a sample is missing."""
    return np.diff(stamps) * rate - 1


def splits(stamps: Stamps, rate: float, tolerance: float = HALF) -> list[int]:
    """Where runs begin whose stamps go on from sample to sample, the first at 0.

    Parameters
    ----------
    stamps : ndarray, (n,) float64
        In s.
    rate : float
        Hz.
    tolerance : float
        The largest step that is none, in samples.
    """
    return [0, *(np.flatnonzero(np.abs(steps(stamps, rate)) > tolerance) + 1).tolist()]


def packets(stamps: Stamps, rate: float) -> list[int]:
    """Where packets begin, the first at 0, if the samples of a packet carry (nearly) one stamp."""
    step = steps(stamps, rate)
    return [0, *(np.flatnonzero((step > -HALF) | (step < -1 - HALF)) + 1).tolist()]


def are_bursts(stamps: Stamps, rate: float) -> bool:
    """Whether most stamps are (nearly) the one before: they tell of packets, not of samples."""
    short = np.abs(np.diff(stamps)) * rate < ALIKE
    return bool(np.count_nonzero(short) > MOST_APART * len(short))


def are_jumbled(stamps: Stamps, rate: float, runs: int) -> bool:
    """Whether stamps that seem to be those of many runs are those of one, with much jitter or little resolution."""
    count = len(stamps)
    if count < FEWEST_POINTS or runs <= 1 + count / 4:
        return False
    ordered = np.unique(stamps)
    return len(ordered) < MOST_ALONE * count or exact_rate(ordered, rate) is None


def exact_rate(stamps: Stamps, rate: float) -> float | None:
    """The rate that stamps tell if they are those of samples, some of which may be missing or out of order.

    Parameters
    ----------
    stamps : ndarray, (n,) float64
        In s; four different ones at least.
    rate : float
        Declared, Hz.

    Returns
    -------
    float or None
        Hz; None if they jitter.
    """
    ordered = np.unique(stamps)
    if len(ordered) < max(FEWEST_POINTS, len(stamps)):
        return None
    since = ordered - ordered[0]
    counts = np.round(np.diff(since) * rate)
    if counts.min() < 1 or counts.max() > MOST_MISSING:
        return None
    index = np.concatenate([[0.0], np.cumsum(counts)])
    found = float(index[-1] / since[-1])
    return found if np.all(np.abs(since * found - index) < OFF_EXACT) else None


def spread(residuals: NDArray[np.float64]) -> tuple[float, float]:
    """The median of what jitters, and a robust standard deviation.

    Of one-sided delays the late tenth counts too; what is rarer does not. It is taken larger where there are few.
    """
    count = len(residuals)
    if not count:
        return 0.0, 0.0
    ordered = np.sort(residuals)
    middle = float(ordered[count // 2])
    deviation = NORMAL * float(np.sort(np.abs(ordered - middle))[count // 2])
    late = (float(ordered[min(count - 1, int(MOSTLY * count))]) - middle) / TENTH
    return middle, max(deviation, late) * (1 + FEW / count)


def quantum(lengths: Sequence[int]) -> int:
    """What the lengths of packets are multiples of, if nearly all are; else 1."""
    if len(lengths) < FEWEST_PACKETS:
        return 1
    usual, _ = Counter(lengths).most_common(1)[0]
    fitting = sum(length % usual == 0 for length in lengths)
    return usual if fitting >= MOSTLY * len(lengths) else 1


def missing(level: float, packet: int, slack: float) -> int:
    """How many samples are missing where stamps are `level` samples ahead.

    Parameters
    ----------
    level : float
        In samples.
    packet : int
        What packets have lengths of; 1 if that is not known.
    slack : float
        How far the level may be from whole packets. Where it is further it was not whole ones.
    """
    whole = packet * round(level / packet)
    return whole if abs(level - whole) <= slack else round(level)


def wrapped(level: float, packet: int) -> float:
    """A level without the whole packets in it."""
    return level - packet * round(level / packet)


def fitted(
    time: NDArray[np.float64], index: NDArray[np.float64], *, rate: float, doubt: float, noise: float = 0.0
) -> tuple[float, float, float]:
    """The line below points, through steps where the index falls behind, as samples are missing that are not told yet.

    The steps tell nothing of the rate, and the line is that of the points which are least behind it.

    Parameters
    ----------
    time : ndarray, (n,) float64, s
        Ascending.
    index : ndarray, (n,) float64
        Samples.
    rate : float
        Known before, Hz.
    doubt : float
        Standard deviation of the rate known before, Hz. Points that jitter much move it little.
    noise : float
        Standard deviation of points, in samples, if it does not show that they have a larger one.

    Returns
    -------
    rate, doubt : float
        And its standard deviation, Hz.
    index : float
        Of the line at the last time.
    """
    run = time - time[-1]
    behind = index - index[-1] - run * rate
    slope = 0.0
    if len(run) >= FEWEST_POINTS:
        forward, rise = np.diff(run), np.diff(behind)
        possible = np.abs(rise) <= MOST_WRONG * rate * forward + HALF
        if 2 * np.count_nonzero(possible) < FEWEST_POINTS:
            possible[:] = True
        usual = np.median(rise[possible]) / (np.median(forward[possible]) or np.inf)
        rest = rise - usual * forward
        size = np.abs(rest)
        steps = np.where(size > STEP * NORMAL * np.median(size[possible]) + LEAST_STEP, rest, 0.0)
        even = behind - np.concatenate([[0.0], np.cumsum(steps)])
        from_middle = run - run.mean()
        extent = float(from_middle @ from_middle)
        product = float(from_middle @ even)
        scatter = even - even.mean() - from_middle * (product / extent)
        variance = max(float(scatter @ scatter) / (len(scatter) - 3), noise**2) * CORRELATED
        slope = product / (extent + variance / doubt**2)
        doubt = min(doubt, (variance / extent) ** 0.5)
    level = np.sort(behind - run * slope)[int(LEAST_LATE * (len(run) - 1))]
    return rate + slope, doubt, float(index[-1] + level)
