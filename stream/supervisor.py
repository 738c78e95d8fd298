"""Whether a source is alive: a pure state machine, told what happened and when."""

from enum import StrEnum

STALE_S = 1.0
"""Nothing for so long is stale, or nothing for three of the source's own packets, if that is longer."""
STALE_PACKETS = 3
LOST_S = 10.0
"""Stale for so long is lost."""


class State(StrEnum):
    """How a source is."""

    SEARCHING = "searching"
    """Nothing has come yet."""
    LIVE = "live"
    NO_SIGNAL = "no signal"
    """Samples come and say nothing: every lead is off or missing."""
    STALE = "stale"
    """Nothing has come for a while."""
    LOST = "lost"
    """Nothing has come for long."""
    BACK = "back"
    """The first samples after it was lost."""
    ENDED = "ended"


class Supervisor:
    """Follows the state of a source. Times are seconds of one monotonic clock.

    Attributes
    ----------
    state : State
        At present.
    """

    def __init__(self) -> None:
        self.state = State.SEARCHING
        self._newest: float | None = None
        self._packet_s = 0.0

    def arrived(self, now: float, *, packet_s: float, signal: bool) -> State | None:
        """Samples have come.

        Parameters
        ----------
        now : float
            When.
        packet_s : float
            How long a time they tell of.
        signal : bool
            Whether any lead has said anything within the last second of samples.

        Returns
        -------
        State or None
            The new state, if it has changed.
        """
        if self.state is State.ENDED:
            return None
        self._newest, self._packet_s = now, packet_s
        if self.state is State.LOST:
            return self._become(State.BACK)
        return self._become(State.LIVE if signal else State.NO_SIGNAL)

    def passed(self, now: float) -> State | None:
        """Time has passed and nothing has come; the new state, if it has changed."""
        if self._newest is None or self.state in (State.LOST, State.ENDED):
            return None
        silence = now - self._newest
        stale = max(STALE_S, STALE_PACKETS * self._packet_s)
        if silence >= stale + LOST_S:
            return self._become(State.LOST)
        return self._become(State.STALE) if silence >= stale else None

    def ended(self) -> State | None:
        """Nothing will come any more; the new state, if it has changed."""
        return self._become(State.ENDED)

    def _become(self, state: State) -> State | None:
        if state is self.state:
            return None
        self.state = state
        return state
