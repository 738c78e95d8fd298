"""When a frame is due."""

from itertools import pairwise

FRAME = 5000
"""Samples in the longest frame of a live bed: 10 s at 500 Hz."""


def due(start: int, stop: int, hop: int) -> list[int]:
    """The ends of the frames that become due while the stream grows from `start` to `stop`: multiples of the hop."""
    return list(range((start // hop + 1) * hop, stop + 1, hop))


def newest(ends: list[int], settled: int, look_ahead: int, span: int) -> list[int]:
    """The fewest of these frames that still settle everything, the last among them.

    Parameters
    ----------
    ends : list of int
        Frames that are due, oldest first.
    settled : int
        Index up to which all is settled.
    look_ahead : int
        Columns at a frame's end that it cannot settle.
    span : int
        Columns at a frame's end that have their whole left context before them in the frame.
    """
    kept = []
    for end, following in pairwise(ends):
        if following - settled > span:
            kept.append(end)
            settled = max(settled, end - look_ahead)
    return kept + ends[-1:]
