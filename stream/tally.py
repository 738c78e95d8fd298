"""What goes wrong with a source's clock, gathered: one that errs with each packet is told once a second."""

from dataclasses import dataclass

from stream.findings import Fault, Finding
from stream.items import Event, Kind

EVERY_S = 1.0


@dataclass(slots=True)
class _Entry:
    newest: Finding | None = None
    untold: int = 0
    value: float = 0.0
    told: float = -EVERY_S


class Tally:
    """Counts findings by their fault; times are seconds of one monotonic clock.

    Attributes
    ----------
    counts : dict of Fault to int
        How often each was found.
    """

    def __init__(self) -> None:
        self.counts: dict[Fault, int] = {}
        self._entries = {fault: _Entry() for fault in Fault}

    def add(self, finding: Finding) -> None:
        """Take a finding."""
        entry = self._entries[finding.fault]
        self.counts[finding.fault] = self.counts.get(finding.fault, 0) + 1
        entry.newest = finding
        entry.untold += 1
        entry.value += finding.value

    def told(self, now: float, index: int) -> list[Event]:
        """What is to be told now, each fault once a second, as events at an index (500 Hz)."""
        events = []
        for fault, entry in self._entries.items():
            if entry.newest is None or now - entry.told < EVERY_S:
                continue
            many = entry.untold > 1
            text = f"{entry.newest.text} ({entry.untold} times within a second)" if many else entry.newest.text
            value = entry.value if entry.newest.fault in SUMMED else entry.newest.value
            events.append(Event(index, KINDS.get(fault, Kind.CLOCK), text=text, value=value))
            entry.newest, entry.untold, entry.value, entry.told = None, 0, 0.0, now
        return events


KINDS = {Fault.GAP: Kind.GAP}
"""What is no matter of the clock."""
SUMMED = (Fault.GAP, Fault.DUPLICATE, Fault.REORDER, Fault.REFUSED)
"""Their values are numbers of samples."""
