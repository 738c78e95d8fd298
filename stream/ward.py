"""Any number of beds at one engine: what is due of all goes to it together, and each bed's items to its own sinks."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.errors import EcgStreamError
from engine.frame import Frame
from engine.leads import RATE
from stream import LONGEST_WAIT_S
from stream.bed import Bed, Estimator
from stream.findings import Fault
from stream.items import Arrival, Block, Chunk, Event, Gap, Item, Kind, Notice, joined
from stream.latency import Latency
from stream.sinks.outbox import Outlet
from stream.sources import Source
from stream.sources.intake import Intake
from stream.supervisor import State, Supervisor
from stream.tally import Tally
from stream.timeline import LiveTimeline, Placed, Timeline

LATE_S = 0.25
"""More waiting than that means that the engine cannot keep up."""
MOST_FAILURES = 100
"""The first so many are kept for the end."""
MOST_ARRIVALS = 32
"""Taken at once from a bed whose source can wait: bounds a tick."""

Clock = Callable[[], float]


class Place:
    """A bed in a ward, with its source and its sinks.

    Attributes
    ----------
    bed : Bed
        Its bed.
    latency : Latency
        Arrival of a sample to its estimate.
    error : Exception or None
        What ended the bed, if not its source's end or the ward's.
    failures : list of str
        What went wrong with its sinks, a line each, oldest first.
    """

    def __init__(
        self,
        bed: Bed,
        source: Source,
        outlets: Sequence[Outlet],
        intake: Intake[Arrival | Notice],
        *,
        real_time: bool,
        clock: Clock = time.monotonic,
    ) -> None:
        self.bed = bed
        self.latency = Latency()
        self.error: Exception | None = None
        self.failures: list[str] = []
        self.intake = intake
        self.is_over = False
        self.is_closed = False
        self._rate = source.rate
        self._outlets = outlets
        self._real_time = real_time
        self._clock = clock
        self._timeline = Timeline() if source.recorded else LiveTimeline(source.rate)
        self._tally = Tally()
        self._heard = clock()
        self._packet_s = 0.0
        self._supervisor = Supervisor()
        self._said: list[Event] = []
        self._second_told = -1

    def take(self, now: float) -> list[Frame]:
        """Take what has arrived, and return the frames that are due."""
        is_last = self.intake.is_over()  # asked first: what ends while arrivals are taken ends next time
        arrivals, dropped = self.intake.take(None if self._real_time else MOST_ARRIVALS)
        if dropped:
            self._say(Kind.DROPPED, f"{dropped} samples came faster than they were taken", float(dropped))
        chunks: list[Chunk] = []
        for arrival in arrivals:
            if isinstance(arrival, Notice):
                self._say(Kind.NOTICE, arrival.text)
                continue
            if self._supervisor.state in (State.STALE, State.LOST):
                self.latency.forget()  # what waited for the source did not wait for the engine
            self._heard = arrival.received
            for chunk in self._found(self._timeline.place(arrival)):
                chunks.append(chunk)
                self.latency.arrival(chunk.end * RATE / self._rate, arrival.received)
        if not arrivals and (is_last or now - self._heard > LONGEST_WAIT_S):
            chunks += self._found(self._timeline.flush(None if is_last else now))
        frames = self._push(chunks)
        if chunks:
            came_s = sum(chunk.samples.shape[1] for chunk in chunks) / self._rate
            self._packet_s = max(came_s, 0.9 * self._packet_s)  # a long packet may come in pieces
            signal = self.bed.silent < RATE
            state = self._supervisor.arrived(self._heard, packet_s=self._packet_s, signal=signal)
            self._become(state, math.floor(chunks[0].index * RATE / self._rate))
        elif not is_last:
            self._become(self._supervisor.passed(now))
        if is_last:
            frames += self.bed.finish()
            self.is_over = True
        self._said += self._tally.told(math.inf if is_last else now, self.bed.settled)
        return frames

    @property
    def faults(self) -> dict[Fault, int]:
        """What went wrong with the source's clock or count, and how often."""
        return dict(self._tally.counts)

    def fail(self, error: Exception) -> None:
        """What the source sent cannot be taken: this bed ends here, and no other."""
        self.error = error
        self.is_over = True
        self.intake.stop()

    def send(self, stop: threading.Event) -> None:
        """Give everything that is settled to the sinks."""
        self._tell(self.bed.settled, stop)
        for item in self.bed.items():
            if not isinstance(item, Event):
                self._tell(item.start - 1, stop)
            elif item.kind is not Kind.BEAT:
                self._tell(item.index, stop)
            self._give(item, stop)
            if isinstance(item, Block):
                self.latency.emitted(item.start, item.end, self._clock())
            elif isinstance(item, Gap):
                self.latency.passed(item.end)
        self._tell(self.bed.settled, stop)
        second = self.bed.settled // RATE
        if second != self._second_told and (events := self._timing()):
            self._second_told = second
            for event in events:
                self._give(event, stop)
        self._tell_failures(stop)

    def close(self, error: Exception | None, stop: threading.Event) -> None:
        """Say how it ended, and close the sinks: `error` is the ward's own, which ends every bed."""
        self.is_closed = True
        self._said = [replace(event, index=min(event.index, self.bed.settled)) for event in self._said]
        self._tell(self.bed.settled, stop)
        self.error = self.error or self.intake.error
        self._supervisor.ended()
        error = error or self.error
        self._give(
            Event(self.bed.settled, Kind.FAILED, text=_line(error))
            if error is not None
            else Event(self.bed.settled, Kind.SOURCE, text=State.ENDED),
            stop,
        )
        for outlet in self._outlets:
            outlet.close()

    def wait(self, stop: threading.Event) -> None:
        """Return when every sink is closed, or shows that it never will be."""
        for outlet in self._outlets:
            outlet.wait(stop)
        self._tell_failures(stop)

    def _found(self, placed: Placed) -> tuple[Chunk, ...]:
        for finding in placed.findings:
            self._tally.add(finding)
        return placed.chunks

    def _timing(self) -> list[Event]:
        """When the newest settled sample was taken, and how long samples waited lately, as far as that is known."""
        settled, events = self.bed.settled, []
        taken = self._timeline.time_of(settled * self._rate / RATE)
        if taken is not None:
            events.append(Event(settled, Kind.TIME, value=time.time() - (self._clock() - taken)))
        if self.latency.recent_ms is not None:
            events.append(Event(settled, Kind.LATENCY, value=round(self.latency.recent_ms, 1)))
        return events

    def _push(self, chunks: list[Chunk]) -> list[Frame]:
        waiting = sum(chunk.samples.shape[1] for chunk in chunks[:-1])  # the newest has only come
        late = self._real_time and waiting > LATE_S * self._rate
        before = self.bed.frames_skipped
        frames = [frame for chunk in joined(chunks) for frame in self.bed.push(chunk, late=late)]
        if skipped := self.bed.frames_skipped - before:
            self._say(Kind.LATE, f"{skipped} frames were left out", float(skipped))
        return frames

    def _become(self, state: State | None, index: int | None = None) -> None:
        if state is not None:
            self._say(Kind.SOURCE, state, index=index)

    def _say(self, kind: Kind, text: str, value: float | None = None, *, index: int | None = None) -> None:
        """Tell something: at an index to come once that is settled, else at once."""
        at = self.bed.settled if index is None else max(index, self.bed.settled)
        self._said.append(Event(at, kind, text=text, value=value))

    def _tell(self, until: int, stop: threading.Event) -> None:
        """Give what was said of indices up to this one to the sinks, in order of index."""
        if not self._said:
            return
        due = sorted((event for event in self._said if event.index <= until), key=lambda event: event.index)
        self._said = [event for event in self._said if event.index > until]
        for event in due:
            self._give(event, stop)

    def _give(self, item: Item, stop: threading.Event) -> None:
        for outlet in self._outlets:
            outlet.push(item, stop)

    def _tell_failures(self, stop: threading.Event) -> None:
        texts = [text for outlet in self._outlets for text in outlet.failures()]
        self.failures = (self.failures + texts)[:MOST_FAILURES]
        for text in texts:
            self._give(Event(self.bed.settled, Kind.SINK_FAILED, text=text), stop)


