"""The command line."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import EcgStreamError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from ecgstream.summary import Summary
    from stream.sinks.recorder import Recorder
    from stream.sources.record import Record

# What a command needs is imported when it runs: `--help` and an error in the options come at once, and `doctor` works
# on a machine where something is broken.

BUNDLED = Path(__file__).parent / "records" / "synthetic.hea"
SLOWEST, FASTEST = 0.25, 16.0
WRONG_USE: type[Any] = typer.BadParameter.__mro__[1]
"""What is raised for options and commands that there are not: click's error or, in newer typers, their own copy."""

app = typer.Typer(
    name="ecgstream",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="Three ECG leads in, twelve out, live. Derived leads are for study, not for diagnosis.",
)
fetch = typer.Typer(help="Get real recordings.")
app.add_typer(fetch, name="fetch")

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
    typer.Option("--map", metavar="NAME=LEAD", help="Lead that a channel of another name is; may be repeated."),
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
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="ECGSTREAM_DATA", help="Folder with PTB-XL as PhysioNet ships it."),
]


def main() -> None:
    """Run the command line; every error is one line, and the exit code says whose it is."""
    sys.exit(_run())


def _run() -> int:
    try:
        return app(sys.argv[1:] or ["--help"], prog_name="ecgstream", standalone_mode=False) or 0
    except EcgStreamError as error:
        return _fail(str(error), error.exit_code)
    except WRONG_USE as error:
        command = error.ctx.command_path if error.ctx else "ecgstream"
        return _fail(f"{error.format_message().rstrip('.')}; see {command} --help", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # Who read the output has left; what is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


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


@app.command(epilog="Example: ecgstream replay record.dat --leads I,II,V4 --speed 4 --record out/")
def replay(
    record: Annotated[
        Path | None, typer.Argument(metavar="[RECORD]", help="WFDB record; the bundled synthetic one if not given.")
    ] = None,
    leads: Leads = None,
    speed: Annotated[str, typer.Option(metavar="X", help="Times real time, 0.25 to 16, or max.")] = "1",
    look_ahead: LookAhead = None,
    band: Annotated[
        str, typer.Option("--filter", metavar="BAND", help="What the screen shows: monitor, diagnostic or none.")
    ] = "monitor",
    mapping: Mapping = None,
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    record_to: Annotated[
        Path | None,
        typer.Option("--record", metavar="DIR", help="Write the twelve leads, unfiltered, as a WFDB record."),
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Write a picture of the page at the end, and close.")
    ] = None,
    truth: Annotated[bool, typer.Option("--truth", help="Draw the record's own leads behind the estimates.")] = False,
    as_json: AsJson = False,
    model: Model = None,
    force: Force = False,
) -> None:
    """Replay a record through the live path, on screen or headless."""
    speed_factor, look_ahead_samples = _parse_speed(speed), _parse_look_ahead(look_ahead)
    from engine.filters import BANDS

    _choose("--filter", band, tuple(BANDS))
    source, leads_in = _open(record, leads, mapping)
    has_page = not headless or snapshot is not None
    if has_page:
        _prepare_page(headless, snapshot, force)

    from ecgstream.interruption import interruptible
    from ecgstream.run import Run
    from ecgstream.summary import summarise
    from engine.model import load
    from stream.bed import Bed
    from stream.sinks.comparison import Comparison
    from stream.sinks.mailbox import Mailbox
    from stream.sources.replay import Replay

    engine = load(model)
    bed = Bed(engine, source.rate, look_ahead_samples)
    comparison, mailbox = Comparison(), Mailbox() if has_page else None
    recorder = _recorder(record_to, source, leads_in, engine.name, force) if record_to else None
    if snapshot:
        snapshot.parent.mkdir(parents=True, exist_ok=True)
    sinks = [sink for sink in (recorder, comparison) if sink]
    run = Run(Replay(source, leads_in, speed_factor), source.rate, bed, sinks, mailbox, speed_factor is not None)
    with interruptible(run.stop) as interruption:
        run.start()
        try:
            if mailbox:
                from gui.app import show
                from gui.page import PageInfo

                page = PageInfo(
                    record=source.name,
                    leads_in=leads_in,
                    model=engine.name,
                    backend=engine.backend_name,
                    look_ahead_ms=_milliseconds(bed.look_ahead),
                    filter=band,
                    synthetic=source.synthetic,
                    show_truth=truth,
                )
                show(page, mailbox, run.stop, snapshot)
        finally:
            if mailbox:
                run.stop.set()
            run.wait()
    summary = summarise(
        source, leads_in, engine, bed, comparison, run.latency, mailbox.dropped if mailbox else 0, recorder
    )
    _print_summary(summary, as_json)
    raise typer.Exit(interruption.exit_code or 0)


@app.command(epilog="Example: ecgstream convert record.dat --leads I,II,V4 --out twelve/")
def convert(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="WFDB record: x.dat, x.hea or x.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the twelve-lead record goes.")],
    leads: Leads = None,
    look_ahead: LookAhead = None,
    mapping: Mapping = None,
    as_json: AsJson = False,
    model: Model = None,
    force: Force = False,
) -> None:
    """Make twelve leads of a whole record, as fast as it goes."""
    look_ahead_samples = _parse_look_ahead(look_ahead)
    source, leads_in = _open(record, leads, mapping)

    from threading import Event

    from ecgstream import conversion
    from ecgstream.interruption import interruptible
    from ecgstream.summary import summarise
    from engine.model import load
    from stream.bed import offline_bed
    from stream.sinks.comparison import Comparison

    engine = load(model)
    bed = offline_bed(engine, source.rate, look_ahead_samples)
    comparison, recorder = Comparison(), _recorder(out, source, leads_in, engine.name, force)
    stop = Event()
    with interruptible(stop) as interruption, _progress() as progress:
        task = progress.add_task(source.name, total=1.0)

        def report(share: float) -> bool:
            progress.update(task, completed=share)
            return not stop.is_set()

        conversion.convert(source, leads_in, bed, [recorder, comparison], report)
    _print_summary(summarise(source, leads_in, engine, bed, comparison, recorder=recorder), as_json)
    raise typer.Exit(interruption.exit_code or 0)


