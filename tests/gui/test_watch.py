"""What a screen times itself, by clocks that the test turns."""

import math
import time
from collections.abc import Iterator

import pytest

from gui.watch import CLOCK_FAULT_S, Times, Watch, duration, of_day
from stream.status import Status

NOON = 1_785_000_000.0


class Clocks:
    """Both of a host's clocks: what was `NOON` at 0 s."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return NOON + self.now + self.step


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> Watch:
    return Watch(clocks.monotonic, clocks.unix)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_silence_counts_from_what_was_known_last(watch: Watch, clocks: Clocks) -> None:
    assert watch.read(Status(), 0, came=False) == Times()
    clocks.now = 3.9
    assert watch.read(Status(), 0, came=False).silent_s == 3
    assert watch.read(Status(), 40, came=True).silent_s == 0
    clocks.now = 3.9 + 7.5
    assert watch.read(Status(), 40, came=False).silent_s == 7
    clocks.step = -3600  # a clock that is set says nothing of silence
    assert watch.read(Status(), 40, came=False).silent_s == 7
    watch.restart()
    assert watch.read(Status(), 0, came=False).silent_s == 0


def test_the_age_is_the_median_of_a_second_when_it_came(watch: Watch, clocks: Clocks) -> None:
    """Sample i is taken at i / 500 s and is settled when the clock says so."""
    status = Status(time=NOON, time_index=0)
    ages = []
    for hop, delay in enumerate([0.1, 0.12, 0.15] * 10):
        settled = 40 * (hop + 1)
        clocks.now = settled / 500 + delay
        ages.append(watch.read(status, settled, came=True).age_ms)
        clocks.now += 0.01
        watch.read(status, settled, came=False)  # looking again makes nothing older
    assert ages[:10] == [None] * 10
    known = {round(age, 2) for age in ages if age is not None}
    assert known == {122.0}  # one sample, 2 ms, before the end of the block
    watch.restart()
    assert watch.read(status, 40, came=False).age_ms is None


def test_without_a_time_there_is_no_age(watch: Watch, clocks: Clocks) -> None:
    clocks.now = 5
    assert watch.read(Status(), 40, came=True) == Times()


@pytest.mark.usefixtures("in_berlin")
def test_the_time_of_day_is_that_of_the_newest_sample(watch: Watch) -> None:
    status = Status(time=NOON, time_index=5000)
    assert time.strftime("%H:%M:%S", time.gmtime(NOON)) == "17:20:00"
    assert watch.read(status, 5001, came=True).of_day == "19:20:00"
    assert watch.read(status, 5001 + 500 * 61, came=True).of_day == "19:21:01"
    assert watch.read(status, 0, came=False).of_day == ""
    assert watch.read(Status(), 5001, came=True).of_day == ""


@pytest.mark.parametrize("unix", [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e17])
def test_a_time_that_is_none_is_not_shown(unix: float) -> None:
    assert of_day(unix) == ""


def test_a_fault_of_the_clock_is_new_for_a_while(watch: Watch, clocks: Clocks) -> None:
    def is_new(faults: int) -> bool:
        return watch.read(Status(clock_faults=faults), 0, came=False).clock_fault

    assert not is_new(0)
    clocks.now = 100
    assert is_new(1)
    clocks.now = 100 + CLOCK_FAULT_S - 0.1
    assert is_new(1)
    assert is_new(2)
    clocks.now = 100 + CLOCK_FAULT_S + 1
    assert is_new(2)
    clocks.now = 100 + 2 * CLOCK_FAULT_S
    assert not is_new(2)
    watch.restart()
    assert not is_new(2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_durations_are_words_that_stay_on_a_line(seconds: int, words: str) -> None:
    assert duration(seconds) == words.replace(" ", "\N{NO-BREAK SPACE}")
