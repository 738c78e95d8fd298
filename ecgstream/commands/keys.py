"""``ecgstream keys``: who may send to this machine, and who may listen."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make, list and revoke keys for ZeroMQ connections.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is: a device, or a desk that listens.")]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="DIR",
        envvar="ECGSTREAM_KEYS",
        help="Folder of the keys; ~/.config/ecgstream/keys if not given.",
    ),
]
Beds = Annotated[
    list[str] | None,
    typer.Option(
        "--bed", metavar="BED", help="Bed that the key may send, may be repeated; NAME if not given, '*' is any."
    ),
]


@app.callback()
def keys() -> None:
    """Make, list and revoke keys for ZeroMQ connections."""


@app.command(epilog="Example: ecgstream keys new patch7 --bed bed7")
def new(name: Name, bed: Beds = None, keys: Keys = None) -> None:
    """Make a key and let it in: one file, to be carried to where it is used."""
    from stream.keys import default_folder, new_key

    path = new_key(keys or default_folder(), name, tuple(bed or ()))
    beds = ", ".join(bed or (name,))
    print(f"{path}")
    print(f"carry it to {name}, where it is used with --key FILE, and keep no copy; it may send: {beds}")


@app.command("list", epilog="Example: ecgstream keys list")
def list_(keys: Keys = None) -> None:
    """List the keys that are let in."""
    from stream.keys import default_folder, listed

    folder = keys or default_folder()
    rows = [(key.name, ", ".join(key.beds), key.since, key.fingerprint) for key in listed(folder)]
    if not rows:
        print(f"no keys in {folder}; make one: ecgstream keys new NAME")
        return
    rows.insert(0, ("NAME", "BEDS", "SINCE", "FINGERPRINT"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


@app.command(epilog="Example: ecgstream keys revoke patch7")
def revoke(name: Name, keys: Keys = None) -> None:
    """Let a key in no more; whoever is connected with it is put out."""
    from stream.keys import default_folder, revoke

    revoke(keys or default_folder(), name)
    print(f"{name} is let in no more; its file stays where it was carried, and is of no use")
