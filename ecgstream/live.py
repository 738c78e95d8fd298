"""A live run: find the stream, derive or relay it, give it to its sinks, and account for it at the end."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ecgstream.commands.console import say
from ecgstream.summary import Network, Progress, Summary, summarise
from engine.errors import EcgStreamError, UsageError
from engine.leads import RATE
from engine.model import load, load_manifest
from stream import liblsl
from stream.address import Address, LslAddress
from stream.bed import Bed
from stream.channels import Assignment
from stream.items import Event, Item, Kind
from stream.keys import Access
from stream.latency import Latency
from stream.relay import Relay
from stream.sinks import Sink
from stream.sinks.account import Account
from stream.sinks.comparison import Comparison
from stream.sinks.outbox import Direct, Outbox, Outlet
from stream.sinks.recorder import Recorder
from stream.sinks.socket import Publisher
from stream.sources import Source
from stream.sources.socket import Listener, SocketSource, open_socket
from stream.supervisor import State
from stream.ward import Ward
from stream.wire import About

TAKEN_S = 1.0
"""How long is listened for a stream that has the name of a new one."""


@dataclass(frozen=True)
class Order:
    """What a live run is asked to do.

    Attributes
    ----------
    address : LslAddress or ZmqAddress
        Where the stream is.
    leads : tuple of str or None
        The input; None takes what there is.
    mapping : tuple of Assignment
        What people say of its channels.
    look_ahead : int or None
        Samples (500 Hz) an estimate waits for; the model's own if None.
    folder : Path or None
        Where the record goes, if there is to be one.
    outs : tuple of LslAddress or ZmqAddress
        Where else the twelve leads go.
    seconds : float or None
        For how long, once it is found.
    model : Path or None
        Manifest of the model.
    threads : int
        That the network runs on.
    access : Access
        Keys of ZeroMQ's ends.
    """

    address: Address
    leads: tuple[str, ...] | None = None
    mapping: tuple[Assignment, ...] = ()
    look_ahead: int | None = None
    folder: Path | None = None
    outs: tuple[Address, ...] = ()
    seconds: float | None = None
    model: Path | None = None
    threads: int = 1
    access: Access = field(default_factory=Access)


@dataclass(frozen=True)
class Found:
    """The stream that was found, and what derives it.

    Attributes
    ----------
    path : str
        Where it is, as it was typed.
    name : str
        What people call it.
    rate : float
        Of the source, Hz.
    leads_in : tuple of str
        The measured leads.
    model, backend : str
        What estimates.
    look_ahead_ms : float
        How long an estimate waits for later samples.
    synthetic : bool
        Whether it is no person's.
    remote : str
        The endpoint of a stream that is derived there; empty where it is derived here.
    """

    path: str
    name: str
    rate: float
    leads_in: tuple[str, ...]
    model: str
    backend: str
    look_ahead_ms: float
    synthetic: bool
    remote: str = ""


@dataclass
class Elsewhere:
    """What stands for the engine and the bed of a stream that is derived elsewhere."""

    name: str
    backend_name: str
    settled: int
    look_ahead: int
    hop: int = 0
    frames: int = 0
    frames_skipped: int = 0


class Live:
    """One live run.

    Parameters
    ----------
    order : Order
        What to do.
    found : callable
        Called with what was found, before its first item.
    outlets : sequence of Outlet
        Get all items beside the sinks of the order, and what is said while the stream is searched for.

    Attributes
    ----------
    stop : Event
        Ends the run.
    summary : Summary or None
        Of a run whose stream was found, at its end.
    error : Exception or None
        What ended it, if not its stream's end or `stop`.

    Raises
    ------
    ModelError
        If there is no such model.
    """

    def __init__(self, order: Order, found: Callable[[Found], None], outlets: Sequence[Outlet]) -> None:
        load_manifest(order.model)  # what is wrong with it is said before anything is searched for
        self.stop = threading.Event()
        self.summary: Summary | None = None
        self.error: Exception | None = None
        self._order = order
        self._found = found
        self._outlets = list(outlets)

    def run(self) -> None:
        """Do it, until the stream's end or until `stop` is set. Nothing is raised: see `error`."""
        try:
            source = self._search()
            if source is not None:
                self._follow(source)
            else:
                self._end(Event(0, Kind.SOURCE, text=State.ENDED))
        except Exception as error:  # told by whoever started the run
            self.error = error
            text = str(error) if isinstance(error, EcgStreamError) else f"{type(error).__name__}: {error}"
            self._end(Event(0, Kind.FAILED, text=text))

    def _search(self) -> Source | Listener | None:
        order = self._order
        if isinstance(order.address, LslAddress):
            liblsl.load()
            from stream.sources import lsl

            return lsl.find(order.address, order.mapping, order.leads, self.stop, self._say)
        return open_socket(
            order.address, order.mapping, order.leads, access=order.access, stop=self.stop, say=self._say
        )

    def _say(self, text: str) -> None:
        self._tell(Event(0, Kind.NOTICE, text=text))

    def _tell(self, item: Item) -> None:
        for outlet in self._outlets:
            outlet.push(item, self.stop)

    def _end(self, last: Event) -> None:
        self._tell(last)
        for outlet in self._outlets:
            outlet.close()
        for outlet in self._outlets:
            outlet.wait(self.stop)

    def _follow(self, source: Source | Listener) -> None:
        self._say("")
        timer = threading.Timer(self._order.seconds, self.stop.set) if self._order.seconds else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            self._relay(source) if isinstance(source, Listener) else self._derive(source)
        except BaseException:
            if isinstance(source, Listener | SocketSource):
                source.close()  # an LSL stream is opened only when it is begun
            raise
        finally:
            if timer:
                timer.cancel()

    def _derive(self, source: Source) -> None:
        order = self._order
        engine = load(order.model, threads=order.threads)
        bed = Bed(engine, source.rate, source.leads, name=source.name, look_ahead=order.look_ahead)
        found = Found(
            path=str(order.address),
            name=source.name,
            rate=source.rate,
            leads_in=source.leads,
            model=engine.name,
            backend=engine.backend_name,
            look_ahead_ms=1000 * bed.look_ahead / RATE,
            synthetic=bool(getattr(source, "synthetic", False)),
        )
        sinks = Sinks(found, order)
        self._found(found)
        ward = Ward(engine, stop=self.stop)
        place = ward.admit(bed, source, [*sinks.outlets, *self._outlets])
        ward.start()
        try:
            ward.wait()
        finally:
            self.error = place.error
            faults = {str(fault): count for fault, count in place.faults.items()}
            self.summary = sinks.summary(engine, bed, place.latency, place.failures, faults)

    def _relay(self, listener: Listener) -> None:
        order, about = self._order, listener.about
        if order.leads or order.mapping or order.look_ahead is not None or order.model:
            raise UsageError(
                f"{order.address} is derived already, from {' '.join(about.leads_in)}: leave out --leads, --map, "
                "--look-ahead and --model"
            )
        found = Found(
            path=str(self._order.address),
            name=about.name,
            rate=about.rate,
            leads_in=about.leads_in,
            model=about.model,
            backend=about.backend,
            look_ahead_ms=about.look_ahead_ms,
            synthetic=about.synthetic,
            remote=str(self._order.address).partition("://")[2].partition("/")[0],
        )
        sinks = Sinks(found, self._order)
        self._found(found)
        relay = Relay(listener, [*sinks.outlets, *self._outlets], self.stop)
        relay.start()
        relay.wait()
        self.error = relay.error
        look_ahead = round(about.look_ahead_ms * RATE / 1000)
        elsewhere = Elsewhere(about.model, about.backend, relay.settled - (relay.began or 0), look_ahead)
        self.summary = sinks.summary(elsewhere, elsewhere, None, relay.failures, {})