@app.command(epilog="Example: ecgstream train --data DATA")
def train(
    data: Data = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The run's folder; a run that broke off goes on from there.")
    ] = Path("runs/ecgstream-1"),
    steps: Annotated[int | None, typer.Option(min=1, help="Batches in all.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything that is drawn.")] = None,
) -> None:
    """Fit the network on PTB-XL's folds 1-8 and the folders beside it, and make a model of what is best on fold 9."""
    _need("torch", "train")
    from msgspec.structs import replace

    from training.export import export as write_model
    from training.fit import Settings, fit

    usual = Settings()
    settings = replace(usual, steps=steps or usual.steps, seed=usual.seed if seed is None else seed)
    fit(_data_folder(data), out, settings)
    path = write_model(out, out / "model", out.name)
    print(f"written: {path}; try it: ecgstream replay --model {path}")


@app.command(epilog="Example: ecgstream evaluate --data DATA --leads I,II,V4 --json out.json")
def evaluate(
    data: Data = None,
    records: Annotated[
        Path | None, typer.Option("--records", metavar="DIR", help="Instead: any folder of twelve-lead WFDB records.")
    ] = None,
    leads: Annotated[str, typer.Option("--leads", metavar="I,II,V4", help="Leads given to the model.")] = "I,II,V4",
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here.")] = None,
    model: Model = None,
    force: Force = False,
) -> None:
    """Judge the model on PTB-XL's test fold or your own records: offline, as streamed, beside the linear model."""
    from engine.leads import parse

    leads_in = parse(leads)
    if json_file:
        _check_output(json_file, force)
    _need("safetensors", "evaluate")
    from training.evaluate import evaluate as judge
    from training.tables import show, write

    figures = judge(leads_in, data=None if records else _data_folder(data), records=records, model=model)
    show(figures)
    if json_file:
        write(figures, json_file)


@app.command(epilog="Example: ecgstream export runs/ecgstream-1 --out engine/models --force")
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run of ecgstream train.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the model; the run's if not given.")] = None,
    force: Force = False,
) -> None:
    """Write the model of a run elsewhere: ONNX, safetensors and the manifest that vouches for both."""
    _need("torch", "export")
    from training.export import export as write_model

    _check_output(out / f"{name or run.name}.json", force)
    path = write_model(run, out, name or run.name)
    print(f"written: {path}; try it: ecgstream replay --model {path}")


@app.command(epilog="Example: ecgstream doctor")
def doctor() -> None:
    """Tell what works on this machine, what does not, and what to type to mend it."""
    from ecgstream.doctor import examine, exit_code, show

    findings = examine()
    show(findings)
    raise typer.Exit(exit_code(findings))


