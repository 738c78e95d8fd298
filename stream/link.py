"""One end of a ZeroMQ connection: its limits and its keys, and how it is with it, in words for people."""

import contextlib
import errno
import os
import secrets
import socket as sockets
import stat
import struct
import time
from pathlib import Path

import zmq
from zmq import Event, SocketType

from engine.errors import UsageError
from stream.address import ZmqAddress
from stream.keys import Access, Gate
from stream.wire import MOST_BYTES

SENT, RECEIVED = 1000, 250
"""Messages that wait at most at the end that sends, and at the end that receives: who sends is trusted more."""
LARGEST_BYTES = 2 * MOST_BYTES
"""Of a part: larger ones end their connection. Between is what a message may not have: it is refused and counted."""
HEARTBEAT_MS = 1000
SILENT_MS = 3000
"""Whoever does not answer a heartbeat for so long, or does not come to say who it is, is not there."""
RECONNECT_MS, RECONNECT_MOST_MS = 100, 1000
AGAIN_S = 3.0
"""After a refusal libzmq gives up, and it is tried anew after so long."""
RENEW_S = 1.0
"""How long a port may be held by the end that was just closed."""
ODD_HANDSHAKES = 3
"""One may fail because the other end has just gone; so many in a row have another reason."""

BOUND = (SocketType.PUB, SocketType.PULL)

_MISMATCH = 0x11000002
"""ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: one end uses keys, and the other does not."""
_FAILED = Event.HANDSHAKE_FAILED_NO_DETAIL | Event.HANDSHAKE_FAILED_PROTOCOL | Event.HANDSHAKE_FAILED_AUTH
_WATCHED = _FAILED | Event.HANDSHAKE_SUCCEEDED | Event.DISCONNECTED | Event.CLOSED

_BIND_HELP = {
    errno.EADDRINUSE: "another program listens there already; stop it, or choose another port",
    errno.EACCES: "that is not allowed; choose a port above 1023, or a folder that you can write to",
    errno.EADDRNOTAVAIL: "this machine has no such address; write one of its own, or 0.0.0.0 for all of them",
    errno.ENODEV: "this machine has no such address; write one of its own, or 0.0.0.0 for all of them",
    errno.ENOENT: "there is no such folder; make it, or choose another",
    errno.ENAMETOOLONG: "the path is too long; choose one of less than 100 characters",
}


