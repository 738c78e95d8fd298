"""``ecgstream monitor``: a live stream on the screen."""

from typing import Annotated

import typer

from ecgstream.commands import live_options as live
from ecgstream.commands.console import print_summary, say
from ecgstream.commands.options import AsJson, Band, LookAhead, Model, Snapshot, Threads, choose, prepare_picture

EXAMPLE = "Example: ecgstream monitor lsl://Patch --record out/"


def monitor(
    source: Annotated[
        str | None,
        typer.Argument(metavar="[SOURCE]", help=f"{live.SOURCES}; the one usable LSL stream there is if not given."),
    ] = None,
    leads: live.Leads = None,
    mapping: live.Mapping = None,
    band: Band = "monitor",
    look_ahead: LookAhead = None,
    record_to: live.RecordTo = None,
    outs: live.Outs = None,
    seconds: live.Seconds = None,
    snapshot: Snapshot = None,
    as_json: AsJson = False,
    model: Model = None,
    threads: Threads = 1,
    keys: live.Keys = None,
    key: live.Key = None,
    insecure: live.Insecure = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture that is there.")] = False,
) -> None:
    """Show a live stream: a device's, or one that is derived elsewhere."""
    from engine.filters import BANDS

    choose("--filter", band, tuple(BANDS))
    order = live.make_order(
        source,
        leads=leads,
        mapping=mapping,
        look_ahead=look_ahead,
        record_to=record_to,
        outs=outs,
        seconds=seconds,
        model=model,
        threads=threads,
        window=True,
        keys=keys,
        key=key,
        insecure=insecure,
    )
    from gui.app import require_screen, show

    require_screen()
    if snapshot:
        prepare_picture(snapshot, (), force=force)

    from threading import Thread

    from ecgstream.interruption import interruptible
    from ecgstream.live import Found, Live
    from gui.page import PageBox, PageInfo
    from stream.sinks.mailbox import Mailbox
    from stream.sinks.outbox import Direct

    page = PageBox(PageInfo(record=str(order.address) if source else "any usable LSL stream", filter=band))
    mailbox = Mailbox()

    def found(what: Found) -> None:
        page.page = PageInfo(
            record=what.name,
            leads_in=what.leads_in,
            model=what.model,
            backend=what.backend,
            look_ahead_ms=what.look_ahead_ms,
            filter=band,
            synthetic=what.synthetic,
            remote=what.remote,
        )

    run = Live(order, found, [Direct(mailbox, "screen")])

    def follow() -> None:
        run.run()
        if run.error is not None and run.summary is None:
            run.stop.set()  # nothing was found: the window closes, and the line that says why is all there is

    thread = Thread(target=follow, name="live")
    with interruptible(run.stop) as interruption:
        thread.start()
        try:
            show(page, mailbox, run.stop, snapshot)
        finally:
            run.stop.set()
            thread.join()
    if run.error is not None:
        raise run.error
    if run.summary is not None:
        print_summary(run.summary, as_json=as_json)
    failures = run.summary.failures if run.summary else ()
    for failure in failures:
        say(failure)
    raise typer.Exit(1 if failures else interruption.exit_code or 0)
