"""The figures of an evaluation as a table for people and a file for programs."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.leads import LEADS

WAYS = {"offline": "offline", "streamed": "as streamed", "linear": "linear model"}


def show(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print r by band, way and lead."""
    console = console or Console()
    bands = list(figures["offline"])
    judged = {lead for way in WAYS for band in bands for lead in figures[way][band]["leads"]}
    leads = [lead for lead in LEADS if lead in judged]
    table = Table(box=None, pad_edge=False)
    for heading in ("band (Hz)", "way", "mean r", *leads):
        table.add_column(heading, justify="left" if heading in ("band (Hz)", "way") else "right")
    for band in bands:
        for way, words in WAYS.items():
            summary = figures[way][band]
            values = [summary["mean_r"], *(summary["leads"].get(lead, {}).get("r") for lead in leads)]
            table.add_row(band, words, *("" if value is None else f"{value:.3f}" for value in values))
    console.print(_title(figures))
    console.print(table)


def write(figures: dict[str, Any], path: Path) -> None:
    """Write all figures as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _title(figures: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} at {band} Hz" for band, count in figures["n_records_by_band"].items())
    return f"{figures['model']} from {' '.join(figures['leads_in'])}: Pearson's r, mean over records ({counts})"
