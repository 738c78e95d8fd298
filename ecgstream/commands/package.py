"""``ecgstream package``: the model of a run, written elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Force, check_output, need

EXAMPLE = "Example: ecgstream package runs/ecgstream-1 --out engine/models --force"


def package(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run of ecgstream train.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the model; the run's if not given.")] = None,
    force: Force = False,
) -> None:
    """Write the model of a run elsewhere: ONNX, safetensors and the manifest that vouches for both."""
    need("torch", "package")
    from training.export import export as write_model

    check_output(out / f"{name or run.name}.json", force=force)
    path = write_model(run, out, name or run.name)
    print(f"written: {path}; try it: ecgstream replay --model {path}")
