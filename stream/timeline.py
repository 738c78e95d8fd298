"""From arrivals to chunks in their place: the index is the truth, and what contradicts it is an event."""

from stream.items import Arrival, Chunk

Said = tuple[Chunk | None, str]
"""The chunk an arrival comes to, if anything of it is new; and what was the matter with it, if anything was."""


class Timeline:
    """The timeline of a source that counts its samples itself: a record's.

    A jump forward is a gap. Samples that have come before are left out, and said.
    """

    def __init__(self) -> None:
        self._end = 0

    def place(self, arrival: Arrival) -> Said:
        """Where the samples of an arrival belong.

        Raises
        ------
        ValueError
            If the source does not count.
        """
        if arrival.index is None:
            raise ValueError("an arrival without an index has no place on a counted timeline")
        length = arrival.samples.shape[1]
        if not length:
            return None, ""
        repeated = max(0, self._end - arrival.index)
        said = ""
        if repeated:
            said = f"{min(repeated, length)} samples from {arrival.index} on came a second time"
        if repeated >= length:
            return None, said
        truth = None if arrival.truth is None else arrival.truth[:, repeated:]
        chunk = Chunk(arrival.index + repeated, arrival.samples[:, repeated:], truth)
        self._end = chunk.end
        return chunk, said
