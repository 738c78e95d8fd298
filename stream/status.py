"""How a bed is doing, in a few words and figures, told by its stream alone: any sink can keep it."""

from dataclasses import dataclass, replace

from engine.leads import INDEX, RATE
from stream.items import Event, Item, Kind
from stream.supervisor import State

FAILED = "failed"
"""Beside the states of a source: the stream has stopped for a reason."""

MOST_FAILURES = 20
"""Newest failures that are kept."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a bed is doing.

    Attributes
    ----------
    state : str
        One of `stream.supervisor.State`, or ``failed``.
    message : str
        One line for people where the state needs one (the error of a failed run), else empty.
    latency_ms : float or None
        Arrival of a sample to its estimate, recent median.
    frames_skipped : int
        Frames left out because the engine was late.
    lost : int
        Samples (at the source's rate) that the source's full queue dropped.
    dropped : int
        Blocks this sink did not take in time.
    heart_rate : float or None
        Beats per minute; None when unsure.
    why_no_rate : str
        Why there is no heart rate, where that is known.
    leads_off : tuple of str
        Leads of the input that carry no signal at present, in the order of `engine.leads.LEADS`.
    limb_leads : tuple of str
        Redundant limb leads that disagree with the others at present.
    failures : tuple of str
        Sinks that failed lately and why, oldest first, each once.
    notice : str
        What the source says of itself: what is wrong with it and what to do; empty while nothing is.
    clock : str
        What went wrong last with the source's count or stamps.
    clock_faults : int
        How often anything did.
    time : float or None
        When the sample at `time_index` was taken: Unix time in s by the clock of the host whose ward this is.
    time_index : int
        Sample index (500 Hz).
    """

    state: str = State.SEARCHING
    message: str = ""
    latency_ms: float | None = None
    frames_skipped: int = 0
    lost: int = 0
    dropped: int = 0
    heart_rate: float | None = None
    why_no_rate: str = ""
    leads_off: tuple[str, ...] = ()
    limb_leads: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    notice: str = ""
    clock: str = ""
    clock_faults: int = 0
    time: float | None = None
    time_index: int = 0

    def time_of(self, index: int) -> float | None:
        """When the sample at an index was taken, as `time` is; None where that is not known."""
        return None if self.time is None else self.time + (index - self.time_index) / RATE

    def age_ms(self, now: float, settled: int) -> float | None:
        """How old the newest settled sample is.

        Parameters
        ----------
        now : float
            Unix time in s by this host's clock; what it differs from that of the ward's host is in the result.
        settled : int
            Sample index (500 Hz) after that sample.

        Returns
        -------
        float or None
            ms; None where no time is known.
        """
        taken = self.time_of(settled - 1)
        return None if taken is None else 1000 * (now - taken)


def after(status: Status, item: Item) -> Status:
    """The status once an item of the stream has come."""
    if not isinstance(item, Event):
        return status
    match item.kind:
        case Kind.SOURCE:
            notice = "" if item.text == State.ENDED else status.notice  # it spoke of what would still come
            return status if status.state == FAILED else replace(status, state=item.text, notice=notice)
        case Kind.FAILED:
            return replace(status, state=FAILED, message=item.text, notice="")
        case Kind.NOTICE:
            return replace(status, notice=item.text)
        case Kind.TIME:
            return replace(status, time=item.value, time_index=item.index)
        case Kind.CLOCK:
            return replace(status, clock=item.text, clock_faults=status.clock_faults + 1)
        case Kind.LATENCY:
            return replace(status, latency_ms=item.value)
        case Kind.LATE:
            return replace(status, frames_skipped=status.frames_skipped + int(item.value or 0))
        case Kind.DROPPED:
            return replace(status, lost=status.lost + int(item.value or 0))
        case Kind.BEAT:
            return replace(status, heart_rate=item.value, why_no_rate=item.text)
        case Kind.RATE_LOST:
            return replace(status, heart_rate=None, why_no_rate=item.text)
        case Kind.LEAD_OFF:
            return replace(status, leads_off=_with(status.leads_off, item.lead))
        case Kind.LEAD_BACK:
            return replace(status, leads_off=_without(status.leads_off, item.lead))
        case Kind.LIMB_DISAGREE:
            return replace(status, limb_leads=_with(status.limb_leads, item.lead))
        case Kind.LIMB_AGREE:
            return replace(status, limb_leads=_without(status.limb_leads, item.lead))
        case Kind.SINK_FAILED if item.text not in status.failures:
            return replace(status, failures=(*status.failures, item.text)[-MOST_FAILURES:])
    return status


def _with(leads: tuple[str, ...], lead: str) -> tuple[str, ...]:
    return tuple(sorted({*leads, lead}, key=INDEX.__getitem__))


def _without(leads: tuple[str, ...], lead: str) -> tuple[str, ...]:
    return tuple(other for other in leads if other != lead)
