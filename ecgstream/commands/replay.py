"""``ecgstream replay``: a record through the live path."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.console import print_summary, say
from ecgstream.commands.options import (
    AsJson,
    Force,
    Leads,
    LookAhead,
    Mapping,
    Model,
    Threads,
    choose,
    parse_look_ahead,
    parse_speed,
    parse_threads,
    prepare_picture,
)
from ecgstream.commands.recording import RECORD_HELP, Rate, Stream, make_recorder, open_input

if TYPE_CHECKING:
    from stream.sinks.outbox import Outlet

EXAMPLE = "Example: ecgstream replay record.dat --leads I,II,V4 --speed 4 --record out/"


def replay(
    record: Annotated[
        Path | None,
        typer.Argument(metavar="[RECORD]", help=f"{RECORD_HELP}; the bundled synthetic record if not given."),
    ] = None,
    leads: Leads = None,
    speed: Annotated[str, typer.Option(metavar="X", help="Times real time, 0.25 to 16, or max.")] = "1",
    look_ahead: LookAhead = None,
    band: Annotated[
        str, typer.Option("--filter", metavar="BAND", help="What the screen shows: monitor, diagnostic or none.")
    ] = "monitor",
    mapping: Mapping = None,
    rate: Rate = None,
    stream: Stream = None,
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
    threads: Threads = 1,
    force: Force = False,
) -> None:
    """Replay a record through the live path, on screen or headless."""
    speed_factor, look_ahead_samples = parse_speed(speed), parse_look_ahead(look_ahead)
    threads = parse_threads(threads, window=not headless)
    from engine.filters import BANDS

    choose("--filter", band, tuple(BANDS))
    source, leads_in = open_input(record, leads, mapping, rate=rate, stream=stream)
    has_page = not headless or snapshot is not None
    if has_page:
        if headless:
            os.environ["QT_QPA_PLATFORM"] = "offscreen"
        from gui.app import require_screen

        require_screen()
        if snapshot:
            prepare_picture(snapshot, source.files, force=force)

    from ecgstream.interruption import interruptible
    from ecgstream.summary import summarise
    from engine.leads import RATE
    from engine.model import load
    from stream.bed import Bed
    from stream.sinks.account import Account
    from stream.sinks.comparison import Comparison
    from stream.sinks.mailbox import Mailbox
    from stream.sinks.outbox import Direct, Outbox
    from stream.sources.replay import Replay
    from stream.ward import Ward

    engine = load(model, threads=threads)
    bed = Bed(engine, source.rate, leads_in, name=source.name, look_ahead=look_ahead_samples)
    comparison, account, mailbox = Comparison(), Account(), Mailbox() if has_page else None
    real_time = speed_factor is not None
    ward = Ward(engine)
    with interruptible(ward.stop) as interruption:
        recorder = make_recorder(record_to, source, leads_in, engine.name, force=force) if record_to else None
        if snapshot:
            snapshot.parent.mkdir(parents=True, exist_ok=True)
        outlets: list[Outlet] = [Direct(comparison, "comparison"), Direct(account, "account")]
        if recorder:
            outlets.append(Outbox(recorder, "recorder", patient=not real_time))
        if mailbox:
            outlets.append(Direct(mailbox, "screen"))
        place = ward.admit(bed, Replay(source, leads_in, speed_factor), outlets, real_time=real_time)
        ward.start()
        try:
            if mailbox:
                from gui.app import show
                from gui.page import PageInfo

                page = PageInfo(
                    record=source.name,
                    leads_in=leads_in,
                    model=engine.name,
                    backend=engine.backend_name,
                    look_ahead_ms=1000 * bed.look_ahead / RATE,
                    filter=band,
                    synthetic=source.synthetic,
                    show_truth=truth,
                )
                show(page, mailbox, ward.stop, snapshot)
        finally:
            if mailbox:
                ward.stop.set()
            ward.wait()
    if place.error is not None:
        raise place.error
    summary = summarise(
        source,
        leads_in,
        engine,
        bed,
        comparison,
        account=account,
        latency=place.latency,
        dropped=mailbox.dropped if mailbox else 0,
        recorder=recorder,
        failures=place.failures,
    )
    print_summary(summary, as_json=as_json)
    for failure in place.failures:
        say(failure)
    raise typer.Exit(1 if place.failures else interruption.exit_code or 0)
