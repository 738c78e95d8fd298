"""The twelve leads: their order, their groups and where each sample of one comes from."""

from collections.abc import Iterable
from enum import IntEnum

from engine.errors import UsageError

RATE = 500
"""Samples per second of everything inside the program."""

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
LIMB = LEADS[:6]
CHEST = LEADS[6:]
INDEPENDENT = ("I", "II", *CHEST)
"""The eight leads that carry everything: twelve = matrix x eight."""

INDEX = {lead: row for row, lead in enumerate(LEADS)}
INDEPENDENT_ROWS = tuple(INDEX[lead] for lead in INDEPENDENT)

DISCLAIMER = "derived leads: for study, not for diagnosis"
"""Stands wherever derived leads are seen, saved or printed."""

_BY_FOLDED_NAME = {lead.casefold(): lead for lead in LEADS}


class Origin(IntEnum):
    """Where a sample of a lead comes from."""

    NONE = 0
    """Nothing arrived at this index: the sample is NaN."""
    MEASURED = 1
    COMPUTED = 2
    ESTIMATED = 3


def canonical(name: str) -> str | None:
    """The lead a channel's name stands for, or None.

    Case, surrounding blanks and a leading ``lead`` are ignored: ``avr``, ``Lead II`` and ``v1`` are known.
    """
    folded = name.strip().casefold()
    rest = folded.removeprefix("lead")
    if rest != folded:
        rest = rest.lstrip(" _-")
    return _BY_FOLDED_NAME.get(rest.rstrip(" _-"))  # -aVR is not aVR


def parse(names: str | Iterable[str]) -> tuple[str, ...]:
    """The leads named in a comma-separated string, in the order of `LEADS`.

    Raises
    ------
    UsageError
        If a name is no lead, or appears twice.
    """
    given = names.split(",") if isinstance(names, str) else list(names)
    found = []
    for name in given:
        lead = canonical(name)
        if lead is None:
            raise UsageError(f"'{name.strip()}' is not a lead; the leads are {', '.join(LEADS)}")
        if lead in found:
            raise UsageError(f"lead {lead} is named twice; name each lead once")
        found.append(lead)
    return tuple(sorted(found, key=INDEX.__getitem__))


def label(lead: str, origin: Origin) -> str:
    """The lead's name as it is shown: derived leads carry a ``d`` in front, as in ``dV1``."""
    return f"d{lead}" if origin in (Origin.COMPUTED, Origin.ESTIMATED) else lead
