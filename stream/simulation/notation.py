"""How times, probabilities and faults are written."""

import re
from collections.abc import Iterable

from engine.errors import UsageError
from engine.leads import canonical
from stream.simulation.device import Burst, LeadOff, Span

SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
LONGEST_S = 1e9
"""Thirty years: what is longer was not meant."""
NUMBER_AND_UNIT = re.compile(r"(\d+\.?\d*|\.\d+)(ms|s|m|h|)")


def duration(option: str, text: str) -> float:
    """Seconds in ``2s``, ``500ms``, ``1m``, ``24h``; a number alone is seconds.

    Raises
    ------
    UsageError
        If it is no time.
    """
    found = NUMBER_AND_UNIT.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{option} {text}: '{text}' is no time; write for example 2s, 500ms or 1m")
    return between(option, float(found[1]) * SECONDS[found[2]], 0, LONGEST_S)


def longer_than_nothing(option: str, text: str) -> float:
    """A duration of more than 0 s.

    Raises
    ------
    UsageError
        If it is no time, or none at all.
    """
    seconds = duration(option, text)
    if seconds <= 0:
        raise UsageError(f"{option} {text}: give more than 0 s")
    return seconds


def probability(option: str, value: float) -> float:
    """From 0 to 1.

    Raises
    ------
    UsageError
        If it is not.
    """
    return between(option, value, 0, 1)


def between(option: str, value: float, least: float, most: float) -> float:
    """A number within limits.

    Raises
    ------
    UsageError
        If it lies beyond them.
    """
    if not least <= value <= most:  # also what is no number
        raise UsageError(f"{option} {value:g}: give {least:g} to {most:g}")
    return value


def burst(text: str | None) -> Burst | None:
    """``2s@30s``: for 2 s, every 30 s.

    Raises
    ------
    UsageError
        If it is not written so, or the next would begin before the end of the last.
    """
    if text is None:
        return None
    length, separator, every = text.partition("@")
    if not separator:
        raise UsageError(f"--burst {text}: write LENGTH@EVERY, for example --burst 2s@30s")
    found = Burst(longer_than_nothing("--burst", length), longer_than_nothing("--burst", every))
    if found.length >= found.every:
        raise UsageError(f"--burst {text}: nothing would be left; let LENGTH be less than EVERY, as in 2s@30s")
    return found


def unplugs(texts: Iterable[str]) -> tuple[Span, ...]:
    """``10s:5s``: at 10 s, for 5 s; ascending.

    Raises
    ------
    UsageError
        If one is not written so.
    """
    return tuple(sorted((_span("--unplug", text, text) for text in texts), key=lambda span: span.at))


def leads_off(texts: Iterable[str]) -> tuple[LeadOff, ...]:
    """``V4@10s:5s``: V4 at 10 s, for 5 s.

    Raises
    ------
    UsageError
        If one is not written so, or names no lead.
    """
    found = []
    for text in texts:
        name, _, span = text.partition("@")
        lead = canonical(name)
        if lead is None:
            raise UsageError(f"--lead-off {text}: '{name}' is not a lead; write for example --lead-off V4@10s:5s")
        found.append(LeadOff(lead, _span("--lead-off", text, span, f"{lead}@")))
    return tuple(found)


def times(option: str, texts: Iterable[str]) -> tuple[float, ...]:
    """Times of the device's timeline, ascending.

    Raises
    ------
    UsageError
        If one is no time.
    """
    return tuple(sorted(duration(option, text) for text in texts))


def _span(option: str, text: str, span: str, before: str = "") -> Span:
    at, separator, length = span.partition(":")
    if not separator or not at or not length:
        raise UsageError(f"{option} {text}: write {before}AT:FOR, for example {option} {before}10s:5s")
    return Span(duration(option, at), longer_than_nothing(option, length))
