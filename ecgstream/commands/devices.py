"""``ecgstream devices``: the LSL streams on the network, and what to type to use each."""

import json
import shlex
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgstream.commands.options import AsJson
from engine.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from stream.sources.description import Described

EXAMPLE = "Example: ecgstream devices --wait 5"
LONGEST_WAIT_S = 60.0
NONE_FOUND = (
    "no LSL stream found: see that the device's program is running with its LSL output on, in this network, and that "
    "no firewall holds UDP port 16571 and TCP and UDP ports 16572 to 16604"
)


@dataclass(frozen=True, slots=True)
class Use:
    """What can be done with a stream.

    Attributes
    ----------
    leads : tuple of str
        The leads it is an input with, as it stands; empty if it is none.
    address : str
        What to type for it; empty if it can never be used, or if nothing tells it from another stream.
    maps : tuple of str
        Values of ``--map`` that would make it an input, if its leads and scale are right.
    why : str
        Why it is none as it stands.
    note : str
        What has to be put in place of something in them.
    """

    leads: tuple[str, ...] = ()
    address: str = ""
    maps: tuple[str, ...] = ()
    why: str = ""
    note: str = ""


def devices(
    wait: Annotated[float, typer.Option("--wait", metavar="S", help="How long to look for streams.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """List the LSL streams on the network: what each is, and what to type to use it."""
    if not 0 < wait <= LONGEST_WAIT_S:
        raise UsageError(f"--wait {wait:g}: give more than 0 and at most {LONGEST_WAIT_S:g} s")
    from stream.sources.announced import streams

    found = streams(wait)
    uses = uses_of(found)
    if as_json:
        print(json.dumps([_plain(stream, its) for stream, its in zip(found, uses, strict=True)], indent=2))
        return
    from rich.console import Console

    show(found, uses, Console())


def uses_of(found: "list[Described]") -> list[Use]:
    """What can be done with each of the streams."""
    from stream.channels import Refused
    from stream.sources.description import address_of

    uses = []
    for stream in found:
        try:
            uses.append(Use(stream.choose((), None).leads))
        except Refused as refused:
            uses.append(Use((), "", refused.maps, refused.why, refused.note))
    # What can never be used need not be told apart: an address means what can.
    among = [stream for stream, its in zip(found, uses, strict=True) if its.leads or its.maps]
    for place, stream in enumerate(found):
        if stream in among:
            meant = address_of(stream, among)
            why = "" if meant else "another stream is alike: stop one of them"
            uses[place] = replace(uses[place], address=str(meant or ""), why=uses[place].why or why)
    return uses


def show(found: "list[Described]", uses: list[Use], console: "Console") -> None:
    """Print the streams as a table, under it what each has, and what to type: commands, never broken into lines."""
    from rich.markup import escape
    from rich.table import Table

    if not found:
        console.print(NONE_FOUND, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("stream", "type", "source id", "rate", "format", "host"):
        table.add_column(heading, overflow="fold")
    for stream in found:
        rate = f"{stream.rate:g} Hz" if stream.rate else "irregular"
        words = (stream.name, stream.type, stream.source_id, rate, stream.format, stream.host)
        table.add_row(*(escape(word) for word in words))
    console.print(table)
    for stream, its in zip(found, uses, strict=True):
        mark = "[green]✓[/]" if its.leads and its.address else "[yellow]–[/]" if its.maps else "[red]✗[/]"
        console.print(f"\n{mark} [bold]{escape(stream.name)}[/]: {escape(_channels(stream))}", soft_wrap=True)
        for line in _lines(its):
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)


def command(its: Use) -> str:
    """The command that uses a stream."""
    options = [f"--map {shlex.quote(each)}" for each in its.maps]
    return " ".join(("ecgstream monitor", shlex.quote(its.address or "lsl://"), *options))


def _lines(its: Use) -> list[str]:
    if its.leads:
        return [f"usable as {', '.join(its.leads)}", command(its) if its.address else its.why]
    if not its.maps:
        return [f"not usable: {its.why}"]
    note = [f"({its.note})"] if its.note else []
    return [f"not usable as it stands: {its.why}", "say which leads they are, for example:", command(its), *note]


def _channels(stream: "Described") -> str:
    from stream.channels import listed

    return listed(stream.channels) if stream.answers else "its channels are not known"


def _plain(stream: "Described", its: Use) -> dict[str, Any]:
    facts = asdict(stream)
    return {
        **{word: facts[word] for word in ("name", "type", "source_id", "uid", "rate", "format", "host")},
        "channels": [
            {"label": each["label"], "unit": each["unit"], "type": each["kind"]} for each in facts["channels"]
        ],
        "usable": bool(its.leads and its.address),
        "leads": its.leads,
        "address": its.address,
        "map": its.maps,
        "why": its.why,
    }
