"""A live run: a source, a bed and its sinks, wired together and driven by a thread of the engine's own."""

import queue
import threading
import time
from collections.abc import Sequence

from engine.beats import HeartRate
from engine.leads import INDEX, RATE
from stream.bed import Bed
from stream.items import Block, Chunk, Status, joined
from stream.latency import Latency
from stream.sinks.mailbox import Mailbox, Sink
from stream.sources.replay import LONGEST_WAIT_S, Arrival, Replay

QUEUE_CHUNKS = 256
STALE_S = 1.0
"""Without a chunk for so long the signal counts as lost."""
LATE_SAMPLES = RATE // 4
"""More than a quarter of a second waiting means that the engine cannot keep up."""
RHYTHM = INDEX["II"]
"""The lead the heart rate is read from: known as soon as any two limb leads are."""


class Run:
    """Drives a bed from a replay until its end, or until `stop` is set.

    Parameters
    ----------
    replay : Replay
        The source.
    rate : float
        Of its chunks, Hz.
    bed : Bed
        Makes blocks of them.
    sinks : sequence of Sink
        Get each block, in order, and are closed at the end.
    mailbox : Mailbox, optional
        A sink that also gets the status.
    real_time : bool
        Whether old frames are skipped when the engine is late.

    Attributes
    ----------
    stop : Event
        Ends the run early. The run itself never sets it: a screen stays open when the stream has ended.
    latency : Latency
        Arrival of a sample to its estimate.
    error : Exception or None
        What ended it, if not the source's end or `stop`.
    """

    def __init__(
        self,
        replay: Replay,
        rate: float,
        bed: Bed,
        sinks: Sequence[Sink],
        mailbox: Mailbox | None = None,
        real_time: bool = True,
    ) -> None:
        self.stop = threading.Event()
        self.latency = Latency()
        self.error: Exception | None = None
        self._rate = rate
        self._bed = bed
        self._sinks = [*sinks, mailbox] if mailbox else list(sinks)
        self._mailbox = mailbox
        self._real_time = real_time
        self._arrivals: queue.Queue[Arrival] = queue.Queue(QUEUE_CHUNKS)
        self._heart = HeartRate()
        self._source_stop = threading.Event()
        self._threads = [
            threading.Thread(target=replay.run, args=(self._arrivals, self._source_stop), name="source"),
            threading.Thread(target=self._work, name="engine"),
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Return when both threads have ended, and raise what ended the run, if anything did."""
        for thread in self._threads:
            thread.join()
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        """The engine's thread: whatever happens the sinks are closed and the state is told."""
        try:
            self._drive()
        except Exception as error:  # raised again in `wait`
            self.error = error
        self._source_stop.set()
        for sink in self._sinks:
            try:
                sink.close()
            except Exception as error:
                self.error = self.error or error
        if self.error is not None:
            self._tell("failed", str(self.error))
        else:
            self._tell("ended")

    def _drive(self) -> None:
        last_arrival = time.monotonic()
        while not self.stop.is_set():
            try:
                arrivals = self._take()
            except queue.Empty:
                if time.monotonic() - last_arrival > STALE_S:
                    self._tell("stale")
                continue
            last_arrival = time.monotonic()
            chunks = [arrival for arrival in arrivals if isinstance(arrival, tuple)]
            if chunks:
                self._feed(chunks)
            if arrivals[-1] is None:
                self._send(self._bed.finish())
                return
            if isinstance(arrivals[-1], Exception):
                raise arrivals[-1]

    def _take(self) -> list[Arrival]:
        """The next arrival, and in real time all that wait behind it: an engine that is late takes them at once."""
        arrivals = [self._arrivals.get(timeout=LONGEST_WAIT_S)]
        while self._real_time and isinstance(arrivals[-1], tuple):
            try:
                arrivals.append(self._arrivals.get_nowait())
            except queue.Empty:
                break
        return arrivals

    def _feed(self, arrivals: list[tuple[float, Chunk]]) -> None:
        for at, chunk in arrivals:
            self.latency.arrival((chunk.index + chunk.samples.shape[1]) * RATE / self._rate, at)
        chunk = joined([chunk for _, chunk in arrivals])
        waiting = chunk.samples.shape[1] * RATE / self._rate
        self._send(self._bed.push(chunk, late=self._real_time and waiting > LATE_SAMPLES))

    def _send(self, blocks: list[Block]) -> None:
        for block in blocks:
            for sink in self._sinks:
                sink.push(block)
            self.latency.emitted(block.start, block.end, time.monotonic())
            self._heart.push(block.leads[RHYTHM])
        if blocks:
            self._tell("live")

    def _tell(self, state: str, message: str = "") -> None:
        if self._mailbox is None:
            return
        self._mailbox.status = Status(
            state=state,
            message=message,
            latency_ms=self.latency.recent_ms,
            frames=self._bed.frames,
            frames_skipped=self._bed.frames_skipped,
            dropped=self._mailbox.dropped,
            heart_rate=self._heart.rate,
            leads_off=self._bed.leads_off,
        )
