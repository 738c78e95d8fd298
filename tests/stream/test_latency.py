"""The wait of each sample, weighed by samples."""

import pytest

from stream.latency import Latency


def test_nothing_is_known_before_the_first_estimate() -> None:
    latency = Latency()
    latency.arrival(10, 1.0)
    assert (latency.p50_ms, latency.p99_ms, latency.max_ms, latency.recent_ms) == (None, None, None, None)


def test_each_sample_counts_from_its_own_arrival() -> None:
    latency = Latency()
    latency.arrival(98, 1.000)
    latency.arrival(99, 1.020)
    latency.arrival(200, 1.050)
    latency.emitted(0, 60, 1.010)  # 60 samples of 10 ms
    latency.emitted(60, 100, 1.060)  # 38 of 60 ms, 1 of 40 ms, 1 of 10 ms
    assert latency.p50_ms == pytest.approx(10, abs=0.11)
    assert latency.p99_ms == pytest.approx(60, abs=0.11)
    assert latency.max_ms == pytest.approx(60)
    assert latency.recent_ms == pytest.approx(25)


def test_what_a_gap_holds_waits_for_nothing() -> None:
    latency = Latency()
    for turn in range(5000):
        latency.arrival(10 * turn + 10, float(turn))
        latency.passed(10 * turn)
    assert len(latency._arrivals) <= 2
    assert latency.max_ms is None
    latency.emitted(49_990, 50_000, 5000.0)
    assert latency.max_ms == pytest.approx(1000)


def test_memory_stays_and_the_longest_is_exact() -> None:
    latency = Latency()
    for turn in range(5000):
        latency.arrival(turn + 1, float(turn))
        latency.emitted(turn, turn + 1, turn + (20.0 if turn == 0 else 0.005))
    assert latency.max_ms == pytest.approx(20_000)
    assert latency.p50_ms == pytest.approx(5, abs=0.11)
    assert latency.recent_ms == pytest.approx(5)
    assert len(latency._arrivals) <= 1
    assert len(latency._recent) <= 50