class Sinks:
    """The sinks of a run, and what they came to.

    Parameters
    ----------
    found : Found
        The stream.
    order : Order
        Says which.

    Attributes
    ----------
    outlets : list of Outlet
        The ways to them.
    """

    def __init__(self, found: Found, order: Order) -> None:
        self._input = found
        self._comparison, self._account = Comparison(), Account()
        self._recorder = _recorder(order.folder, found) if order.folder else None
        self.outlets: list[Outlet] = [Direct(self._comparison, "comparison"), Direct(self._account, "account")]
        writing: dict[str, Sink] = {"recorder": self._recorder} if self._recorder else {}
        try:
            for out in order.outs:
                writing[str(out)] = _sender(out, found, order.access)
        except BaseException:
            for sink in writing.values():
                sink.close()
            raise
        self.outlets += [Outbox(sink, name) for name, sink in writing.items()]

    def summary(
        self,
        engine: Network,
        progress: Progress,
        latency: Latency | None,
        failures: Sequence[str],
        faults: Mapping[str, int],
    ) -> Summary:
        """What the run came to."""
        return summarise(
            self._input,
            self._input.leads_in,
            engine,
            progress,
            self._comparison,
            account=self._account,
            latency=latency,
            recorder=self._recorder,
            failures=failures,
            faults=faults,
        )


def _recorder(folder: Path, found: Found) -> Recorder:
    began = datetime.now(UTC)
    comments = [f"derived by ecgstream {version('ecgstream')}, model {found.model}, from {found.path}"]
    if found.synthetic:
        comments.insert(0, "SYNTHETIC: nobody was recorded.")
    return Recorder(folder, f"{found.name}_{began:%Y%m%dT%H%M%S}", leads_in=found.leads_in, comments=comments)


def _sender(out: Address, found: Found, access: Access) -> Sink:
    if isinstance(out, LslAddress):
        pylsl = liblsl.load()
        if pylsl.resolve_byprop("name", out.name, 1, timeout=TAKEN_S):
            raise UsageError(f"there is an LSL stream {out.name} already; choose another name for --out")
        from stream.sinks.lsl import Broadcast

        return Broadcast(
            out.name,
            leads_in=found.leads_in,
            model=found.model,
            look_ahead_ms=found.look_ahead_ms,
            source=found.path,
            synthetic=found.synthetic,
        )
    about = About(
        bed=out.bed or found.name,
        name=found.name,
        leads_in=found.leads_in,
        rate=found.rate,
        model=found.model,
        backend=found.backend,
        look_ahead_ms=found.look_ahead_ms,
        synthetic=found.synthetic,
    )
    return Publisher(replace(out, bed=about.bed), about, access)


class Log:
    """A sink that tells people on the standard error what happens, where there is no screen."""

    def push(self, item: Item) -> None:
        """Take the next item."""
        if isinstance(item, Event) and item.kind in LOGGED and (item.text or item.lead):
            words = item.text if item.kind in (Kind.SOURCE, Kind.NOTICE) else f"{item.kind} {item.lead} {item.text}"
            say(f"{item.index / RATE:.1f} s: {' '.join(words.split())}")

    def close(self) -> None:
        """Nothing to finish."""


LOGGED = (
    Kind.SOURCE,
    Kind.NOTICE,
    Kind.CLOCK,
    Kind.GAP,
    Kind.DROPPED,
    Kind.LATE,
    Kind.LEAD_OFF,
    Kind.LEAD_BACK,
    Kind.LIMB_DISAGREE,
    Kind.LIMB_AGREE,
    Kind.SINK_FAILED,
)
"""What somebody who looks after a headless engine wants to read; what failed is said at the end."""