class Link:
    """A socket of a context of its own; PUB and PULL are bound, SUB and PUSH connect.

    Parameters
    ----------
    address : ZmqAddress
        Where.
    kind : zmq.SocketType
        PUB, SUB, PUSH or PULL.
    access : Access
        The keys.

    Attributes
    ----------
    socket : zmq.Socket
        Replaced by `renew`.
    gate : Gate or None
        Who is let in, at an end that is bound with keys.
    is_connected : bool
        Whether an end that connects has found the other.
    trouble : str
        Of an end that connects: why it is not connected and what to do; empty while it is, or it has not been tried.
    refusal : str
        The same where trying again will not help.
    refused : int
        Connections that an end which is bound has not taken.
    why_refused : str
        The reason of the newest.

    Raises
    ------
    UsageError
        If it cannot be bound, or its keys cannot be read.
    """

    def __init__(self, address: ZmqAddress, kind: SocketType, access: Access) -> None:
        self.address = address
        self.gate: Gate | None = None
        self.trouble = self.refusal = ""
        self.refused = 0
        self.why_refused = ""
        self.is_bound = kind in BOUND
        self.is_connected = False
        self._kind = kind
        self._access = access
        self._endpoint = address.endpoint
        self._odd = 0
        self._again_at: float | None = None
        self._was_connected = False
        self._monitor: zmq.Socket[bytes] | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            if self.is_bound:
                access.check_bind(address)
                if access.keys is not None:
                    self.gate = Gate(self._context, access.keys)
            self.socket = self._open()
        except BaseException:
            self.close()
            raise
        if self.is_bound:
            # With the port that the system chose, if that was left to it.
            self._endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    @property
    def where(self) -> str:
        """The other end or this one, as people call it."""
        return self._endpoint.partition("://")[2]

    @property
    def monitor(self) -> "zmq.Socket[bytes] | None":
        """What to poll beside the socket, so that `watch` is called in time."""
        return self._monitor

    def watch(self) -> None:
        """Take notice of what has become of the connection; try again where libzmq does not."""
        while self._monitor is not None and self._monitor.poll(0):
            event, value = struct.unpack("=HI", self._monitor.recv_multipart()[0])
            if self.is_bound:
                self._happened_here(Event(event), value)
            else:
                self._happened(Event(event), value)
        if self._again_at is not None and time.monotonic() >= self._again_at:
            self._again_at = None
            with contextlib.suppress(zmq.ZMQError):  # libzmq may have forgotten it by itself
                self.socket.disconnect(self._endpoint)
            self.socket.connect(self._endpoint)

    def renew(self) -> None:
        """Close the end that is bound and bind it anew: every connection ends, and those that may come back do.

        Raises
        ------
        UsageError
            If another program was faster.
        """
        self._close_socket(0)
        deadline = time.monotonic() + RENEW_S
        while True:
            try:
                self.socket = self._open()
                return
            except UsageError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # libzmq closes in a thread of its own

    def close(self, linger_ms: int = 0) -> None:
        """End the connection; what was sent may still go out for so long."""
        if self._context.closed:
            return
        self._close_socket(linger_ms)
        if self.gate is not None:
            self.gate.close()
        self._context.term()

    def _open(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(self._kind)
        try:
            socket.linger = 0
            socket.sndhwm, socket.rcvhwm = SENT, RECEIVED
            socket.maxmsgsize = LARGEST_BYTES
            socket.heartbeat_ivl = HEARTBEAT_MS
            socket.heartbeat_timeout = socket.handshake_ivl = SILENT_MS
            socket.reconnect_ivl, socket.reconnect_ivl_max = RECONNECT_MS, RECONNECT_MOST_MS
            socket.ipv6 = "[" in self._endpoint
            self._access.secure(socket, binds=self.is_bound)
            if self._kind != SocketType.PUB:
                self._monitor = self._watched(socket)
            if self.is_bound:
                self._bind(socket)
            else:
                self._connect(socket)
        except BaseException:
            self._close_monitor(socket)
            socket.close(0)
            raise
        return socket

    def _watched(self, socket: "zmq.Socket[bytes]") -> "zmq.Socket[bytes]":
        """Where libzmq tells of the connection. Without a bound, as libzmq's own thread would wait for room in it."""
        endpoint = f"inproc://monitor-{secrets.token_hex(8)}"
        socket.monitor(endpoint, _FAILED if self.is_bound else _WATCHED)
        monitor = self._context.socket(zmq.PAIR)
        monitor.linger = monitor.rcvhwm = 0
        monitor.connect(endpoint)
        return monitor

    def _bind(self, socket: "zmq.Socket[bytes]") -> None:
        endpoint = self._endpoint.replace("tcp://localhost:", "tcp://127.0.0.1:")  # libzmq binds to no name
        try:
            if endpoint.startswith("ipc://"):
                _check_path(Path(endpoint.removeprefix("ipc://")))
            socket.bind(endpoint)
        except (OSError, zmq.ZMQError) as error:
            why = _BIND_HELP.get(error.errno or 0, f"{error.strerror}; choose another place")
            raise UsageError(f"cannot listen at {self.where}: {why}") from None

    def _connect(self, socket: "zmq.Socket[bytes]") -> None:
        try:
            socket.connect(self._endpoint)
        except zmq.ZMQError as error:
            raise UsageError(f"cannot connect to {self.where}: {error.strerror}; look at the address") from None

    def _close_socket(self, linger_ms: int) -> None:
        socket: zmq.Socket[bytes] | None = getattr(self, "socket", None)
        if socket is not None and not socket.closed:
            self._close_monitor(socket)
            socket.close(linger_ms)

    def _close_monitor(self, socket: "zmq.Socket[bytes]") -> None:
        if self._monitor is not None:
            socket.monitor(None, 0)
            self._monitor.close(0)
            self._monitor = None

    def _happened_here(self, event: Event, value: int) -> None:
        """A connection to this end has failed."""
        self.refused += 1
        if event is Event.HANDSHAKE_FAILED_AUTH:
            self.why_refused = "its key is not listed here"
        elif self.gate is not None:
            self.why_refused = "it has no key, or one that was made elsewhere"
        else:
            self.why_refused = "it uses a key or does not speak ZeroMQ; here no keys are used"

    def _happened(self, event: Event, value: int) -> None:
        """The connection of this end is made, or has failed or ended."""
        key = self._access.key
        if event is Event.HANDSHAKE_SUCCEEDED:
            self.trouble = self.refusal = ""
            self._odd = 0
            self.is_connected = self._was_connected = True
        elif event is Event.HANDSHAKE_FAILED_AUTH:
            self._refuse(f"{self.where} refused the key {key}; ask for one there: ecgstream keys new NAME")
        elif event is Event.HANDSHAKE_FAILED_PROTOCOL and value == _MISMATCH and key is None:
            self._refuse(
                f"{self.where} lets in nobody without a key; "
                "ask for one there (ecgstream keys new NAME), then add --key FILE"
            )
        elif event is Event.HANDSHAKE_FAILED_PROTOCOL and value == _MISMATCH:
            self._refuse(f"{self.where} uses no keys; leave out --key, or start it there with --keys DIR")
        elif event in _FAILED:
            self._odd += 1
            if event is Event.HANDSHAKE_FAILED_PROTOCOL:
                self._again_at = time.monotonic() + AGAIN_S
            is_sure = event is Event.HANDSHAKE_FAILED_PROTOCOL or self._odd >= ODD_HANDSHAKES
            if is_sure and not self._was_connected:  # if it was once all is right with it, and it hangs
                self.trouble = (
                    f"{self.where} does not answer as it should; is the port right?"
                    if key is None
                    else f"{self.where} does not take this connection; was the key {key} made there?"
                )
        elif event is Event.DISCONNECTED and self.is_connected:
            self.is_connected = False
            self.trouble = f"the connection to {self.where} is lost; trying again"
        elif event is Event.CLOSED and not self._was_connected and not self._odd:
            self.trouble = f"nothing listens at {self.where}; trying again"

    def _refuse(self, words: str) -> None:
        self.trouble = self.refusal = words
        self._again_at = time.monotonic() + AGAIN_S


def _check_path(path: Path) -> None:
    """Refuse what libzmq would put aside without a word: a file, or another program's socket."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(f"cannot listen at {path}: there is a file of that name; choose another path")
    with sockets.socket(sockets.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return  # nobody has listened there since its program ended
    raise OSError(errno.EADDRINUSE, "in use")
