"""A whole record at once: the same bed and the same sinks as live, fed in long pieces and waiting for nothing."""

from collections.abc import Callable, Sequence

from stream.bed import Bed
from stream.items import Block
from stream.sinks.mailbox import Sink
from stream.sources.record import Record
from stream.sources.replay import PIECE_S, Replay


def convert(
    record: Record,
    leads: tuple[str, ...],
    bed: Bed,
    sinks: Sequence[Sink],
    progress: Callable[[float], bool] = lambda share: True,
) -> None:
    """Send all of a record through a bed into sinks, at constant memory.

    Parameters
    ----------
    record : Record
        What is read.
    leads : tuple of str
        The input.
    bed : Bed
        At the record's rate.
    sinks : sequence of Sink
        Get each block, in order, and are closed at the end, whatever ends it.
    progress : callable
        Told the share that is done; where it returns False, the conversion ends there.

    Raises
    ------
    SourceError, SinkError
        If the record cannot be read to its end or a sink cannot take it.
    """
    try:
        for chunk in Replay(record, leads, speed=None, chunk_ms=1000 * PIECE_S).chunks():
            _push(bed.push(chunk), sinks)
            if not progress((chunk.index + chunk.samples.shape[1]) / record.n_samples):
                return
        _push(bed.finish(), sinks)
    finally:
        for sink in sinks:
            sink.close()


def _push(blocks: list[Block], sinks: Sequence[Sink]) -> None:
    for block in blocks:
        for sink in sinks:
            sink.push(block)
