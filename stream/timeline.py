"""From arrivals to chunks in their place: the index is the truth, and what contradicts it is a finding."""

from dataclasses import dataclass

from stream.counts import Counted
from stream.findings import Fault, Finding
from stream.items import Arrival, Chunk
from stream.lines import HostLine
from stream.shelf import Recent, Run, Shelf
from stream.stamps import Stamped

__all__ = ["Fault", "Finding", "LiveTimeline", "Placed", "Timeline"]


@dataclass(frozen=True, slots=True)
class Placed:
    """What an arrival comes to.

    Attributes
    ----------
    chunks : tuple of Chunk
        What has found its place, in order of index, each after all that came before it.
    findings : tuple of Finding
        What was the matter.
    """

    chunks: tuple[Chunk, ...] = ()
    findings: tuple[Finding, ...] = ()


NOTHING = Placed()


class Timeline:
    """The timeline of a source that counts its samples itself and is trusted: a record's.

    A jump forward is a gap. Samples that have come before are left out, and said.
    """

    def __init__(self) -> None:
        self._end = 0

    def place(self, arrival: Arrival) -> Placed:
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
            return NOTHING
        repeated = min(max(0, self._end - arrival.index), length)
        findings: tuple[Finding, ...] = ()
        if repeated:
            text = f"{repeated} samples from {arrival.index} on came a second time"
            findings = (Finding(Fault.DUPLICATE, arrival.index, float(repeated), text),)
        if repeated == length:
            return Placed((), findings)
        truth = None if arrival.truth is None else arrival.truth[:, repeated:]
        chunk = Chunk(arrival.index + repeated, arrival.samples[:, repeated:], truth)
        self._end = chunk.end
        return Placed((chunk,), findings)

    def flush(self, now: float | None = None) -> Placed:
        """Nothing: what a record says has its place at once."""
        return NOTHING

    def time_of(self, index: float) -> float | None:
        """None: a record was not taken now."""
        return None


class LiveTimeline:
    """The timeline of a device, which counts its samples, stamps them, or does neither.

    Each sample comes out once, in its place; or it is in a gap that is told; or it had come before, and that is told.
    Samples are counted, never timed anew: a clock that drifts loses none and invents none.

    Parameters
    ----------
    rate : float
        That the device declares, Hz.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._shelf = Shelf(rate)
        self._host = HostLine(rate)
        self._recent: Recent | None = None
        self._counted: Counted | None = None
        self._stamped: Stamped | None = None
        self._offset: float | None = None
        self._is_counted = False
        self._received = float("-inf")

    @property
    def fitted_rate(self) -> float:
        """Samples a second: of the device's clock where it stamps, else of this host's, Hz."""
        return self._host.rate if self._stamped is None or self._is_counted else self._stamped.line.rate

    def place(self, arrival: Arrival) -> Placed:
        """Where the samples of an arrival belong, and of those that were held until it came."""
        if not arrival.samples.shape[1]:
            return NOTHING
        self._received = max(self._received, arrival.received)
        if self._recent is None:
            self._recent = Recent(self._rate, arrival.samples.shape[0])
        run = Run(arrival.samples, arrival.truth, arrival.stamps, self._received)
        is_counted = arrival.index is not None
        if is_counted is not self._is_counted:
            self._turn(is_counted=is_counted)
        if arrival.index is not None:
            if self._counted is None:
                self._counted = Counted(self._rate, self._shelf, self._host, self._recent)
            self._counted.place(run, arrival.index, arrival.session)
        else:
            if self._stamped is None:
                self._stamped = Stamped(self._rate, self._shelf, self._host, self._recent)
            self._stamped.place(run, arrival.session)
        if arrival.offset is not None:
            self._offset = arrival.offset
        return self._placed()

    def flush(self, now: float | None = None) -> Placed:
        """What is held, as nothing has come for a while, or nothing will come any more.

        Parameters
        ----------
        now : float or None
            This host's monotonic time, s: what the next packet of a device will tell is waited for a little longer.
            None at the end.
        """
        if self._stamped is not None:
            self._stamped.settle(now)
        if self._counted is not None and now is None:
            self._counted.settle()
        self._shelf.flush()
        return self._placed()

    def time_of(self, index: float) -> float | None:
        """When a sample was taken, by this host's monotonic clock, s; None before anything has come.

        Parameters
        ----------
        index : float
            Sample index at the source's rate, a recent one.
        """
        if not self._host.is_begun:
            return None
        stamped = self._stamped
        if self._offset is None or stamped is None or self._is_counted or not stamped.has_stamps:
            return self._host.time(index)
        return stamped.line.time(index) + self._offset

    def _turn(self, *, is_counted: bool) -> None:
        """A device that counted stamps only, or the other way round: it begins anew."""
        if self._stamped is not None:
            self._stamped.settle()
        if self._counted is not None:
            self._counted.settle()
        self._counted = self._stamped = None
        self._is_counted = is_counted

    def _placed(self) -> Placed:
        shelf = self._shelf
        if not shelf.ready and not shelf.findings:
            return NOTHING
        chunks = tuple(Chunk(index, run.samples, run.truth) for index, run in shelf.ready)
        placed = Placed(chunks, tuple(shelf.findings))
        shelf.ready, shelf.findings = [], []
        return placed
