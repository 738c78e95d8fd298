"""The states of a source, told by events and times alone."""

import pytest

from stream.supervisor import LOST_S, STALE_S, State, Supervisor


def arrive(supervisor: Supervisor, now: float, packet_s: float = 0.02, signal: bool = True) -> State | None:
    return supervisor.arrived(now, packet_s=packet_s, signal=signal)


def test_it_waits_for_ever_for_the_first_samples() -> None:
    supervisor = Supervisor()
    assert supervisor.state is State.SEARCHING
    assert supervisor.passed(1e6) is None
    assert arrive(supervisor, 1e6) is State.LIVE
    assert arrive(supervisor, 1e6 + 0.02) is None


@pytest.mark.parametrize(("packet_s", "stale_s"), [(0.02, 1), (0.3, 1), (0.5, 1.5), (2, 6)])
def test_stale_after_a_second_or_three_packets(packet_s: float, stale_s: float) -> None:
    supervisor = Supervisor()
    arrive(supervisor, 10, packet_s)
    assert supervisor.passed(10 + stale_s - 0.01) is None
    assert supervisor.passed(10 + stale_s) is State.STALE
    assert supervisor.passed(10 + stale_s + 0.01) is None
    assert arrive(supervisor, 30 - 0.01, packet_s) is State.LIVE
    assert supervisor.passed(30 + stale_s + LOST_S) is State.LOST


def test_lost_and_back_and_live() -> None:
    supervisor = Supervisor()
    arrive(supervisor, 0)
    supervisor.passed(STALE_S)
    assert supervisor.passed(STALE_S + LOST_S) is State.LOST
    assert supervisor.passed(1e9) is None
    assert arrive(supervisor, 1e9) is State.BACK
    assert arrive(supervisor, 1e9 + 0.02) is State.LIVE


def test_samples_that_say_nothing_are_no_signal() -> None:
    supervisor = Supervisor()
    arrive(supervisor, 0)
    assert arrive(supervisor, 1, signal=False) is State.NO_SIGNAL
    assert arrive(supervisor, 1.02, signal=False) is None
    assert supervisor.passed(2.02) is State.STALE
    assert arrive(supervisor, 3, signal=False) is State.NO_SIGNAL
    assert arrive(supervisor, 3.02) is State.LIVE


def test_what_has_ended_stays_so() -> None:
    supervisor = Supervisor()
    arrive(supervisor, 0)
    assert supervisor.ended() is State.ENDED
    assert supervisor.ended() is None
    assert supervisor.passed(100) is None
    assert arrive(supervisor, 101) is None
