"""``ecgstream simulate``: a record sent as a device would send it, with the faults that devices have."""

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgstream.commands.console import say
from ecgstream.commands.live_options import Insecure, Key, Keys
from ecgstream.commands.options import AsJson, Force, Mapping, check_output, choose
from engine.errors import SourceError, UsageError

if TYPE_CHECKING:
    from stream.address import Address
    from stream.simulation.device import Device
    from stream.simulation.runner import Account
    from stream.simulation.senders import Sender
    from stream.sources.record import Record

EXAMPLE = "Example: ecgstream simulate --out lsl://patch --rate 250 --loss 0.01 --unplug 20s:5s"

CHUNK_MS = 20.0
LEADS_OF_A_PATCH = ("I", "II", "V4")
RATES_HZ = 10.0, 10_000.0
CHUNKS_MS = 1.0, 10_000.0
SPEEDS = 0.1, 1000.0
DRIFTS_PPM = -1e5, 1e5
NOISES_UV = 0.0, 1e4
JITTERS_MS = 0.0, 60_000.0

_device: Any = partial(typer.Option, rich_help_panel="The device")
_fault: Any = partial(typer.Option, rich_help_panel="What is the matter with it")
_run: Any = partial(typer.Option, rich_help_panel="The run")


def simulate(
    record: Annotated[
        Path | None,
        typer.Argument(metavar="[RECORD]", help="What it measures; the bundled record if not given."),
    ] = None,
    *,
    out: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="lsl://NAME, or zmq+tcp://HOST:PORT/BED (?push: to one that pulls)."),
    ],
    leads: Annotated[
        str | None, _device(metavar="I,II,V4", help="What it measures; if not given I, II and V4, or all there is.")
    ] = None,
    mapping: Mapping = None,
    rate: Annotated[float | None, _device(metavar="HZ", help="Samples per second; the record's if not given.")] = None,
    unit: Annotated[
        str, _device(metavar="UNIT", help="V, mV, uV, or none: raw counts of 0.806 uV, and no unit is said.")
    ] = "uV",
    format: Annotated[
        str | None,
        _device(
            metavar="FORMAT",
            help="How LSL carries it: float32 if not given, double64, int8, int16, int32, int64 (which clip), string.",
        ),
    ] = None,
    chunk_ms: Annotated[
        float | None, _device("--chunk-ms", metavar="MS", help="A packet is the samples of so long; 20 if not given.")
    ] = None,
    unstamped: Annotated[
        bool, _device("--unstamped", help="It gives no stamps; LSL then says when each packet was sent.")
    ] = False,
    burst_stamps: Annotated[
        str | None,
        _device(
            "--burst-stamps",
            metavar="0.56s",
            help="It collects packets of so long; all samples of one have one stamp, that of sending.",
        ),
    ] = None,
    counter: Annotated[
        bool,
        _device(
            "--counter",
            help="One more channel, 'counter': the sample number, from 0 again at 2^20 or where the format ends.",
        ),
    ] = False,
    noise: Annotated[float, _device(metavar="UV", help="White noise on every lead, RMS.")] = 0.0,
    loss: Annotated[float, _fault(metavar="P", help="Each packet is lost with this probability.")] = 0.0,
    burst: Annotated[str | None, _fault(metavar="2s@30s", help="Every 30 s, all packets of 2 s are lost.")] = None,
    unplug: Annotated[
        list[str] | None,
        _fault(metavar="AT:FOR", help="It is gone at AT, and FOR later there anew, as in 10s:5s; may be repeated."),
    ] = None,
    lead_off: Annotated[
        list[str] | None,
        _fault(
            "--lead-off",
            metavar="V4@AT:FOR",
            help="The lead stands still at the rail, 20 mV, as in V4@10s:5s; may be repeated.",
        ),
    ] = None,
    duplicate: Annotated[float, _fault(metavar="P", help="Each packet is sent twice with this probability.")] = 0.0,
    reorder: Annotated[
        float, _fault(metavar="P", help="Each packet changes places with the next with this probability.")
    ] = 0.0,
    jitter: Annotated[
        float, _fault(metavar="MS", help="Each packet is sent late by a random time up to this; the order stays.")
    ] = 0.0,
    drift: Annotated[
        float,
        _fault(metavar="PPM", help="Its clock, and with it stamps and sampling, is so much faster than this host's."),
    ] = 0.0,
    clock_reset: Annotated[
        list[str] | None,
        _fault("--clock-reset", metavar="AT", help="At AT its clock counts from 0 anew; may be repeated."),
    ] = None,
    speed: Annotated[
        float, _run(metavar="X", help="Times real time, its clock too: at 60 a minute takes a second.")
    ] = 1.0,
    seconds: Annotated[str | None, _run(metavar="S", help="End after so long; if not given Ctrl-C ends it.")] = None,
    once: Annotated[bool, _run("--once", help="End with the record; if not given it begins anew.")] = False,
    wait: Annotated[bool, _run("--wait", help="Begin when somebody listens.")] = False,
    seed: Annotated[int, _run(metavar="N", min=0, help="All that is random comes out the same with the same.")] = 0,
    journal: Annotated[
        Path | None,
        _run(
            metavar="FILE", help="Write what was really sent, packet by packet; with --counter NAME.sent if not given."
        ),
    ] = None,
    journal_samples: Annotated[bool, _run("--journal-samples", help="Write the samples into it too.")] = False,
    keys: Keys = None,
    key: Key = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Send a record as a device would, over LSL or ZeroMQ, and break it on purpose.

    Times count from its first sample by its own clock, and are written 2s, 500ms or 1m.
    """
    from stream.address import LslAddress, parse_out
    from stream.simulation import notation
    from stream.simulation.device import Device, Faults, Format, Stamping, Unit

    address = parse_out(out)
    is_lsl = isinstance(address, LslAddress)
    choose("--unit", unit, tuple(Unit))
    choose("--format", format or Format.FLOAT32, tuple(Format))
    _refuse(
        ("--unstamped", unstamped and not is_lsl, "on the wire a message says its time; leave it out, or send to LSL"),
        ("--format", format is not None and not is_lsl, "on the wire it is float32; leave it out, or send to LSL"),
        ("--key", is_lsl and key is not None, "LSL has no keys; leave it out, or send to zmq+tcp://HOST:PORT"),
        ("--insecure", is_lsl and insecure, "LSL is open in any case; leave it out"),
        ("--burst-stamps", burst_stamps is not None and unstamped, "with --unstamped there are no stamps; choose one"),
        ("--burst-stamps", bool(burst_stamps and chunk_ms), "it says how long a packet is; leave --chunk-ms out"),
        ("--clock-reset", bool(clock_reset) and unstamped, "with --unstamped there are no stamps; choose one"),
        ("--speed", speed != 1 and unstamped, "with --unstamped the stamps are LSL's, in real time; leave it at 1"),
    )
    between = notation.between
    faults = Faults(
        loss=notation.probability("--loss", loss),
        burst=notation.burst(burst),
        unplugs=notation.unplugs(unplug or ()),
        duplicate=notation.probability("--duplicate", duplicate),
        reorder=notation.probability("--reorder", reorder),
        jitter_s=between("--jitter", jitter, *JITTERS_MS) / 1000,
        seed=seed,
    )
    packet_s = between("--chunk-ms", CHUNK_MS if chunk_ms is None else chunk_ms, *CHUNKS_MS) / 1000
    if burst_stamps is not None:
        packet_s = notation.longer_than_nothing("--burst-stamps", burst_stamps)
        between("--burst-stamps", packet_s, *(limit / 1000 for limit in CHUNKS_MS))
    length = None if seconds is None else notation.longer_than_nothing("--seconds", seconds)
    source, measured = _open(record, leads, mapping)
    rate = source.rate if rate is None else between("--rate", rate, *RATES_HZ)
    device = Device(
        name=address.name if isinstance(address, LslAddress) else address.bed or source.name,
        leads=measured,
        rate=rate,
        packet=max(1, round(rate * packet_s)),
        unit=Unit(unit),
        format=Format(format or Format.FLOAT32),
        counter=counter,
        stamping=Stamping.NONE if unstamped else Stamping.BURST if burst_stamps else Stamping.OWN,
        noise_uv=between("--noise", noise, *NOISES_UV),
        lead_off=notation.leads_off(lead_off or ()),
        drift_ppm=between("--drift", drift, *DRIFTS_PPM),
        clock_resets=notation.times("--clock-reset", clock_reset or ()),
        speed=between("--speed", speed, *SPEEDS),
    )
    if journal is None and (counter or journal_samples):
        journal = Path(f"{device.name.replace('/', '_')}.sent")
    if journal is not None:
        check_output(journal, force=force, inputs=source.files)

    from ecgstream.interruption import interruptible
    from stream.simulation.journal import Journal
    from stream.simulation.runner import Run
    from stream.simulation.signal import Signal

    run = Run(
        Signal(source, measured, rate, endless=not once),
        device,
        faults,
        _sender(device, address, keys, key, insecure=insecure, synthetic=source.synthetic),
        to=str(address),
        record=source.name,
        n_samples=None if length is None else max(1, round(length * rate)),
        journal=None if journal is None else Journal(journal),
        with_samples=journal_samples,
        wait=wait,
    )
    stop = threading.Event()
    with interruptible(stop) as interruption:
        account = run.until(stop, say)
    _print(account, journal, as_json=as_json)
    raise typer.Exit(interruption.exit_code or 0)


def _refuse(*cases: tuple[str, bool, str]) -> None:
    """Options that cannot be meant together: the first case that is so is said."""
    for option, is_so, why in cases:
        if is_so:
            raise UsageError(f"{option}: {why}")


def _open(path: Path | None, leads: str | None, mapping: list[str] | None) -> tuple["Record", tuple[str, ...]]:
    """The record and what is measured of it: a device may have any leads, also one alone."""
    from ecgstream.records import BUNDLED
    from engine.leads import parse
    from stream.channels import parse_map
    from stream.sources.record import open_record

    record = open_record(path or BUNDLED, parse_map(mapping or ()))
    if leads is None:
        return record, LEADS_OF_A_PATCH if set(LEADS_OF_A_PATCH) <= set(record.leads) else record.leads
    measured = parse(leads)
    if missing := [lead for lead in measured if lead not in record.leads]:
        raise SourceError(f"{record.path} has no {', '.join(missing)}; --leads may name {', '.join(record.leads)}")
    return record, measured


def _sender(
    device: "Device", address: "Address", keys: Path | None, key: Path | None, *, insecure: bool, synthetic: bool
) -> "Sender":
    from stream.address import LslAddress

    if isinstance(address, LslAddress):
        from stream.simulation.outlet import Outlet

        return Outlet(device, synthetic=synthetic)
    from stream.keys import Access
    from stream.simulation.socket import Socket

    return Socket(device, address, Access(keys=keys, key=key, insecure=insecure))


def _print(account: "Account", journal: Path | None, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        figures = {**msgspec.structs.asdict(account), "journal": None if journal is None else str(journal)}
        print(msgspec.json.encode(figures).decode())
        return
    done = [f"{account.seconds:.1f} s: {account.packets} packets", f"{account.sent} sent ({account.samples} samples)"]
    words = {
        "lost by chance": account.lost,
        "lost in bursts": account.burst,
        "lost while unplugged": account.unplugged,
        "lost as nobody took them": account.refused,
        "sent twice": account.duplicated,
        "out of order": account.reordered,
        "values clipped": account.clipped,
    }
    done += [f"{count} {word}" for word, count in words.items() if count]
    print(", ".join(done) + ("" if journal is None else f"; {journal} says what was sent"))
