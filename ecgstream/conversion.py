"""A whole record at once: the same bed and the same sinks as live, fed in long pieces and waiting for nothing."""

from collections.abc import Callable, Iterable, Sequence

from stream.bed import Bed, Estimator, passed
from stream.items import Item
from stream.sinks import Sink
from stream.sources.record import Record
from stream.sources.replay import PIECE_S, chunks


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
        for chunk in chunks(record, leads, 1000 * PIECE_S):
            _give(passed(engine, bed, [chunk], finish=False), sinks)
            if not progress(chunk.end / record.n_samples):
                return
        _give(passed(engine, bed, []), sinks)
    finally:
        for sink in sinks:
            sink.close()


def _give(items: Iterable[Item], sinks: Sequence[Sink]) -> None:
    for item in items:
        for sink in sinks:
            sink.push(item)
