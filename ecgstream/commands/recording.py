"""The recording that a command reads, and the recorder of what it makes."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError

if TYPE_CHECKING:
    from stream.sinks.recorder import Recorder
    from stream.sources.record import Record

RECORD_HELP = "WFDB record (x.hea, x.dat or x), x.edf, x.bdf, x.xdf or x.csv"

Rate = Annotated[
    float | None,
    typer.Option("--rate", metavar="HZ", help="Samples per second of a CSV that has no column of times."),
]
Stream = Annotated[
    str | None,
    typer.Option("--stream", metavar="NAME", help="Of an XDF file that holds several: its name or number."),
]


def open_input(
    path: Path | None, leads: str | None, mapping: list[str] | None, *, rate: float | None, stream: str | None
) -> tuple["Record", tuple[str, ...]]:
    """The recording, the bundled one if none is named, and the leads of it that are the input."""
    from ecgstream.records import BUNDLED
    from engine.leads import parse
    from stream.channels import parse_map
    from stream.sources.record import open_record, select

    wanted = None if leads is None else parse(leads)
    record = open_record(path or BUNDLED, parse_map(mapping or ()), rate=rate, stream=stream)
    return record, select(record, wanted)


def make_recorder(folder: Path, source: "Record", leads_in: tuple[str, ...], model: str, *, force: bool) -> "Recorder":
    """A recorder whose header says what the recording was made of.

    Raises
    ------
    UsageError
        If it would write beside the record that is read.
    """
    from stream.sinks.recorder import Recorder

    if folder.resolve() == source.path.parent.resolve():
        raise UsageError(f"{folder} holds the record that is read; choose another folder")
    comments = [f"derived by ecgstream {version('ecgstream')}, model {model}, from {source.name}"]
    if source.synthetic:
        comments.insert(0, "SYNTHETIC: nobody was recorded.")
    return Recorder(
        folder,
        source.name,
        leads_in=leads_in,
        gain=source.gain,
        comments=comments,
        inputs=source.files,
        begun=source.began,
        force=force,
    )
