"""An hour of a stream at 60 times its speed, with gaps and leads that fall off, recorded: nothing grows or is lost."""

import gc
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import wfdb

from ecgstream.records import BUNDLED
from engine.leads import RATE
from engine.model import load
from stream.bed import Bed
from stream.items import Arrival, Block, Event, Gap, Item, Kind
from stream.sinks.mailbox import Mailbox
from stream.sinks.outbox import CAPACITY, Direct, Outbox
from stream.sinks.recorder import Recorder
from stream.sources.record import open_record
from stream.ward import Ward

IN = ("I", "II", "V4")
SPEED = 60
HOUR = 3600 * RATE
LARGEST_GROWTH_MB = 20


@dataclass
class Patch:
    """A device at 60 times its speed: every minute a gap of 2 s, and V4 off for 5 s; `memory_mb` at each minute."""

    name: str = "patch"
    rate: float = float(RATE)
    leads: tuple[str, ...] = IN
    patient: bool = False
    memory_mb: list[float] = field(default_factory=list)

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
        record = open_record(BUNDLED)
        minute = np.full((12, record.n_samples), np.nan, np.float32)
        minute[[0, 1, 9]] = record.read(0, record.n_samples)[[0, 1, 9]]
        minute[9, 20 * RATE : 25 * RATE] = 0.5
        began, size = time.monotonic(), RATE // 10
        for index in range(0, HOUR, size):
            at = index % record.n_samples
            if at == 0:
                gc.collect()
                self.memory_mb.append(psutil.Process().memory_info().rss / 1e6)
            if 40 * RATE <= at < 42 * RATE:
                continue
            if stop.wait(max(0.0, began + (index + size) / RATE / SPEED - time.monotonic())):
                return
            yield Arrival(time.monotonic(), minute[:, at : at + size], index)


class Counting:
    """A sink that only counts, and checks that all follows on."""

    def __init__(self) -> None:
        self.end = 0
        self.gaps = 0
        self.events: dict[Kind, int] = {}

    def push(self, item: Item) -> None:
        if isinstance(item, Event):
            self.events[item.kind] = self.events.get(item.kind, 0) + 1
            return
        assert item.start == self.end
        self.end = item.end
        self.gaps += isinstance(item, Gap) * (item.end - item.start)
        assert isinstance(item, Gap) or np.isfinite(item.leads).all()

    def close(self) -> None:
        pass


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_hour_of_stream(tmp_path: Path) -> None:
    engine, patch, counting, mailbox = load(), Patch(), Counting(), Mailbox()
    recorder = Recorder(tmp_path, "hour", leads_in=IN)
    ward = Ward(engine)
    outlets = (
        Direct(counting, "counting"),
        Outbox(recorder, "recorder", capacity=SPEED * CAPACITY),
        Direct(mailbox, "screen"),
    )
    place = ward.admit(Bed(engine, RATE, IN), patch, outlets)
    ward.start()
    threads = threading.active_count()
    shown = 0
    while ward._thread.is_alive():
        shown += sum(isinstance(item, Block) for item in mailbox.drain())
        assert threading.active_count() <= threads
        ward._thread.join(0.1)
    ward.wait()
    assert place.failures == []
    assert counting.end == HOUR
    lost = counting.gaps - 60 * 2 * RATE
    assert lost == mailbox.status.lost
    assert shown
    assert counting.events[Kind.LEAD_OFF] == counting.events[Kind.LEAD_BACK] == 60
    assert counting.events[Kind.BEAT] > 3000
    assert patch.memory_mb[-1] - patch.memory_mb[10] < LARGEST_GROWTH_MB
    header = wfdb.rdheader(str(tmp_path / "hour"))
    assert header.sig_len == HOUR
    assert header.seg_name.count("~") >= 60
    assert wfdb.rdann(str(tmp_path / "hour"), "atr").symbol.count("N") == counting.events[Kind.BEAT]
