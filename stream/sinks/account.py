"""What a run came to, in a few figures."""

from stream.items import Event, Gap, Item, Kind


class Account:
    """A sink that counts.

    Attributes
    ----------
    gaps, gap_samples : int
        Gaps, and how many indices (500 Hz) lay in them.
    lost : int
        Samples (at the source's rate) that the source's full queue dropped.
    beats : int
        R peaks.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.gap_samples = 0
        self.lost = 0
        self.beats = 0
        self._gap_end = -1

    def push(self, item: Item) -> None:
        """Take the next item; gaps that follow one another are one."""
        if isinstance(item, Gap):
            self.gaps += item.start != self._gap_end
            self.gap_samples += item.length
            self._gap_end = item.end
        elif isinstance(item, Event):
            self.lost += int(item.value or 0) if item.kind is Kind.DROPPED else 0
            self.beats += item.kind is Kind.BEAT

    def close(self) -> None:
        """Nothing to finish."""
