"""How times and faults are written, and what is said where they are not."""

import pytest

from engine.errors import UsageError
from stream.simulation import notation
from stream.simulation.device import Burst, Device, Faults, Format, LeadOff, Span, Unit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2), ("500ms", 0.5), ("1m", 60), ("24h", 86400), ("0.56s", 0.56), (".5s", 0.5), ("10", 10), (" 3s ", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert notation.duration("--seconds", text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "2 s", "2d", "1e3s", "nan", "inf", "2s@30s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match=r"--seconds .* is no time; write for example 2s, 500ms or 1m"):
        notation.duration("--seconds", text)


@pytest.mark.parametrize("text", ["1000000000h", "9" * 400])
def test_what_is_too_long(text: str) -> None:
    with pytest.raises(UsageError, match=r"--seconds .*: give 0 to 1e\+09"):
        notation.duration("--seconds", text)


def test_faults_are_read() -> None:
    assert notation.burst("2s@30s") == Burst(2, 30)
    assert notation.burst(None) is None
    assert notation.unplugs(["1m:5s", "10s:500ms"]) == (Span(10, 0.5), Span(60, 5))
    assert notation.leads_off(["v4@10s:5s", "II@1:2"]) == (LeadOff("V4", Span(10, 5)), LeadOff("II", Span(1, 2)))
    assert notation.times("--clock-reset", ["20s", "10s"]) == (10, 20)
    assert notation.probability("--loss", 0.5) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: notation.burst("2s"), "write LENGTH@EVERY, for example --burst 2s@30s"),
        (lambda: notation.burst("0s@30s"), "give more than 0 s"),
        (lambda: notation.burst("30s@30s"), "nothing would be left"),
        (lambda: notation.unplugs(["10s"]), "write AT:FOR, for example --unplug 10s:5s"),
        (lambda: notation.unplugs(["10s:0s"]), "give more than 0 s"),
        (lambda: notation.leads_off(["V9@1s:1s"]), "'V9' is not a lead"),
        (lambda: notation.leads_off(["V4"]), "write V4@AT:FOR, for example --lead-off V4@10s:5s"),
        (lambda: notation.probability("--loss", 1.5), "--loss 1.5: give 0 to 1"),
        (lambda: notation.probability("--loss", float("nan")), "--loss nan: give 0 to 1"),
        (lambda: Faults(unplugs=(Span(10, 5), Span(15, 1))), "at 15 s it is still unplugged since 10 s"),
        (lambda: Device("d", ("I", "II"), lead_off=(LeadOff("V4", Span(0, 1)),)), "--lead-off V4: this device sends I"),
        (lambda: Device("d", ("I",), format=Format.INT16, unit=Unit.MV), "holds whole mV only"),
    ],
)
def test_what_is_not_meant_so_is_said(call: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()  # type: ignore[operator]
