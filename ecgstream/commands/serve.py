"""``ecgstream serve``: a live stream without a screen."""

from typing import Annotated

import typer

from ecgstream.commands import live_options as live
from ecgstream.commands.console import print_summary, say
from ecgstream.commands.options import AsJson, LookAhead, Model, Threads

EXAMPLE = "Example: ecgstream serve lsl://Patch --record out/ --out zmq+tcp://127.0.0.1:5556"


def serve(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=live.SOURCES)],
    leads: live.Leads = None,
    mapping: live.Mapping = None,
    look_ahead: LookAhead = None,
    record_to: live.RecordTo = None,
    outs: live.Outs = None,
    seconds: live.Seconds = None,
    as_json: AsJson = False,
    model: Model = None,
    threads: Threads = 1,
    keys: live.Keys = None,
    key: live.Key = None,
    insecure: live.Insecure = False,
) -> None:
    """Derive twelve leads of a live stream, record them and send them on, without a screen."""
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
        window=False,
        keys=keys,
        key=key,
        insecure=insecure,
    )
    from ecgstream.interruption import interruptible
    from ecgstream.live import Found, Live, Log
    from stream.sinks.outbox import Outbox

    def found(what: Found) -> None:
        say(f"found {what.name}: {' '.join(what.leads_in)} at {what.rate:g} Hz")

    run = Live(order, found, [Outbox(Log(), "log")])  # what nobody reads must not stop the rest
    with interruptible(run.stop) as interruption:
        run.run()
    if run.error is not None:
        raise run.error
    if run.summary is not None:
        print_summary(run.summary, as_json=as_json)
    failures = run.summary.failures if run.summary else ()
    for failure in failures:
        say(failure)
    raise typer.Exit(1 if failures else interruption.exit_code or 0)
