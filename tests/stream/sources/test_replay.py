"""A replayed record keeps its own time and can be stopped, and its errors arrive where its chunks do."""

import queue
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engine.leads import INDEX, LEADS
from stream.sources.record import Record, open_record
from stream.sources.replay import Arrival, Replay
from tests.stream.chunks import joined
from tests.stream.records import write_record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    rng = np.random.default_rng(1)
    return open_record(write_record(tmp_path / "r", rng.standard_normal((3600, 12)), LEADS, rate=360))


@pytest.mark.parametrize("chunk_ms", [1, 20, 7000])
def test_all_of_the_record_is_sent_and_only_the_input_is_measured(record: Record, chunk_ms: float) -> None:
    chunks = list(Replay(record, ("I", "II", "V4"), None, chunk_ms).chunks())
    held = record.read(0, record.n_samples)
    assert np.array_equal(joined(chunks, "truth"), held)
    samples = joined(chunks)
    measured = [INDEX[lead] for lead in ("I", "II", "V4")]
    assert np.array_equal(samples[measured], held[measured])
    assert np.isnan(np.delete(samples, measured, axis=0)).all()


def test_deadlines_are_absolute_so_that_time_does_not_drift(record: Record) -> None:
    arrivals: queue.Queue[Arrival] = queue.Queue()
    began = time.monotonic()
    Replay(record, ("I", "II"), speed=5).run(arrivals, threading.Event())
    times = []
    while isinstance(item := arrivals.get(), tuple):
        arrived, chunk = item
        times.append(arrived - began - (chunk.index + chunk.samples.shape[1]) / 360 / 5)
    assert item is None
    assert min(times) >= 0
    assert np.median(times[-50:]) < 0.02  # after 500 chunks no more than after the first
    assert len(times) == 515


def test_a_full_queue_makes_the_file_wait_and_a_stop_ends_it(record: Record) -> None:
    arrivals: queue.Queue[Arrival] = queue.Queue(maxsize=2)
    stop = threading.Event()
    replay = Replay(record, ("I", "II"), None)
    thread = threading.Thread(target=replay.run, args=(arrivals, stop))
    thread.start()
    first = [arrivals.get() for _ in range(20)]
    assert all(isinstance(item, tuple) for item in first)
    time.sleep(0.3)
    assert thread.is_alive()
    assert replay.waited > 0
    stop.set()
    thread.join(timeout=0.5)
    assert not thread.is_alive()


def test_a_stop_interrupts_a_long_wait(record: Record) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Replay(record, ("I", "II"), 0.001).run, args=(queue.Queue(), stop))
    thread.start()
    time.sleep(0.05)
    stop.set()
    thread.join(timeout=0.5)
    assert not thread.is_alive()


def test_an_error_arrives_where_the_chunks_do(record: Record) -> None:
    record.path.with_suffix(".dat").unlink()
    arrivals: queue.Queue[Arrival] = queue.Queue()
    Replay(record, ("I", "II"), None).run(arrivals, threading.Event())
    error = arrivals.get()
    assert isinstance(error, Exception)
    assert "cannot be read" in str(error)
