"""``ecgstream export``: a recording as files that other programs read."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.console import progress_bar, say
from ecgstream.commands.options import Force, Mapping, choose
from ecgstream.commands.recording import RECORD_HELP, Rate, Stream

EXAMPLE = "Example: ecgstream export out/record --to edf"


def export(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help=f"{RECORD_HELP}.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="What to write: edf or csv.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE|DIR", help="Where it goes; if not given beside the record."),
    ] = None,
    mapping: Mapping = None,
    rate: Rate = None,
    stream: Stream = None,
    force: Force = False,
) -> None:
    """Write a recording as CSV or EDF+, derived leads and notes too; EDF+ has a file for each stretch without a gap."""
    choose("--to", to, ("edf", "csv"))
    from ecgstream.exports.files import export as write
    from ecgstream.exports.survey import open_whole
    from engine.leads import DISCLAIMER
    from stream.channels import parse_map

    whole = open_whole(record, parse_map(mapping or ()), rate=rate, stream=stream)
    with progress_bar() as progress:
        task = progress.add_task(whole.record.name, total=1.0)
        paths = write(whole, out, to, force=force, report=lambda share: progress.update(task, completed=share))
    if whole.left_out:
        say(f"left out: {', '.join(map(str, whole.left_out))}; if one is a lead, say which with --map")
    print(f"written: {', '.join(map(str, paths[:3]))}{f' and {len(paths) - 3} more' if len(paths) > 3 else ''}")
    if whole.has_derived:
        print(DISCLAIMER)
