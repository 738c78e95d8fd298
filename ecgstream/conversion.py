"""A whole record at once: the same bed and the same sinks as live, in long pieces; all that waits is for the engine."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from engine.frame import Estimate, Frame
from stream.bed import Bed, Estimator, passed
from stream.items import Item
from stream.sinks import Sink
from stream.sources.record import Record
from stream.sources.replay import chunks

CHUNK_S = 60
"""Three long frames; more would cost memory and save nothing."""

_Estimating = tuple[list[Frame], Future[list[Estimate]]]
"""Frames that the engine has, and where their estimates will be."""


def convert(
    engine: Estimator,
    record: Record,
    leads: tuple[str, ...],
    bed: Bed,
    sinks: Sequence[Sink],
    progress: Callable[[float], bool] = lambda share: True,
) -> None:
    """Send all of a record through a bed into sinks, at constant memory.

    Parameters
    ----------
    engine : Estimator
        Estimates the bed's frames.
    record : Record
        What is read.
    leads : tuple of str
        The input.
    bed : Bed
        At the record's rate.
    sinks : sequence of Sink
        Get each item, in order, and are closed at the end, whatever ends it.
    progress : callable
        Told the share that is done; where it returns False, the conversion ends there.

    Raises
    ------
    SourceError, SinkError
        If the record cannot be read to its end or a sink cannot take it.
    """
    try:
        with ThreadPoolExecutor(1, "engine") as pool:
            estimating: _Estimating | None = None
            for chunk in chunks(record, leads, 1000 * CHUNK_S):
                frames = bed.push(chunk)
                before, estimating = estimating, (frames, pool.submit(engine.estimate, frames))
                if before is not None:
                    _settle(bed, before, sinks)
                if not progress(chunk.end / record.n_samples):
                    return
            if estimating is not None:
                _settle(bed, estimating, sinks)
        _give(passed(engine, bed, []), sinks)
    finally:
        for sink in sinks:
            sink.close()


def _settle(bed: Bed, estimating: _Estimating, sinks: Sequence[Sink]) -> None:
    """Wait for the estimates of some frames, and send on what they settle: meanwhile the engine is at the next ones."""
    frames, estimates = estimating
    for frame, estimate in zip(frames, estimates.result(), strict=True):
        bed.settle(frame, estimate)
    _give(bed.items(), sinks)


def _give(items: Iterable[Item], sinks: Sequence[Sink]) -> None:
    for item in items:
        for sink in sinks:
            sink.push(item)
