"""What is known of some indices in a row, until it is settled."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.leads import LEADS, Origin
from stream.items import Why

KNOWN = 2
GAPS = (Why.MISSING, Why.NO_SIGNAL)
"""What a column is: one of these by its place, or KNOWN."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of some indices in a row.

    Attributes
    ----------
    known, origin : ndarray, (12, n)
        Measured and computed leads, NaN where neither; `Origin` of each sample.
    kind : ndarray, (n,) uint8
        What each column is: KNOWN, or why it is a gap.
    truth : ndarray, (12, n), or None
        The recording's own leads.
    """

    known: NDArray[np.float32]
    origin: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    truth: NDArray[np.float32] | None

    @classmethod
    def unknown(cls, length: int, *, with_truth: bool) -> "Columns":
        """Columns for which nothing arrived."""
        nothing = np.full((len(LEADS), length), np.nan, np.float32)
        kind = np.full(length, GAPS.index(Why.MISSING), np.uint8)
        return cls(nothing, np.full(nothing.shape, Origin.NONE, np.uint8), kind, nothing if with_truth else None)

    def __len__(self) -> int:
        return len(self.kind)

    def between(self, first: int, last: int) -> "Columns":
        """Some of the columns."""
        some = slice(first, last)
        truth = None if self.truth is None else self.truth[:, some]
        return Columns(self.known[:, some], self.origin[:, some], self.kind[some], truth)

    def followed_by(self, other: "Columns") -> "Columns":
        """These columns and then those."""
        if not len(self):
            return other
        truths = [each.truth for each in (self, other) if each.truth is not None]
        return Columns(
            np.concatenate([self.known, other.known], axis=1),
            np.concatenate([self.origin, other.origin], axis=1),
            np.concatenate([self.kind, other.kind]),
            np.concatenate(truths, axis=1) if len(truths) == 2 else None,
        )

    def runs(self) -> list[tuple[int, int, int]]:
        """Where each run of columns of one kind begins and ends, and its kind."""
        edges = [0, *(np.flatnonzero(np.diff(self.kind)) + 1).tolist(), len(self)]
        return [(start, stop, int(self.kind[start])) for start, stop in pairwise(edges) if start < stop]
