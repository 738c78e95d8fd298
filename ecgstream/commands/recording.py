"""The record that a command reads, and the recorder of what it makes."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError

if TYPE_CHECKING:
    from stream.sinks.recorder import Recorder
    from stream.sources.record import Record


def open_input(path: Path | None, leads: str | None, mapping: list[str] | None) -> tuple["Record", tuple[str, ...]]:
    """The record, the bundled one if none is named, and the leads of it that are the input."""
    from ecgstream.records import BUNDLED
    from engine.leads import parse, parse_map
    from stream.sources.record import open_record, select

    wanted = None if leads is None else parse(leads)
    record = open_record(path or BUNDLED, parse_map(mapping or ()))
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
        force=force,
    )
