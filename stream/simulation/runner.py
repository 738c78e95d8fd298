"""A run of a simulated device: each packet when it is due, and an account of all of it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from msgspec import Struct

from stream import LONGEST_WAIT_S
from stream.simulation.device import Device, Faults
from stream.simulation.faults import Delivery, Fate, deliveries
from stream.simulation.journal import Journal, header_of
from stream.simulation.packets import Packet, packets
from stream.simulation.senders import Sender
from stream.simulation.signal import Signal

LISTENER_S = 0.02
"""How often it is looked whether anybody listens."""
FAREWELL_S = 0.2
"""What was sent last has so long to leave: LSL drops what it still holds when an outlet is closed."""


class Account(Struct, kw_only=True):
    """What a run came to.

    Attributes
    ----------
    seconds : float
        Of the device's own timeline.
    packets : int
        Those it made.
    sent : int
        Those that were sent, each counted once.
    lost, burst, unplugged, refused : int
        Those that were not, by the reason: see `Fate`.
    duplicated, reordered : int
        Those that were sent twice, and those that were sent after the one that follows them.
    samples : int
        Those in the packets that were sent, each counted once.
    clipped : int
        Values that did not fit into the format.
    latest_ms : float
        How long after it was due a packet was sent, at most.
    """

    seconds: float = 0.0
    packets: int = 0
    sent: int = 0
    lost: int = 0
    burst: int = 0
    unplugged: int = 0
    refused: int = 0
    duplicated: int = 0
    reordered: int = 0
    samples: int = 0
    clipped: int = 0
    latest_ms: float = 0.0

    def count(self, delivery: Delivery) -> None:
        """What has become of one more packet."""
        packet, fate = delivery.packet, delivery.fate
        if fate & Fate.DUPLICATE:
            self.duplicated += not fate & Fate.REFUSED
            return
        self.packets += 1
        self.lost += bool(fate & Fate.LOST)
        self.burst += bool(fate & Fate.BURST)
        self.unplugged += bool(fate & Fate.UNPLUGGED)
        self.refused += bool(fate & Fate.REFUSED)
        self.reordered += bool(fate & Fate.REORDERED)
        self.clipped += packet.clipped
        if not delivery.is_gone:
            self.sent += 1
            self.samples += len(packet.values)


@dataclass(frozen=True)
class Run:
    """All that a run needs.

    Attributes
    ----------
    signal : Signal
        What the device measures.
    device, faults
        What it is, and what is the matter with it.
    sender : Sender
        Where it sends to.
    to, record : str
        The same and what is measured, for people.
    n_samples : int or None
        When it ends, if not with the signal.
    journal : Journal or None
        Where it is written what was sent.
    with_samples : bool
        Whether the samples are written there too.
    wait : bool
        Whether it begins only when somebody listens.
    """

    signal: Signal
    device: Device
    faults: Faults
    sender: Sender
    to: str
    record: str
    n_samples: int | None = None
    journal: Journal | None = None
    with_samples: bool = False
    wait: bool = False

    def until(self, stop: threading.Event, say: Callable[[str], None]) -> Account:
        """Send until the end, or soon after `stop` is set.

        Parameters
        ----------
        stop : Event
            Ends it.
        say : callable
            Takes a line for people.

        Raises
        ------
        SinkError
            If it cannot be sent, or the journal cannot be written.
        SourceError
            If the record cannot be read.
        """
        account = Account()
        self.signal.read(0, 1)  # it loads libraries, which would make the first packets late
        try:
            self.sender.open()
            say(
                f"sending {', '.join(self.device.channels)} of {self.record} at {self.device.rate:g} Hz to {self.to}; "
                "Ctrl-C ends it"
            )
            if self.wait:
                self._wait_for_a_listener(stop)
            if not stop.is_set():
                self._send(stop, say, account)
                time.sleep(FAREWELL_S)
        finally:
            self.sender.close()
            if self.journal:
                self.journal.close()
        return account

    def _wait_for_a_listener(self, stop: threading.Event) -> None:
        while not self.sender.is_heard() and not stop.is_set():
            time.sleep(LISTENER_S)

    def _send(self, stop: threading.Event, say: Callable[[str], None], account: Account) -> None:
        made = packets(self.signal, self.device, n_samples=self.n_samples, seed=self.faults.seed)
        is_plugged = True
        began, epoch = self._begin()
        for delivery in deliveries(made, self.device, self.faults, epoch=epoch):
            is_off = bool(delivery.fate & Fate.UNPLUGGED)
            if not is_off and not is_plugged:  # at once, not when its first packet is due
                self.sender.open()
                is_plugged = True
                say(f"at {_time(delivery.packet, self.device)} plugged in again")
            if not _wait_until(began + delivery.due, stop):
                return
            if is_off and is_plugged:
                self.sender.close()
                is_plugged = False
                say(f"at {_time(delivery.packet, self.device)} unplugged")
            if delivery.packet.clipped and not account.clipped:
                say(f"at {_time(delivery.packet, self.device)} values do not fit into {self.device.format}: clipped")
            self._hand_over(delivery, began, account)
            account.seconds = delivery.packet.end / self.device.rate

    def _begin(self) -> tuple[float, float]:
        """When, by this host's monotonic clock and by the device's."""
        began, epoch = time.monotonic(), self.sender.clock()
        if self.journal:
            header = header_of(
                self.device,
                to=self.to,
                record=self.record,
                seed=self.faults.seed,
                has_samples=self.with_samples,
                began=began,
                unix=time.time(),
                epoch=epoch,
            )
            self.journal.begin(header)
        return began, epoch

    def _hand_over(self, delivery: Delivery, began: float, account: Account) -> None:
        if not delivery.is_gone and not self.sender.has_room():
            delivery = replace(delivery, fate=delivery.fate | Fate.REFUSED)
        now = None if delivery.is_gone else time.monotonic()
        if self.journal:
            self.journal.write(delivery, now)
        if now is not None:
            self.sender.send(delivery)
            account.latest_ms = max(account.latest_ms, 1000 * (now - began - delivery.due))
        account.count(delivery)


def _time(packet: Packet, device: Device) -> str:
    return f"{packet.index / device.rate:.1f} s"


def _wait_until(deadline: float, stop: threading.Event) -> bool:
    """Whether the time has come, and not the end.

    It does not wait for `stop`: this is the thread in which a signal sets it, and would then hold its lock already.
    """
    while not stop.is_set():
        left = deadline - time.monotonic()
        if left <= 0:
            return True
        time.sleep(min(left, LONGEST_WAIT_S))
    return False
