"""A simulated device on ZeroMQ: it publishes to all who listen, or pushes to one that must not lose."""

import secrets
import time

import zmq

from engine.errors import UsageError
from stream import LONGEST_WAIT_S
from stream.address import ZmqAddress
from stream.keys import Access, Gate
from stream.simulation.device import Device, Unit
from stream.simulation.faults import Delivery
from stream.wire import MOST_NAME, MOST_SESSION, SYNTHETIC, Samples, encode

HELD_S = 10.0
"""Of real time, and `FEWEST_HELD` packets: what is held for a listener that is slow or, where it is pushed, away."""
FEWEST_HELD = 1000
HEARTBEAT_MS = 1000
"""So it is known that whoever listened is gone, though the network did not say so."""


class Socket:
    """See `Sender`: each time it is opened it is another session.

    Parameters
    ----------
    device : Device
        What is sent; its name is the bed.
    address : ZmqAddress
        Where.
    access : Access
        Who may listen, or what this end shows to whom it sends.

    Raises
    ------
    UsageError
        If the bed has no name that can be sent, or others could reach it and no keys keep them out.
    """

    def __init__(self, device: Device, address: ZmqAddress, access: Access) -> None:
        if len(device.name) > MOST_NAME or not device.name.isprintable():
            raise UsageError(
                f"a bed's name has at most {MOST_NAME} characters to be read; write zmq+tcp://HOST:PORT/BED"
            )
        if not address.queued:
            access.check_bind(address)
        self._device = device
        self._address = address
        self._access = access
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._gate: Gate | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._subscribed: set[bytes] = set()
        self._session = 0

    def open(self) -> None:
        """See `Sender.open`."""
        self._session = secrets.randbelow(MOST_SESSION)
        self._enter()

    def close(self) -> None:
        """See `Sender.close`; its place is free then."""
        if self._socket is not None:
            self._socket.close()
        if self._gate is not None:
            self._gate.close()
        if self._context is not None:
            self._context.term()  # no longer than the socket lingers
        self._context = self._gate = self._socket = None

    def clock(self) -> float:
        """See `Sender.clock`: Unix time."""
        return time.time()

    def is_heard(self) -> bool:
        """See `Sender.is_heard`: what is pushed is held until somebody takes it."""
        self._take_subscriptions()
        bed = self._device.name.encode()
        return self._address.queued or any(bed.startswith(topic) for topic in self._subscribed)

    def has_room(self) -> bool:
        """See `Sender.has_room`: what is published goes to whom can take it."""
        return self._socket is not None and bool(self._socket.poll(0, zmq.POLLOUT))

    def send(self, delivery: Delivery) -> None:
        """See `Sender.send`."""
        if self._socket is None:
            raise RuntimeError("the socket is not open")
        if self._gate is not None and self._gate.gone:
            self.close()  # who has got in with a key that is not listed any more is put out
            self._enter()
        self._take_subscriptions()
        packet, device = delivery.packet, self._device
        message = Samples(
            bed=device.name,
            session=self._session,
            sequence=packet.number - delivery.session.first_packet,
            index=packet.index - delivery.session.first_index,
            rate=device.rate,
            leads=device.channels,
            unit="" if device.unit is Unit.NONE else device.unit.value,
            samples=packet.values.T,
            time=0.0 if delivery.stamps is None else float(delivery.stamps[0]),
            flags=SYNTHETIC,
        )
        self._socket.send_multipart(encode(message), zmq.NOBLOCK)

    def _enter(self) -> None:
        binds = not self._address.queued
        self._context = zmq.Context()
        if binds and self._access.keys is not None:
            self._gate = Gate(self._context, self._access.keys)
        # XPUB is PUB that is told who listens.
        self._socket = self._context.socket(zmq.XPUB if binds else zmq.PUSH)
        packets_a_second = self._device.rate * self._device.pace / self._device.packet
        self._socket.sndhwm = max(FEWEST_HELD, int(HELD_S * packets_a_second))
        self._socket.linger = int(1000 * LONGEST_WAIT_S)
        self._socket.heartbeat_ivl = HEARTBEAT_MS
        endpoint = self._address.endpoint.replace("tcp://localhost:", "tcp://127.0.0.1:")  # libzmq binds to no name
        self._socket.ipv6 = "[" in endpoint
        self._subscribed.clear()
        try:
            self._access.secure(self._socket, binds=binds)
            (self._socket.bind if binds else self._socket.connect)(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(
                f"{self._address}: {zmq.strerror(error.errno or 0).lower()}; choose another place to send to"
            ) from error

    def _take_subscriptions(self) -> None:
        """What listeners have said since the last time."""
        if self._socket is None or self._address.queued:
            return
        while self._socket.poll(0, zmq.POLLIN):
            said = self._socket.recv()
            if said[:1] == b"\x01":
                self._subscribed.add(said[1:])
            elif said[:1] == b"\x00":
                self._subscribed.discard(said[1:])