@fetch.callback()
def collections() -> None:
    """Get real recordings."""


@fetch.command(epilog="Example: ecgstream fetch ptbxl --records 1-100 --out data/")
def ptbxl(
    records: Annotated[
        str | None,
        typer.Option("--records", metavar="1-100,205", help="Numbers of recordings; all 21,799 if not given."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder ptbxl is made in it.")] = Path("data"),
) -> None:
    """Get PTB-XL 1.0.3 or some of it from PhysioNet, at 100 and 500 Hz (CC BY 4.0)."""
    from ecgstream import fetch as fetching

    with _progress() as progress:
        task = progress.add_task("PTB-XL", total=None)

        def report(state: "fetching.Progress") -> None:
            progress.update(
                task, completed=state.done, total=state.total, description=f"PTB-XL, about {state.total_mb:.0f} MB"
            )

        paths = fetching.fetch_ptbxl(records, out, progress=report)
    print(f"{len(paths)} recordings in {out / 'ptbxl'}; try one: ecgstream replay {paths[0]}")


def _open(path: Path | None, leads: str | None, mapping: list[str] | None) -> tuple["Record", tuple[str, ...]]:
    """The record and the leads of it that are the input."""
    from engine.leads import parse, parse_map
    from stream.sources.record import open_record, select

    wanted = None if leads is None else parse(leads)
    record = open_record(path or BUNDLED, parse_map(mapping or ()))
    return record, select(record, wanted)


def _prepare_page(headless: bool, snapshot: Path | None, force: bool) -> None:
    """See that there is a screen and that the picture can be written, before anything begins."""
    if headless:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.app import require_screen

    require_screen()
    if snapshot:
        _check_output(snapshot, force)


def _recorder(folder: Path, source: "Record", leads_in: tuple[str, ...], model: str, force: bool) -> "Recorder":
    from stream.sinks.recorder import Recorder

    if folder.resolve() == source.path.parent.resolve():
        raise UsageError(f"{folder} holds the record that is read; choose another folder")
    comments = [f"derived by ecgstream {version('ecgstream')}, model {model}, from {source.name}"]
    if source.synthetic:
        comments.insert(0, "SYNTHETIC: nobody was recorded.")
    return Recorder(folder, source.name, leads_in=leads_in, gain=source.gain, comments=comments, force=force)


def _check_output(path: Path, force: bool) -> None:
    """Refuse early what could not be written late.

    Raises
    ------
    UsageError
        If the file is there and `force` is not given, or its folder cannot be made or written.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; add --force to replace it, or choose another name")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}; name a file in a folder that you can write to")


def _data_folder(data: Path | None) -> Path:
    if data is None:
        raise UsageError("name the folder of recordings: --data DIR; ecgstream fetch ptbxl gets one")
    return data


def _need(module: str, command: str) -> None:
    """Say what to install before an import fails somewhere deep."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise UsageError(f"ecgstream {command} needs {module}; in the checkout type: pip install '.[train]'")


def _choose(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{option} {value}: choose {', '.join(choices)}")


def _parse_speed(text: str) -> float | None:
    """Times real time; None is as fast as it goes."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not SLOWEST <= speed <= FASTEST:
        raise UsageError(f"--speed {text}: give {SLOWEST:g} to {FASTEST:g} times real time, or max")
    return speed


def _parse_look_ahead(milliseconds: int | None) -> int | None:
    """In samples at 500 Hz; a time between two samples waits for the first."""
    if milliseconds is None:
        return None
    from engine.leads import RATE
    from stream.bed import LONGEST_LOOK_AHEAD

    longest = 1000 * LONGEST_LOOK_AHEAD // RATE
    if not 0 <= milliseconds <= longest:
        raise UsageError(f"--look-ahead {milliseconds}: give 0 to {longest} ms")
    return milliseconds * RATE // 1000


def _milliseconds(samples: int) -> float:
    from engine.leads import RATE

    return 1000 * samples / RATE


def _progress() -> "Progress":
    """A bar where a person looks on, and never in what another program reads."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _print_summary(summary: "Summary", as_json: bool) -> None:
    from rich.console import Console

    from ecgstream.summary import as_json as to_json
    from ecgstream.summary import show

    if as_json:
        print(to_json(summary))
    else:
        show(summary, Console())
