"""What a run comes to: one object for programs, a few lines for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.filters import BAND_LABEL
from engine.leads import DISCLAIMER, RATE, Origin, label
from engine.physics import DISAGREE_UV
from stream.findings import Fault
from stream.latency import Latency
from stream.sinks.account import Account
from stream.sinks.comparison import BAND, Comparison, LeadFigures
from stream.sinks.recorder import Recorder

NONE: Mapping[str, int] = MappingProxyType({})


class Input(Protocol):
    """Where samples came from."""

    @property
    def path(self) -> Path | str:
        """A record's header, or a stream's address."""

    @property
    def synthetic(self) -> bool:
        """Whether nobody was recorded."""


class Network(Protocol):
    """What estimated."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def backend_name(self) -> str:
        """What ran it."""


class Progress(Protocol):
    """How far a run came: see `stream.bed.Bed`."""

    settled: int
    hop: int
    look_ahead: int
    frames: int
    frames_skipped: int


class LatencyFigures(msgspec.Struct, frozen=True):
    """Arrival of a sample to its estimate, ms; None where nothing arrived in time of its own."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class Summary(msgspec.Struct, frozen=True):
    """What `ecgstream replay`, `convert`, `monitor` and `serve` print with ``--json``.

    Attributes
    ----------
    record : str
        Path of the record's header, or address of the stream.
    synthetic : bool
        Whether nobody was recorded.
    leads_in : tuple of str
        The input.
    samples : int
        Settled, at 500 Hz.
    seconds : float
        The same, in s.
    hop : int
        Samples between frames; 0 where the stream was derived elsewhere.
    look_ahead_ms : float
        What an estimate waits for.
    backend, model : str
        What ran.
    frames, frames_skipped : int
        Computed, and left out because the engine was late.
    dropped : int
        Blocks that the screen did not take in time.
    lost : int
        Samples (at the source's rate) that came faster than they were taken.
    gaps : int
        Runs of indices at which nothing was known.
    gap_seconds : float
        How long these were together.
    clock_faults : dict of str to int
        What went wrong with the source's count or stamps (`stream.timeline.Fault`), and how often.
    latency_ms : LatencyFigures
        All None where a record was converted.
    compared_in : str
        The band of `leads`' figures.
    leads : dict of str to LeadFigures
        By lead.
    limb_residual_uv : dict of str to float
        RMS of what redundant limb leads of the input stray from the others.
    recorded : str or None
        The header that was written, if anything was.
    clipped : int
        Samples that did not fit into it.
    failures : tuple of str
        What went wrong with the sinks, a line each; the run went on without them.
    """

    record: str
    synthetic: bool
    leads_in: tuple[str, ...]
    samples: int
    seconds: float
    hop: int
    look_ahead_ms: float
    backend: str
    model: str
    frames: int
    frames_skipped: int
    dropped: int
    lost: int
    gaps: int
    gap_seconds: float
    clock_faults: dict[str, int]
    latency_ms: LatencyFigures
    compared_in: str
    leads: dict[str, LeadFigures]
    limb_residual_uv: dict[str, float]
    recorded: str | None
    clipped: int
    failures: tuple[str, ...]


def summarise(
    source: Input,
    leads_in: tuple[str, ...],
    engine: Network,
    bed: Progress,
    comparison: Comparison,
    *,
    account: Account | None = None,
    latency: Latency | None = None,
    dropped: int = 0,
    recorder: Recorder | None = None,
    failures: Sequence[str] = (),
    faults: Mapping[str, int] = NONE,
) -> Summary:
    """Sum up a run that has ended."""
    return Summary(
        record=str(source.path),
        synthetic=source.synthetic,
        leads_in=leads_in,
        samples=bed.settled,
        seconds=bed.settled / RATE,
        hop=bed.hop,
        look_ahead_ms=1000 * bed.look_ahead / RATE,
        backend=engine.backend_name,
        model=engine.name,
        frames=bed.frames,
        frames_skipped=bed.frames_skipped,
        dropped=dropped,
        lost=account.lost if account else 0,
        gaps=account.gaps if account else 0,
        gap_seconds=account.gap_samples / RATE if account else 0.0,
        clock_faults=dict(faults),
        latency_ms=LatencyFigures(*(_round(value, 1) for value in (latency.p50_ms, latency.p99_ms, latency.max_ms)))
        if latency
        else LatencyFigures(),
        compared_in=BAND_LABEL[BAND],
        leads=comparison.figures(),
        limb_residual_uv=comparison.limb_residual_uv(),
        recorded=str(recorder.path) if recorder and recorder.is_there else None,
        clipped=recorder.clipped if recorder else 0,
        failures=tuple(failures),
    )


def as_json(summary: Summary) -> str:
    """One JSON object."""
    return msgspec.json.format(msgspec.json.encode(summary)).decode()


def show(summary: Summary, console: Console) -> None:
    """Print it for people."""
    name = summary.record if "://" in summary.record else Path(summary.record).stem
    name += " (synthetic: nobody was recorded)" if summary.synthetic else ""
    lines = [
        f"[bold]{escape(name)}[/]: {summary.seconds:.1f} s from {' '.join(summary.leads_in)}",
        f"{summary.model} on {summary.backend}, look-ahead {summary.look_ahead_ms:g} ms, " + _derived(summary),
    ]
    latency = summary.latency_ms
    if latency.p50 is not None:
        lines.append(f"arrival to estimate: median {latency.p50:.0f} ms, 99 % {latency.p99:.0f}, max {latency.max:.0f}")
    if summary.gaps:
        lines.append(f"{summary.gaps} {'gap' if summary.gaps == 1 else 'gaps'}, {summary.gap_seconds:.1f} s in all")
    if summary.lost:
        lines.append(f"[yellow]{summary.lost} samples came faster than they were taken, and were lost[/]")
    if faults := ", ".join(f"{fault} {count}" for fault, count in summary.clock_faults.items() if fault != Fault.GAP):
        lines.append(f"[yellow]the source's clock or count: {faults}[/]")
    for lead, residual in summary.limb_residual_uv.items():
        if residual > DISAGREE_UV:
            lines.append(
                f"[yellow]{lead} strays {residual:.0f} uV from what the other limb leads say: look for a swapped or "
                "loose electrode[/]"
            )
    if summary.recorded:
        lines.append(f"recorded to {escape(summary.recorded)}")
    if summary.clipped:
        lines.append(f"[yellow]{summary.clipped} samples lay beyond the recording's range and were clipped[/]")
    if all(each.origin == "none" for each in summary.leads.values()):
        lines.append("[yellow]no lead of the input carried a signal: there is nothing to show or to record[/]")
    lines += [f"[red]{escape(failure)}[/]" for failure in summary.failures]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_table(summary))
    console.print(DISCLAIMER, style="dim")


def _derived(summary: Summary) -> str:
    if not summary.hop:
        return "derived elsewhere"
    skipped = f", {summary.frames_skipped} skipped" if summary.frames_skipped else ""
    return f"hop {summary.hop} samples, {summary.frames} frames{skipped}"


def _table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("lead", "origin", f"r ({summary.compared_in})", "RMSE (uV)"):
        table.add_column(heading, justify="left" if heading in ("lead", "origin") else "right")
    for lead, each in summary.leads.items():
        if each.origin == "none":
            continue
        row: list[Any] = [label(lead, Origin[each.origin.upper()]), each.origin]
        compared = each.origin != "measured"
        row.append(f"{each.r:.3f}" if compared and each.r is not None else "")
        row.append(f"{each.rmse_uv:.0f}" if compared and each.rmse_uv is not None else "")
        table.add_row(*row)
    return table


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
