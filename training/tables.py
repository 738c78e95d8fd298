"""The results of an evaluation as a table for people and a file for programs."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from engine.errors import UsageError
from engine.files import replacing
from engine.leads import LEADS
from training.results import BandResult, Results

WAYS = {"offline": "offline", "streamed": "as streamed", "linear": "linear model"}


def show(results: Results, console: Console | None = None) -> None:
    """Print r by band, way and lead."""
    console = console or Console()
    judged = {lead for bands in results.ways.values() for band in bands.values() for lead in band.leads}
    leads = [lead for lead in LEADS if lead in judged]
    table = Table(box=None, pad_edge=False)
    for heading in ("band (Hz)", "way", "mean r", *leads):
        table.add_column(heading, justify="left" if heading in ("band (Hz)", "way") else "right")
    for band in results.ways["offline"]:
        for way, words in WAYS.items():
            values = _correlations(results.ways[way][band], leads)
            table.add_row(band, words, *("" if value is None else f"{value:.3f}" for value in values))
    console.print(_title(results))
    console.print(table)


def write(results: Results, path: Path) -> None:
    """Write all figures as JSON, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(results), indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content + b"\n")


def read(path: Path) -> Results:
    """What was written.

    Raises
    ------
    UsageError
        If the file holds anything else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path} holds no results ({error}); make it with ecgstream evaluate --json {path}") from error


def _correlations(band: BandResult, leads: list[str]) -> list[float | None]:
    return [band.mean_r, *(band.leads[lead].r if lead in band.leads else None for lead in leads)]


def _title(results: Results) -> str:
    counts = ", ".join(f"{count} at {band} Hz" for band, count in results.n_records_by_band.items())
    return f"{results.model} from {' '.join(results.leads_in)}: Pearson's r, mean over records ({counts})"
