"""What goes to the engine and what comes back: a frame of the eight leads and its estimate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """The last indices of a bed before `end`, as the network sees them.

    Attributes
    ----------
    bed : str
        Whose.
    end : int
        Sample index (500 Hz) after the last column.
    leads : ndarray, (8, n) float32, mV
        The independent leads that are measured or computed, zero where unknown. A bed's frames have one n in the usual
        case and a longer one where it has fallen behind: few and fixed shapes.
    mask : ndarray, (8, n) float32
        1 where known, else 0.
    settles : object
        The bed's own: what it needs to settle the frame when its estimate is there; opaque to all others.
    state : object
        The bed's own, for an engine that carries one from frame to frame; opaque to all others.
    """

    bed: str
    end: int
    leads: NDArray[np.float32]
    mask: NDArray[np.float32]
    settles: object = None
    state: object = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the network says of a frame, column for column.

    Attributes
    ----------
    leads, interval : ndarray, (12, n) float32, mV
        Twelve leads and the half-widths of their 90 % intervals.
    state : object
        What `Frame.state` has become.
    """

    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    state: object = None
