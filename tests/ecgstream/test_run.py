"""A run's threads: they end, whatever happens, and say how it went."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from ecgstream.run import Run
from engine.errors import SinkError, SourceError
from engine.model import load
from engine.reconstruction import Engine
from stream.bed import Bed
from stream.items import Block, Chunk
from stream.sinks.mailbox import Mailbox
from stream.sources.record import Record, open_record
from stream.sources.replay import Replay
from tests.ecgstream.command import BUNDLED
from tests.ecgstream.test_convert import MEASURED, Kept


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


@pytest.fixture
def record() -> Record:
    return open_record(BUNDLED)


def a_run(engine: Engine, record: Record, sinks: list, speed: float | None, mailbox: Mailbox | None = None) -> Run:
    replay = Replay(record, MEASURED, speed)
    return Run(replay, record.rate, Bed(engine, record.rate), sinks, mailbox, real_time=speed is not None)


def wait_until(true: object) -> None:
    deadline = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_sample_goes_to_every_sink_once_and_in_order(engine: Engine, record: Record) -> None:
    kept, other, mailbox = Kept(), Kept(), Mailbox(10_000)
    run = a_run(engine, record, [kept, other], None, mailbox)
    assert mailbox.status.state == "searching"
    run.start()
    run.wait()
    assert mailbox.status.state == "ended"
    assert not run.stop.is_set()  # a screen stays open
    assert mailbox.status.heart_rate == pytest.approx(70, abs=5)
    for blocks in (kept.blocks, other.blocks, mailbox.drain()):
        assert [block.start for block in blocks] == [0, *(block.end for block in blocks[:-1])]
        assert blocks[-1].end == record.n_samples
    assert kept.closed == other.closed == 1


def test_the_first_estimates_come_within_a_second(engine: Engine, record: Record) -> None:
    first: list[float] = []

    class Watch(Kept):
        def push(self, block: Block) -> None:
            first.append(time.monotonic())

    run = a_run(engine, record, [Watch()], 1)
    began = time.monotonic()
    run.start()
    wait_until(lambda: first)
    run.stop.set()
    run.wait()
    assert first[0] - began < 1


def test_stop_ends_both_threads_soon(engine: Engine, record: Record) -> None:
    kept = Kept()
    run = a_run(engine, record, [kept], 1)
    run.start()
    wait_until(lambda: kept.blocks)
    began = time.monotonic()
    run.stop.set()
    run.wait()
    assert time.monotonic() - began < 0.5
    assert kept.closed == 1
    assert kept.blocks[-1].end < record.n_samples


@pytest.mark.parametrize("when", ["push", "close"])
def test_a_sink_that_fails_ends_the_run_and_the_others_are_closed(engine: Engine, record: Record, when: str) -> None:
    class Failing(Kept):
        def push(self, block: Block) -> None:
            if when == "push":
                raise SinkError("the disk is full")

        def close(self) -> None:
            if when == "close":
                raise SinkError("the disk is full")

    kept, mailbox = Kept(), Mailbox()
    run = a_run(engine, record, [Failing(), kept], None, mailbox)
    run.start()
    with pytest.raises(SinkError, match="full"):
        run.wait()
    assert kept.closed == 1
    assert (mailbox.status.state, mailbox.status.message) == ("failed", "the disk is full")


def test_a_source_that_fails_ends_the_run(engine: Engine, record: Record) -> None:
    class Broken(Replay):
        def chunks(self) -> Iterator[Chunk]:
            yield from list(super().chunks())[:50]
            raise SourceError("the cable was pulled")

    kept, mailbox = Kept(), Mailbox()
    broken = Broken(record, MEASURED, None)
    run = Run(broken, record.rate, Bed(engine, record.rate), [kept], mailbox, real_time=False)
    run.start()
    with pytest.raises(SourceError, match="cable"):
        run.wait()
    assert mailbox.status.state == "failed"
    assert kept.blocks[-1].end >= 400  # what had come was not lost
    assert not [thread for thread in threading.enumerate() if thread.name in ("source", "engine")]


def test_silence_is_told(engine: Engine, record: Record) -> None:
    class Silent(Replay):
        def chunks(self) -> Iterator[Chunk]:
            yield from list(super().chunks())[:50]
            wait_until(lambda: mailbox.status.state == "stale")
            yield from list(super().chunks())[50:100]

    mailbox = Mailbox()
    run = Run(Silent(record, MEASURED, None), record.rate, Bed(engine, record.rate), [], mailbox)
    run.start()
    run.wait()
    assert mailbox.status.state == "ended"


def test_an_engine_that_is_late_skips_frames_and_loses_no_sample(record: Record) -> None:
    class Slow(Engine):
        def estimate(self, samples: np.ndarray, keep: int):  # type: ignore[no-untyped-def]
            time.sleep(0.05)
            return super().estimate(samples, keep)

    fast = load()
    slow = Slow(
        fast._backend,
        name=fast.name,
        stride=fast.stride,
        look_ahead=fast.look_ahead,
        left_context=fast.left_context,
    )
    kept = Kept()
    bed = Bed(slow, record.rate)
    run = Run(Replay(record, MEASURED, 16), record.rate, bed, [kept])
    run.start()
    run.wait()
    assert bed.frames_skipped > 100
    leads = kept.joined("leads")
    assert leads.shape[1] == record.n_samples
    assert np.isfinite(leads).all()
    p99 = run.latency.p99_ms
    assert p99 is not None
    assert p99 < 1000  # it does not fall behind
