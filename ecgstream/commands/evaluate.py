"""``ecgstream evaluate``: a model judged."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Data, Force, Model, Threads, check_output, data_folder, need, parse_threads

EXAMPLE = "Example: ecgstream evaluate --data DATA --leads I,II,V4 --json out.json"


def evaluate(
    data: Data = None,
    records: Annotated[
        Path | None, typer.Option("--records", metavar="DIR", help="Instead: any folder of twelve-lead WFDB records.")
    ] = None,
    leads: Annotated[str, typer.Option("--leads", metavar="I,II,V4", help="Leads given to the model.")] = "I,II,V4",
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here.")] = None,
    model: Model = None,
    threads: Threads = 1,
    force: Force = False,
) -> None:
    """Judge the model on PTB-XL's test fold or your own records: offline, as streamed, beside the linear model."""
    from engine.leads import parse

    leads_in, threads = parse(leads), parse_threads(threads)
    if json_file:
        read = [*(records.rglob("*") if records else ()), *([model] if model else ())]
        check_output(json_file, force=force, inputs=read)
    need("safetensors", "evaluate")
    from training.evaluate import evaluate as judge
    from training.tables import show, write

    folder = None if records else data_folder(data)
    figures = judge(leads_in, data=folder, records=records, model=model, threads=threads)
    show(figures)
    if json_file:
        write(figures, json_file)
