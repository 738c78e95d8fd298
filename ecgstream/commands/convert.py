"""``ecgstream convert``: twelve leads of a whole record."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.console import print_summary, progress_bar
from ecgstream.commands.options import (
    AsJson,
    Force,
    Leads,
    LookAhead,
    Mapping,
    Model,
    Threads,
    parse_look_ahead,
    parse_threads,
)
from ecgstream.commands.recording import RECORD_HELP, Rate, Stream, make_recorder, open_input

EXAMPLE = "Example: ecgstream convert record.dat --leads I,II,V4 --out twelve/"


def convert(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help=f"{RECORD_HELP}.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the twelve-lead record goes.")],
    leads: Leads = None,
    look_ahead: LookAhead = None,
    mapping: Mapping = None,
    rate: Rate = None,
    stream: Stream = None,
    as_json: AsJson = False,
    model: Model = None,
    threads: Threads = 1,
    force: Force = False,
) -> None:
    """Make twelve leads of a whole record, as fast as it goes."""
    look_ahead_samples = parse_look_ahead(look_ahead)
    threads = parse_threads(threads)
    source, leads_in = open_input(record, leads, mapping, rate=rate, stream=stream)

    from threading import Event

    from ecgstream import conversion
    from ecgstream.interruption import interruptible
    from ecgstream.summary import summarise
    from engine.model import load
    from stream.bed import offline_bed
    from stream.sinks.account import Account
    from stream.sinks.comparison import Comparison

    engine = load(model, threads=threads)
    bed = offline_bed(engine, source.rate, leads_in, look_ahead=look_ahead_samples)
    comparison, account, stop = Comparison(), Account(), Event()
    with interruptible(stop) as interruption, progress_bar() as progress:
        recorder = make_recorder(out, source, leads_in, engine.name, force=force)
        task = progress.add_task(source.name, total=1.0)

        def report(share: float) -> bool:
            progress.update(task, completed=share)
            return not stop.is_set()

        conversion.convert(engine, source, leads_in, bed, [recorder, comparison, account], report)
    print_summary(
        summarise(source, leads_in, engine, bed, comparison, account=account, recorder=recorder), as_json=as_json
    )
    raise typer.Exit(interruption.exit_code or 0)
