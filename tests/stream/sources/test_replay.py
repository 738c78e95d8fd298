"""A replayed record keeps its own time and can be stopped, and its errors arrive where its samples do."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine.errors import SourceError
from engine.leads import INDEX, LEADS
from stream.items import Arrival, Notice
from stream.sources.intake import Intake
from stream.sources.record import Record, open_record
from stream.sources.replay import Replay, chunks
from tests.stream.chunks import joined
from tests.stream.records import write_record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    rng = np.random.default_rng(1)
    return open_record(write_record(tmp_path / "r", rng.standard_normal((3600, 12)), LEADS, rate=360))


@pytest.mark.parametrize("chunk_ms", [1, 20, 7000])
def test_all_of_the_record_is_sent_and_only_the_input_is_measured(record: Record, chunk_ms: float) -> None:
    sent = list(chunks(record, ("I", "II", "V4"), chunk_ms))
    held = record.read(0, record.n_samples)
    assert np.array_equal(joined(sent, "truth"), held)
    samples = joined(sent)
    measured = [INDEX[lead] for lead in ("I", "II", "V4")]
    assert np.array_equal(samples[measured], held[measured])
    assert np.isnan(np.delete(samples, measured, axis=0)).all()


def test_deadlines_are_absolute_so_that_time_does_not_drift(record: Record) -> None:
    began = time.monotonic()
    arrivals = list(Replay(record, ("I", "II"), speed=5).arrivals(threading.Event()))
    assert len(arrivals) == 515
    ends = np.cumsum([arrival.samples.shape[1] for arrival in arrivals])
    late = [arrival.received - began - end / 360 / 5 for arrival, end in zip(arrivals, ends, strict=True)]
    assert min(late) >= -1e-6
    assert np.median(late[-50:]) < 0.02  # after 500 chunks no more than after the first


def test_a_stop_interrupts_a_long_wait(record: Record) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: list(Replay(record, ("I", "II"), 0.001).arrivals(stop)))
    thread.start()
    stop.set()
    thread.join(timeout=1)
    assert not thread.is_alive()


@dataclass
class Counting:
    """A source that sends numbered samples, one at a time, as fast as they are taken; `sent` is how many."""

    patient: bool
    recorded: bool = True
    length: int = 100
    error: Exception | None = None
    name: str = "counting"
    rate: float = 500.0
    leads: tuple[str, ...] = ("I", "II")
    sent: int = 0

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival]:
        for index in range(self.length):
            self.sent = index + 1
            yield Arrival(time.monotonic(), np.full((12, 1), index, np.float32), index)
        if self.error:
            raise self.error


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ended(intake: Intake[Arrival | Notice]) -> bool:
    return not intake._thread.is_alive()


def test_a_full_queue_makes_a_file_wait() -> None:
    source = Counting(patient=True)
    intake = Intake(source, lambda: None, capacity=10)
    intake.start()
    wait_until(lambda: source.sent == 11)  # the eleventh waits for room
    taken, dropped = intake.take(4)
    assert ([arrival.index for arrival in taken], dropped) == ([0, 1, 2, 3], 0)
    found = taken
    while len(found) < 100:
        found += intake.take()[0]
    assert [arrival.index for arrival in found] == list(range(100))
    intake.wait()
    assert intake.is_over()


def test_a_full_queue_drops_the_oldest_of_a_device_and_counts() -> None:
    intake = Intake(Counting(patient=False), lambda: None, capacity=10)
    intake.start()
    intake.wait()
    assert not intake.is_over()
    taken, dropped = intake.take()
    assert ([arrival.index for arrival in taken], dropped) == (list(range(90, 100)), 90)
    assert intake.take() == ([], 0)
    assert intake.is_over()


def test_a_stop_ends_a_source_that_waits_for_room() -> None:
    source = Counting(patient=True)
    intake = Intake(source, lambda: None, capacity=2)
    intake.start()
    wait_until(lambda: source.sent == 3)
    intake.stop()
    intake.wait()
    assert [arrival.index for arrival in intake.take()[0]] == [0, 1]


def test_an_error_is_told_after_all_that_came_before_it() -> None:
    heard = threading.Event()
    intake = Intake(Counting(patient=True, length=3, error=SourceError("the cable was pulled")), heard.set)
    intake.start()
    intake.wait()
    assert heard.is_set()
    assert not intake.is_over()
    assert len(intake.take()[0]) == 3
    assert intake.is_over()
    assert str(intake.error) == "the cable was pulled"


def test_a_record_that_breaks_off_is_an_error(record: Record) -> None:
    record.path.with_suffix(".dat").unlink()
    intake = Intake(Replay(record, ("I", "II"), None), lambda: None)
    intake.start()
    intake.wait()
    assert "cannot be read" in str(intake.error)
