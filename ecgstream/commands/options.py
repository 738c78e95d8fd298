"""The options that commands share, and what is made of their values."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError

SLOWEST, FASTEST = 0.25, 16.0

Leads = Annotated[
    str | None,
    typer.Option(
        "--leads",
        metavar="I,II,V4",
        help="Leads to work from; if not given I, II and V4 of a twelve-lead record, else all.",
    ),
]
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="CHANNEL=LEAD[:SCALE]", help="Lead that a channel is, by its name or number; may be repeated."
    ),
]
LookAhead = Annotated[
    int | None,
    typer.Option(
        "--look-ahead",
        metavar="MS",
        help="How long an estimate waits for later samples, 0 to 100; if not given as the model was fitted.",
    ),
]
Model = Annotated[
    Path | None, typer.Option("--model", metavar="JSON", help="Manifest of a model; the shipped one if not given.")
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        metavar="N",
        help="Threads the network runs on, at least 1; never more than the cores, and one less when a window is open.",
    ),
]
Band = Annotated[
    str, typer.Option("--filter", metavar="BAND", help="What the screen shows: monitor, diagnostic or none.")
]
Snapshot = Annotated[
    Path | None, typer.Option(metavar="PNG", help="Write a picture of the page at the end, and close.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="ECGSTREAM_DATA", help="Folder with PTB-XL as PhysioNet ships it."),
]


def parse_speed(text: str) -> float | None:
    """Times real time; None is as fast as it goes.

    Raises
    ------
    UsageError
        If it is neither a number from 0.25 to 16 nor ``max``.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not SLOWEST <= speed <= FASTEST:
        raise UsageError(f"--speed {text}: give {SLOWEST:g} to {FASTEST:g} times real time, or max")
    return speed


def parse_look_ahead(milliseconds: int | None) -> int | None:
    """In samples at 500 Hz; a time between two samples waits for the first.

    Raises
    ------
    UsageError
        If no estimate may wait so long.
    """
    if milliseconds is None:
        return None
    from engine.leads import RATE
    from stream.bed import LONGEST_LOOK_AHEAD

    longest = 1000 * LONGEST_LOOK_AHEAD // RATE
    if not 0 <= milliseconds <= longest:
        raise UsageError(f"--look-ahead {milliseconds}: give 0 to {longest} ms")
    return milliseconds * RATE // 1000


def parse_threads(wanted: int, *, window: bool = False) -> int:
    """As many as this machine has a use for; a window keeps a core for itself.

    Raises
    ------
    UsageError
        If it is less than one.
    """
    if wanted < 1:
        raise UsageError(f"--threads {wanted}: give 1 or more")
    return min(wanted, max(1, _cores() - window))


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices.

    Raises
    ------
    UsageError
        If it is not.
    """
    if value not in choices:
        raise UsageError(f"{option} {value}: choose {', '.join(choices)}")


def data_folder(data: Path | None) -> Path:
    """The folder of recordings.

    Raises
    ------
    UsageError
        If none was named.
    """
    if data is None:
        raise UsageError("name the folder of recordings: --data DIR; ecgstream fetch ptbxl gets one")
    return data


def check_output(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse early what could not be written late, and what must not be.

    Raises
    ------
    UsageError
        If the file is one of the inputs, by whatever name; is there and `force` is not given; is a folder or a device;
        or its folder cannot be made or written.
    """
    if path.exists() and path.resolve() in {each.resolve() for each in inputs}:
        raise UsageError(f"{path} is what is read; choose another name")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; add --force to replace it, or choose another name")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if (path.exists() and not path.is_file()) or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}; name a file in a folder that you can write to")


def prepare_picture(path: Path, inputs: Iterable[Path], *, force: bool) -> None:
    """Refuse early a picture that could not be written late.

    Raises
    ------
    UsageError
        If it is no PNG, or as of `check_output`.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"--snapshot {path}: it will be a PNG; name it so")
    check_output(path, force=force, inputs=inputs)


def need(module: str, command: str) -> None:
    """Say what to install before an import fails somewhere deep.

    Raises
    ------
    UsageError
        If the module is not installed.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise UsageError(f"ecgstream {command} needs {module}; in the checkout type: pip install '.[train]'")
