"""``ecgstream train``: a network fitted, and a model made of it."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Data, data_folder, need

EXAMPLE = "Example: ecgstream train --data DATA"


def train(
    data: Data = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The run's folder; a run that broke off goes on from there.")
    ] = Path("runs/ecgstream-1"),
    steps: Annotated[int | None, typer.Option(min=1, help="Batches in all.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything that is drawn.")] = None,
) -> None:
    """Fit the network on PTB-XL's folds 1-8 and the folders beside it, and make a model of what is best on fold 9."""
    need("torch", "train")
    from msgspec.structs import replace

    from training.export import export
    from training.fit import Settings, fit

    usual = Settings()
    settings = replace(usual, steps=steps or usual.steps, seed=usual.seed if seed is None else seed)
    fit(data_folder(data), out, settings)
    path = export(out, out / "model", out.name)
    print(f"written: {path}; try it: ecgstream replay --model {path}")
