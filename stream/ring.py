"""The newest samples of a stream, any run of them readable in one piece."""

import numpy as np
from numpy.typing import NDArray


class Ring:
    """A ring buffer that holds everything twice, so that a run of columns never wraps.

    Parameters
    ----------
    rows, capacity : int
        Rows, and newest columns kept.

    Attributes
    ----------
    rows : int
        As given.
    end : int
        Columns written so far.
    """

    def __init__(self, rows: int, capacity: int) -> None:
        self.rows = rows
        self.end = 0
        self._capacity = capacity
        self._columns = np.zeros((rows, 2 * capacity), np.float32)

    def write(self, columns: NDArray[np.float32]) -> None:
        """Append columns, (rows, n) float32."""
        self.end += columns.shape[1]
        columns = columns[:, -self._capacity :]
        while columns.shape[1]:
            at = (self.end - columns.shape[1]) % self._capacity
            part = columns[:, : self._capacity - at]
            for copy in (at, at + self._capacity):
                self._columns[:, copy : copy + part.shape[1]] = part
            columns = columns[:, part.shape[1] :]

    def skip(self, length: int) -> None:
        """Append columns of zeros, at the cost of the ring at most."""
        shown = min(length, self._capacity)
        self.end += length - shown
        self.write(np.zeros((self.rows, shown), np.float32))

    def window(self, end: int, length: int) -> NDArray[np.float32]:
        """The columns of indices [end - length, end), (rows, length) float32: a view, good until the next write.

        Indices before the start are zero.
        """
        if not self.end - self._capacity <= end - length <= end <= self.end:
            raise ValueError(f"a ring at {self.end} with {self._capacity} columns does not hold {length} before {end}")
        stop = end % self._capacity + self._capacity
        return self._columns[:, stop - length : stop]
