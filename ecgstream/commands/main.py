"""The command line as a whole: its commands, its version, and what becomes of an error."""

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from ecgstream.commands import (
    convert,
    devices,
    doctor,
    evaluate,
    export,
    fetch,
    keys,
    monitor,
    package,
    replay,
    serve,
    simulate,
    train,
)
from engine.errors import EcgStreamError

WRONG_USE: type[Any] = typer.BadParameter.__mro__[1]
"""What is raised for options and commands that there are not: click's error or, in newer typers, their own copy."""

app = typer.Typer(
    name="ecgstream",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="Three ECG leads in, twelve out, live. Derived leads are for study, not for diagnosis.",
)
app.command(epilog=devices.EXAMPLE)(devices.devices)
app.command(epilog=monitor.EXAMPLE)(monitor.monitor)
app.command(epilog=serve.EXAMPLE)(serve.serve)
app.command(epilog=replay.EXAMPLE)(replay.replay)
app.command(epilog=simulate.EXAMPLE)(simulate.simulate)
app.command(epilog=convert.EXAMPLE)(convert.convert)
app.command(epilog=export.EXAMPLE)(export.export)
app.command(epilog=train.EXAMPLE)(train.train)
app.command(epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command(epilog=package.EXAMPLE)(package.package)
app.command(epilog=doctor.EXAMPLE)(doctor.doctor)
app.add_typer(fetch.app, name="fetch")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line; every error is one line, and the exit code says whose it is."""
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="ecgstream", standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except EcgStreamError as error:
        return _fail(str(error), error.exit_code)
    except WRONG_USE as error:
        command = error.ctx.command_path if error.ctx else "ecgstream"
        return _fail(f"{error.format_message().rstrip('.')}; see {command} --help", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        _forget_output()
        return 1
    except OSError as error:  # a disk that is full, also where the output goes
        _forget_output()
        where = f" {error.filename}" if error.filename else ""
        return _fail(f"cannot go on: {error.strerror or error}{where}; look at the disk, then try again", 1)


def _forget_output() -> None:
    """What is still buffered, for a reader that has left or a disk that is full, must not fail once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    print(f"ecgstream: {message}", file=sys.stderr)
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        print("ecgstream", version("ecgstream"))
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Three ECG leads in, twelve out, live. Derived leads are for study, not for diagnosis."""
