"""The options of a live stream, and the order they come to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.options import parse_look_ahead, parse_threads
from engine.errors import UsageError

if TYPE_CHECKING:
    from ecgstream.live import Order

SOURCES = (
    "lsl://NAME, lsl://?source_id=ID&type=TYPE, zmq+tcp://HOST:PORT/BED (?pull: others push to it), zmq+ipc://PATH"
)

Leads = Annotated[
    str | None, typer.Option("--leads", metavar="I,II,V4", help="Leads to work from; all the stream has if not given.")
]
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=LEAD[:SCALE]",
        help="Lead that a channel is, by its name or number: A1=II, or with uV a count where it has no unit: "
        "3=V4:0.806uV; may be repeated.",
    ),
]
RecordTo = Annotated[
    Path | None,
    typer.Option("--record", metavar="DIR", help="Write the twelve leads, unfiltered, as a WFDB record named by time."),
]
Outs = Annotated[
    list[str] | None,
    typer.Option(
        "--out",
        metavar="SINK",
        help="Send the twelve leads on: lsl://NAME, zmq+tcp://HOST:PORT (?push: to one that pulls); may be repeated.",
    ),
]
Seconds = Annotated[float | None, typer.Option("--seconds", metavar="S", help="Stop so long after it was found.")]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="DIR",
        envvar="ECGSTREAM_KEYS",
        help="Let only those in whose keys are here (ecgstream keys new NAME), and encrypt.",
    ),
]
Key = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="This end's own key, for a server that asks for one.")
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Be open to anybody on the network: no keys, nothing encrypted.")
]


def make_order(
    source: str | None,
    *,
    leads: str | None,
    mapping: list[str] | None,
    look_ahead: int | None,
    record_to: Path | None,
    outs: list[str] | None,
    seconds: float | None,
    model: Path | None,
    threads: int,
    window: bool,
    keys: Path | None,
    key: Path | None,
    insecure: bool,
) -> "Order":
    """What a live run is asked to do.

    Raises
    ------
    UsageError
        If an option cannot be meant as it stands.
    """
    from ecgstream.live import Order
    from engine.leads import parse
    from stream.address import LslAddress, parse_out, parse_source
    from stream.channels import parse_map
    from stream.keys import Access

    if seconds is not None and not 0 < seconds < float("inf"):
        raise UsageError(f"--seconds {seconds:g}: give more than 0")
    addresses = tuple(parse_out(out) for out in outs or ())
    if len(set(addresses)) < len(addresses):
        raise UsageError("--out names the same place twice; name each once")
    address = LslAddress() if source is None else parse_source(source)
    if key is not None and all(isinstance(each, LslAddress) for each in (address, *addresses)):
        raise UsageError("--key is for ZeroMQ: LSL has no keys; leave it out")
    return Order(
        address=address,
        leads=None if leads is None else parse(leads),
        mapping=parse_map(mapping or ()),
        look_ahead=parse_look_ahead(look_ahead),
        folder=record_to,
        outs=addresses,
        seconds=seconds,
        model=model,
        threads=parse_threads(threads, window=window),
        access=Access(keys=keys, key=key, insecure=insecure),
    )
