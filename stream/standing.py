"""What a stream has said and still holds: for who joins it late, or has not heard all of it."""

from stream.items import Event, Kind

MOST_SINKS = 20
"""Newest failures of sinks that are kept."""

_Matter = tuple[str, str]
"""What an event is about: the later of two events about one matter holds."""

_ENDS = {
    Kind.LEAD_OFF: Kind.LEAD_BACK,
    Kind.LIMB_DISAGREE: Kind.LIMB_AGREE,
    Kind.NOTICE: Kind.NOTICE,
}
"""What says that it does not hold any more."""


class Standing:
    """Follows the events of one stream and keeps those that hold."""

    def __init__(self) -> None:
        self._held: dict[_Matter, Event] = {}

    @property
    def events(self) -> tuple[Event, ...]:
        """Those that hold, oldest first."""
        return tuple(self._held.values())

    def take(self, event: Event) -> None:
        """Take the next event of the stream."""
        matter = _matter(event)
        if matter is None:
            return
        self._held.pop(matter, None)
        if _holds(event):
            self._held[matter] = event
        sinks = [matter for matter in self._held if matter[0] == Kind.SINK_FAILED]
        for oldest in sinks[:-MOST_SINKS]:
            del self._held[oldest]

    def missing(self, told: tuple[Event, ...], index: int) -> list[Event]:
        """The events that were not heard, given those that hold where the stream comes from.

        Parameters
        ----------
        told : tuple of Event
            What holds there.
        index : int
            What these events shall speak of.
        """
        held = {matter: event for event in told if (matter := _matter(event)) is not None and _holds(event)}
        ended = [
            Event(index, _ENDS[event.kind], event.lead)
            for matter, event in self._held.items()
            if matter not in held and event.kind in _ENDS
        ]
        begun = [
            Event(index, event.kind, event.lead, event.text, event.value)
            for matter, event in held.items()
            if not _is_same(self._held.get(matter), event)
        ]
        self._held = held
        return ended + begun


def _matter(event: Event) -> _Matter | None:
    """What an event is about; None if it only tells of a moment."""
    match event.kind:
        case Kind.SOURCE | Kind.NOTICE | Kind.FAILED:
            return event.kind, ""
        case Kind.LEAD_OFF | Kind.LEAD_BACK:
            return Kind.LEAD_OFF, event.lead
        case Kind.LIMB_DISAGREE | Kind.LIMB_AGREE:
            return Kind.LIMB_DISAGREE, event.lead
        case Kind.BEAT | Kind.RATE_LOST:
            return Kind.RATE_LOST, ""
        case Kind.SINK_FAILED:
            return Kind.SINK_FAILED, event.text
    return None


def _holds(event: Event) -> bool:
    """Whether it says that something is so, not that it is so no more."""
    return event.kind not in (Kind.LEAD_BACK, Kind.LIMB_AGREE, Kind.BEAT) and (
        event.kind is not Kind.NOTICE or event.text != ""
    )


def _is_same(one: Event | None, other: Event) -> bool:
    return one is not None and (one.kind, one.lead, one.text) == (other.kind, other.lead, other.text)
