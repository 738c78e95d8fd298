"""One connection to an LSL stream: no call of it waits longer than it says, whatever the network does."""

import math
import time
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream import LONGEST_WAIT_S, liblsl
from stream.sources.announced import described, discard
from stream.sources.description import Described

BUFFERED_S = 10
"""What LSL keeps for us; when it is full it drops the oldest and says nothing."""
PULLED_S = 1.0
"""Taken at once at most."""
CONNECTING_S = 0.02
"""How often a connection that is being made is looked at."""
ASKED_S = 0.25
"""How often the device's clock is asked for; LSL itself asks the device every 2 s."""
UNANSWERED_S = 2.7
"""A clock that has said nothing for so long cannot be asked: one of LSL's questions was lost, ..."""
UNANSWERED_AGAIN_S = 10.0
"""... which happens now and then; later times it is only told after several."""
PAUSED_S = 2.0
"""A clock that was not asked for so long is asked as at first."""
OUTDATED_S = 60.0
"""What a clock last said is not believed longer: clocks drift apart."""


class Lost(Exception):
    """The connection has ended, or cannot be made."""


class Connection:
    """Samples of one stream, as they come.

    Parameters
    ----------
    info : pylsl.StreamInfo
        The stream, as it was found.

    Attributes
    ----------
    told : Described or None
        What the stream says of itself, once it has.
    clock : Clock
        The device's.

    Raises
    ------
    Lost
        If there is no connecting to it at all.
    """

    def __init__(self, info: Any) -> None:
        self._lsl = liblsl.load()
        self.told: Described | None = None
        try:
            # No recovery: it hides what was lost meanwhile. No processing of stamps: dejittering hides gaps.
            self._inlet = self._lsl.StreamInlet(
                info, max_buflen=BUFFERED_S, recover=False, processing_flags=self._lsl.proc_none
            )
        except RuntimeError as error:
            raise Lost(str(error)) from error
        self._most = max(64, round(PULLED_S * info.nominal_srate()))
        self.clock = Clock(self._inlet)

    def pull(self) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """What has come: waits for it no longer than `LONGEST_WAIT_S`.

        Returns
        -------
        samples : ndarray, (n, channels)
            In the stream's own format.
        stamps : ndarray, (n,) float64
            When each was taken, s of the device's LSL clock, as it says.

        Raises
        ------
        Lost
            If the stream has ended.
        """
        try:
            if self.told is None and not self._is_told():
                return None
            samples, stamps = self._inlet.pull_chunk(LONGEST_WAIT_S, self._most, min_samples=1, as_numpy=True)
        except (RuntimeError, ValueError) as error:  # all that pylsl raises, and what nobody understands
            raise Lost(str(error)) from error
        return (samples, stamps) if len(stamps) else None

    def close(self) -> None:
        """Let go of it; what has not been pulled is dropped."""
        discarded = [self._inlet, self.clock]
        del self._inlet, self.clock
        discard(discarded)

    def _is_told(self) -> bool:
        """Whether the stream has said what it is: pulling a chunk before that waits for it without any limit."""
        with suppress(self._lsl.util.TimeoutError):
            self._inlet.open_stream(timeout=0.0)  # what comes meanwhile is kept
        try:
            self.told = described(self._inlet.info(timeout=0.0))
        except self._lsl.util.TimeoutError:
            time.sleep(CONNECTING_S)
            return False
        return True


class Clock:
    """What a device's clock shows, as LSL finds it out in a thread of its own.

    Attributes
    ----------
    trouble : str
        What is the matter with it, for people; empty if nothing is.
    """

    def __init__(self, inlet: Any) -> None:
        self._lsl = liblsl.load()
        self._inlet = inlet
        self._asked = self._changed = -math.inf
        self._patience = UNANSWERED_S
        self._correction: float | None = None
        self._offset: float | None = None
        self.trouble = ""

    def offset(self) -> float | None:
        """What to add to its time to have this host's monotonic clock, s; None while it is not known."""
        now = time.monotonic()
        if now - self._asked > PAUSED_S:  # nobody asked meanwhile, as nothing came: it is asked from now on
            self._changed = now
        if now - self._asked >= ASKED_S:
            self._asked = now
            self._ask(now)
        return self._offset

    def _ask(self, now: float) -> None:
        correction = self._correction
        with suppress(RuntimeError):  # not known yet, or lost: whoever pulls gets to know
            correction = self._inlet.time_correction(timeout=0.0)
        if correction != self._correction:  # each answer differs by nanoseconds at least
            self._correction, self._changed = correction, now
            self.trouble = ""
        silent = now - self._changed
        if silent > self._patience and not self.trouble:
            self._patience = UNANSWERED_AGAIN_S
            known = "is not answered any more" if self._correction is not None else "cannot be asked"
            self.trouble = f"the device's clock {known} (is UDP blocked?); its samples are timed by when they arrive"
        if self._correction is None or (self.trouble and silent > OUTDATED_S):
            self._offset = None
        else:
            self._offset = self._correction + _monotonic_minus_lsl(self._lsl)


def _monotonic_minus_lsl(lsl: Any) -> float:
    """How far this host's monotonic clock is from its LSL clock, s: by the closest of some looks."""
    looks = []
    for _ in range(3):
        before, there, after = time.monotonic(), lsl.local_clock(), time.monotonic()
        looks.append((after - before, (before + after) / 2 - there))
    return float(min(looks)[1])
