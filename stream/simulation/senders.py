"""How a simulated device reaches the network: what every way there can do."""

from typing import Protocol

from stream.simulation.faults import Delivery


class Sender(Protocol):
    """A way to the network, used by one thread."""

    def open(self) -> None:
        """Be there, as a new one; may raise what prevents it."""

    def close(self) -> None:
        """Be gone; what was sent has a moment to arrive."""

    def clock(self) -> float:
        """What the device's clock would show now if it ran as this host's: s."""

    def is_heard(self) -> bool:
        """Whether anybody listens, where that can be known; else True."""

    def has_room(self) -> bool:
        """Whether what is sent now is taken, or held until it is."""

    def send(self, delivery: Delivery) -> None:
        """Send a packet; it never waits."""
