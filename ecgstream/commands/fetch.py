"""``ecgstream fetch``: real recordings, a command a collection."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.console import progress_bar

if TYPE_CHECKING:
    from ecgstream.fetch import Progress

app = typer.Typer(help="Get real recordings.")


@app.callback()
def collections() -> None:
    """Get real recordings."""


@app.command(epilog="Example: ecgstream fetch ptbxl --records 1-100 --out data/")
def ptbxl(
    records: Annotated[
        str | None,
        typer.Option("--records", metavar="1-100,205", help="Numbers of recordings; all 21,799 if not given."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder ptbxl is made in it.")] = Path("data"),
) -> None:
    """Get PTB-XL 1.0.3 or some of it from PhysioNet, at 100 and 500 Hz (CC BY 4.0)."""
    from ecgstream.fetch import fetch_ptbxl

    with progress_bar() as progress:
        task = progress.add_task("PTB-XL", total=None)

        def report(state: "Progress") -> None:
            progress.update(
                task, completed=state.done, total=state.total, description=f"PTB-XL, about {state.total_mb:.0f} MB"
            )

        paths = fetch_ptbxl(records, out, progress=report)
    print(f"{len(paths)} recordings in {out / 'ptbxl'}; try one: ecgstream replay {paths[0]}")
