"""What becomes of packets on their way: a chain of small steps, each random in its own way. No clock, no I/O."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntFlag
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stream.items import lock
from stream.simulation.device import Burst, Device, Faults, Span, Stamping
from stream.simulation.packets import Packet

LOSS_KEY, REORDER_KEY, DUPLICATE_KEY, JITTER_KEY = 1, 2, 3, 4
"""With the seed: a fault that is turned on changes nothing of the others."""


class Fate(IntFlag):
    """What was done to a packet."""

    SENT = 0
    """Nothing but to send it."""
    LOST = 1
    """Lost by chance."""
    BURST = 2
    """Lost with all others for a while."""
    UNPLUGGED = 4
    """Lost because the device was unplugged."""
    REFUSED = 8
    """Lost because nobody took it: the queue of what is to be sent was full."""
    DUPLICATE = 16
    """Sent once more."""
    REORDERED = 32
    """Sent after the one that follows it."""


GONE = Fate.LOST | Fate.BURST | Fate.UNPLUGGED | Fate.REFUSED
"""Was not sent."""


@dataclass(frozen=True, slots=True)
class Session:
    """From being plugged in to being unplugged.

    Attributes
    ----------
    number : int
        How often the device had been plugged in before.
    first_packet, first_index : int
        The numbers of the first packet in it, sent or not, and of that one's first sample.
    """

    number: int = 0
    first_packet: int = 0
    first_index: int = 0


FIRST_SESSION = Session()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A packet and what becomes of it.

    Attributes
    ----------
    due : float
        When it is sent, or would have been: seconds of this host since the device began.
    packet : Packet
        Which.
    fate : Fate
        What was done to it.
    session : Session
        The one it belongs to; while the device is unplugged, the last.
    stamps : ndarray, (n,) float64, or None
        What the device's clock says of its samples, s; None if it gives no stamps.
    """

    due: float
    packet: Packet
    fate: Fate = Fate.SENT
    session: Session = FIRST_SESSION
    stamps: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        lock(self, "stamps")

    @property
    def is_gone(self) -> bool:
        """Whether it is not sent."""
        return bool(self.fate & GONE)


Deliveries = Iterable[Delivery]


def deliveries(packets: Iterable[Packet], device: Device, faults: Faults, *, epoch: float) -> Iterator[Delivery]:
    """All that becomes of all packets, in the order in which it happens.

    Every packet is in it once without `Fate.DUPLICATE`, those that are lost too.

    Parameters
    ----------
    packets : iterable of Packet
        What the device makes.
    device : Device
        Whose clock says when, and stamps.
    faults : Faults
        What is the matter.
    epoch : float
        What the device's clock showed at its first sample, s.
    """
    chance = partial(_generator, faults.seed)
    flow: Deliveries = punctual(packets, device)
    if faults.unplugs:
        flow = unplugged(flow, faults.unplugs, device.rate)
    if faults.burst:
        flow = lost_in_bursts(flow, faults.burst, device.rate)
    if faults.loss:
        flow = lost(flow, faults.loss, chance(LOSS_KEY))
    if faults.reorder:
        flow = reordered(flow, faults.reorder, chance(REORDER_KEY))
    if faults.duplicate:
        flow = duplicated(flow, faults.duplicate, chance(DUPLICATE_KEY))
    if faults.jitter_s:
        flow = delayed(flow, faults.jitter_s, chance(JITTER_KEY))
    return stamped(flow, device, epoch)


def punctual(packets: Iterable[Packet], device: Device) -> Iterator[Delivery]:
    """Each packet is due when its last sample has been taken, counted from the start: nothing adds up."""
    for packet in packets:
        yield Delivery(packet.end / device.rate / device.pace, packet)


def unplugged(flow: Deliveries, spans: tuple[Span, ...], rate: float) -> Iterator[Delivery]:
    """Packets that begin while the device is unplugged are lost; with the next it is another session."""
    begins, ends = zip(*(span.samples(rate) for span in spans), strict=True)
    session = FIRST_SESSION
    for delivery in flow:
        packet = delivery.packet
        number = bisect_right(ends, packet.index)
        if number != session.number:
            session = Session(number, packet.number, packet.index)
        is_off = number < bisect_right(begins, packet.index)
        yield replace(delivery, session=session, fate=Fate.UNPLUGGED if is_off else delivery.fate)


def lost_in_bursts(flow: Deliveries, burst: Burst, rate: float) -> Iterator[Delivery]:
    """Packets that begin within a burst are lost."""
    every, length = max(1, round(burst.every * rate)), max(1, round(burst.length * rate))
    for delivery in flow:
        turn, at = divmod(delivery.packet.index, every)
        yield _gone(delivery, Fate.BURST, turn > 0 and at < length)


def lost(flow: Deliveries, probability: float, chance: np.random.Generator) -> Iterator[Delivery]:
    """Each packet is lost with this probability."""
    for delivery in flow:
        yield _gone(delivery, Fate.LOST, chance.random() < probability)


def reordered(flow: Deliveries, probability: float, chance: np.random.Generator) -> Iterator[Delivery]:
    """With this probability a packet changes places with the next, where both are sent by the same device."""
    held: Delivery | None = None
    for delivery in flow:
        wanted = chance.random() < probability
        if held is not None:
            if delivery.is_gone or delivery.session != held.session:
                yield held
            else:
                yield delivery
                yield replace(held, due=delivery.due, fate=held.fate | Fate.REORDERED)
                held = None
                continue
            held = None
        if wanted and not delivery.is_gone:
            held = delivery
        else:
            yield delivery
    if held is not None:
        yield held


def duplicated(flow: Deliveries, probability: float, chance: np.random.Generator) -> Iterator[Delivery]:
    """With this probability a packet that is sent is sent once more, as it is."""
    for delivery in flow:
        yield delivery
        if chance.random() < probability and not delivery.is_gone:
            yield replace(delivery, fate=delivery.fate | Fate.DUPLICATE)


def delayed(flow: Deliveries, longest: float, chance: np.random.Generator) -> Iterator[Delivery]:
    """Each is sent up to `longest` s later, and never before the one ahead of it."""
    latest = 0.0
    for delivery in flow:
        latest = max(latest, delivery.due + chance.uniform(0, longest))
        yield replace(delivery, due=latest)


def stamped(flow: Deliveries, device: Device, epoch: float) -> Iterator[Delivery]:
    """With the device's stamps; those of a sample are true however late it is sent."""
    for delivery in flow:
        if device.stamping is Stamping.NONE:
            yield delivery
            continue
        packet = delivery.packet
        if device.stamping is Stamping.OWN:
            taken = np.arange(packet.index, packet.end) / device.rate
        else:
            taken = np.full(len(packet.values), delivery.due * device.pace)
        yield replace(delivery, stamps=device.clock(taken, epoch))


def _gone(delivery: Delivery, fate: Fate, is_gone: bool) -> Delivery:
    """What is gone already is gone for one reason."""
    return replace(delivery, fate=fate) if is_gone and not delivery.is_gone else delivery


def _generator(seed: int, key: int) -> np.random.Generator:
    return np.random.default_rng([seed, key])
