"""Where samples come from: the protocol of a source."""

import threading
from collections.abc import Iterator
from typing import Protocol

from stream.items import Arrival, Notice


class Source(Protocol):
    """Something that sends the samples of one bed.

    Attributes
    ----------
    name : str
        What people call it.
    rate : float
        Nominal samples per second.
    leads : tuple of str
        The input: the leads it measures.
    patient : bool
        Whether it can wait: a file does, while a device goes on whether anybody listens or not.
    recorded : bool
        Whether it is a recording: its index is beyond doubt, and it was not taken now.
    """

    @property
    def name(self) -> str:
        """See the class."""

    @property
    def rate(self) -> float:
        """See the class."""

    @property
    def leads(self) -> tuple[str, ...]:
        """See the class."""

    @property
    def patient(self) -> bool:
        """See the class."""

    @property
    def recorded(self) -> bool:
        """See the class."""

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival | Notice]:
        """What comes, as it comes, until the stream's end or soon after `stop` is set; may raise what ended it."""
