"""What can be the matter with a source's count or clock."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Which kind of thing."""

    GAP = "gap"
    """Samples are missing; `value` is how many."""
    DUPLICATE = "duplicate"
    """Samples came a second time and were left out; `value` is how many."""
    REORDER = "reorder"
    """Samples came after later ones; `value` is how many. They are in their place, unless the text says too late."""
    STEP_BACK = "step back"
    """The source's clock went back a little, and its samples went on; `value` is how far, s."""
    RESET = "reset"
    """The source's clock or count began anew; `value` is how far it leapt, s."""
    RATE = "rate"
    """The source samples at another rate than it declares; `value` is the fitted one, Hz."""
    REFUSED = "refused"
    """Samples with a count that cannot be were left out; `value` is how many."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was the matter.

    Attributes
    ----------
    fault : Fault
        Which kind of thing.
    index : int
        Where: a sample index at the source's rate.
    value : float
        How much, in the unit that the fault names.
    text : str
        One line for people.
    """

    fault: Fault
    index: int
    value: float
    text: str