class Ward:
    """Drives beds with one engine until their sources end, or until `stop` is set.

    Parameters
    ----------
    engine : Estimator
        Estimates the frames of all beds.
    clock : callable
        Tells the time in s; sources tell theirs by the same.
    stop : Event, optional
        Whoever else may end it; one of its own if not given.

    Attributes
    ----------
    stop : Event
        Ends the ward early. The ward itself never sets it: a screen stays open when the streams have ended.
    """

    def __init__(
        self, engine: Estimator, *, clock: Clock = time.monotonic, stop: threading.Event | None = None
    ) -> None:
        self.stop = stop or threading.Event()
        self._engine = engine
        self._clock = clock
        self._places: list[Place] = []
        self._heard = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="ward")

    def admit(self, bed: Bed, source: Source, outlets: Sequence[Outlet], *, real_time: bool = True) -> Place:
        """Give a bed its place, before the ward has started.

        Parameters
        ----------
        bed : Bed
            At the source's rate, of a name that no other bed here has.
        source : Source
            Sends its samples.
        outlets : sequence of Outlet
            Get each of its items, in order, and are closed at the end.
        real_time : bool
            Whether old frames are left out when the engine is late.
        """
        if any(place.bed.name == bed.name for place in self._places):
            raise ValueError(f"there is a bed {bed.name} already")
        intake: Intake[Arrival | Notice] = Intake(source, self._heard.set)
        place = Place(bed, source, outlets, intake, real_time=real_time, clock=self._clock)
        self._places.append(place)
        return place

    def start(self) -> None:
        """Begin; returns at once."""
        for place in self._places:
            place.intake.start()
        self._thread.start()

    def wait(self) -> None:
        """Return when all threads have ended, and raise what ended the ward, if anything did."""
        self._thread.join()
        for place in self._places:
            if not place.intake.wait():
                place.failures.append(f"source {place.bed.name}: did not end")
        if self._error is not None:
            raise self._error

    def tick(self, now: float) -> None:
        """Take what is due of all beds to the engine together, and send on what it settles."""
        places = {place.bed.name: place for place in self._places if not place.is_over}
        frames: list[Frame] = []
        for place in places.values():
            try:
                frames += place.take(now)
            except Exception as error:  # whatever it is, it is this source's own
                place.fail(error)
        for frame, estimate in zip(frames, self._engine.estimate(frames) if frames else [], strict=True):
            places[frame.bed].bed.settle(frame, estimate)
        for place in places.values():
            place.send(self.stop)
            if place.is_over:
                place.close(None, self.stop)

    def _work(self) -> None:
        """The ward's thread: whatever happens the sinks are closed and the state is told."""
        try:
            while not self.stop.is_set() and not all(place.is_over for place in self._places):
                self._heard.wait(LONGEST_WAIT_S)
                self._heard.clear()
                self.tick(self._clock())
                if any(place.intake.is_heard() for place in self._places if not place.is_over):
                    self._heard.set()
        except Exception as error:  # raised again in `wait`
            self._error = error
        for place in self._places:
            place.intake.stop()
        for place in self._places:
            if not place.is_closed:
                place.close(self._error, self.stop)
        for place in self._places:
            place.wait(self.stop)


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, EcgStreamError) else f"{type(error).__name__}: {error}"
