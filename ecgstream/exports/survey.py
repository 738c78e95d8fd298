"""A recording looked through before it is exported: what of it there is, and where."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX, LEADS, Origin, label
from stream.channels import Assignment, Channel, held
from stream.sources.record import Record, open_record

PIECE_S = 60
"""Read at once."""
SHORTEST_GAP_S = 1
"""A gap that is shorter lies within a stretch: all leads are missing there."""
MOST_SPANS = 1_000_000
"""Stretches in which a lead is missing: of more nobody reads a list."""

_DECORATION = re.compile(r"(?:ecg|ekg)[\s_.:/-]+(?=\S)", re.IGNORECASE)

Report = Callable[[float], object]
"""Told the share that is done."""
Span = tuple[int, int]
"""Some samples: the first, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A recording with all that it holds, also derived leads.

    Attributes
    ----------
    record : Record
        Reads every lead, also those of which it holds what was derived.
    names : dict of str to str
        How each of its leads is called: derived ones with a ``d``.
    left_out : tuple of Channel
        Its signals that are no leads.
    """

    record: Record
    names: dict[str, str]
    left_out: tuple[Channel, ...]

    @property
    def has_derived(self) -> bool:
        """Whether any of its leads is derived."""
        return any(lead != name for lead, name in self.names.items())


def open_whole(
    path: Path, assignments: Sequence[Assignment] = (), *, rate: float | None = None, stream: str | None = None
) -> Whole:
    """Open a recording; see `stream.sources.record.open_record`."""
    record = open_record(path, assignments, rate=rate, stream=stream)
    derived = {
        lead: channel
        for channel in record.channels
        if (lead := _derived(channel)) and lead not in record.leads and lead not in {each.lead for each in assignments}
    }
    if derived:
        named = [Assignment(channel.label.strip(), lead) for lead, channel in derived.items()]
        record = open_record(path, [*assignments, *named], rate=rate, stream=stream)
    names = {lead: label(lead, Origin.ESTIMATED if lead in derived else Origin.MEASURED) for lead in record.leads}
    taken = held(record.channels, record.assignments, str(path)).columns
    return Whole(record, names, tuple(channel for n, channel in enumerate(record.channels) if n not in taken))


@dataclass(frozen=True, slots=True)
class Survey:
    """What a recording holds.

    Attributes
    ----------
    leads : tuple of str
        Those with a sample.
    stretches : tuple of (start, stop)
        Without a gap of a second or more.
    lowest, highest : dict of str to float
        Of each lead, mV.
    missing : dict of str to list of (start, stop)
        Where in the stretches each lead has no sample.
    """

    leads: tuple[str, ...]
    stretches: tuple[Span, ...]
    lowest: dict[str, float]
    highest: dict[str, float]
    missing: dict[str, list[Span]]


def survey(record: Record, report: Report) -> Survey:
    """Read a recording through.

    Raises
    ------
    SourceError
        If it cannot be read to its end, no lead has a sample, or leads come and go too often.
    """
    anything = _Known()
    known = {lead: _Known() for lead in record.leads}
    lowest = dict.fromkeys(record.leads, np.inf)
    highest = dict.fromkeys(record.leads, -np.inf)
    for start, samples in pieces(record, [(run.start, run.end) for run in record.runs]):
        finite = np.isfinite(samples)
        anything.add(start, np.atleast_1d(finite.any(axis=0)))
        for lead in record.leads:
            row = INDEX[lead]
            known[lead].add(start, finite[row])
            if finite[row].any():
                lowest[lead] = min(lowest[lead], float(np.nanmin(samples[row])))
                highest[lead] = max(highest[lead], float(np.nanmax(samples[row])))
        report((start + samples.shape[1]) / record.n_samples)
    stretches = _joined(anything.spans(), round(SHORTEST_GAP_S * record.rate))
    leads = tuple(lead for lead in record.leads if np.isfinite(lowest[lead]))
    if not leads:
        raise SourceError(f"{record.path}: no lead holds a sample; there is nothing to export")
    return Survey(
        leads,
        tuple(stretches),
        lowest,
        highest,
        {lead: _between(known[lead].spans(), stretches) for lead in leads},
    )


def pieces(record: Record, spans: Sequence[Span]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """All samples of some spans, (12, n) mV, with the index of the first."""
    length = round(PIECE_S * record.rate)
    for start, stop in spans:
        for at in range(start, stop, length):
            yield at, record.read(at, min(at + length, stop))


@dataclass(slots=True)
class _Known:
    """The spans in which something is known, gathered piece by piece."""

    edges: list[NDArray[np.int64]] = field(default_factory=list)
    count: int = 0

    def add(self, start: int, mask: NDArray[np.bool_]) -> None:
        padded = np.concatenate([[False], mask, [False]])
        edges = np.flatnonzero(padded[1:] != padded[:-1]) + start
        self.count += len(edges) // 2
        if self.count > MOST_SPANS:
            raise SourceError(f"a lead comes and goes more than {MOST_SPANS} times; this cannot be exported")
        self.edges.append(edges)

    def spans(self) -> list[Span]:
        edges = np.concatenate(self.edges) if self.edges else np.zeros(0, np.int64)
        return _joined([(int(a), int(b)) for a, b in edges.reshape(-1, 2)], 1)


def _joined(spans: Sequence[Span], shortest_gap: int) -> list[Span]:
    """The same spans, those with less than that between them made one."""
    joined: list[Span] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] < shortest_gap:
            joined[-1] = joined[-1][0], stop
        else:
            joined.append((start, stop))
    return joined


def _between(spans: Sequence[Span], stretches: Sequence[Span]) -> list[Span]:
    """What of the stretches lies in no span."""
    between, at = [], 0
    for begin, end in stretches:
        edges = [begin]
        while at < len(spans) and spans[at][0] < end:
            edges += spans[at]
            at += 1
        edges.append(end)
        between += [(a, b) for a, b in list(pairwise(edges))[::2] if a < b]
    return between


def _derived(channel: Channel) -> str | None:
    """The lead of which a channel holds what was derived."""
    name = _DECORATION.sub("", channel.label.strip(), count=1)
    return name[1:] if name.startswith("d") and name[1:] in LEADS else None
