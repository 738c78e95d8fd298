"""What stands on the page: the run it shows, the layouts, and how the user wants to see it."""

from dataclasses import dataclass, replace

from engine.leads import LEADS, LIMB, Origin

GAINS = (5.0, 10.0, 20.0)
"""mm/mV"""
SPEEDS = (12.5, 25.0, 50.0)
"""mm/s"""
INTERVAL_BANDS = ("monitor",)
"""Filters under which 90 % intervals are drawn: where they hold. Of what the page draws of PTB-XL's test fold, .878 lay
within them under ``monitor``, but only .656 under ``diagnostic`` and .705 under ``none``."""


@dataclass(frozen=True)
class PageInfo:
    """The run that the page shows; while its source is still searched for, what is known of it.

    Attributes
    ----------
    record : str
        What is replayed or streamed, or looked for.
    leads_in : tuple of str
        The measured leads; none while the source is searched for.
    model, backend : str
        The network and what runs it; empty where not known.
    look_ahead_ms : float
        How long an estimate waits for later samples.
    filter : str
        What the screen shows: ``monitor``, ``diagnostic`` or ``none``.
    synthetic : bool
        Whether nobody's heart was recorded.
    show_truth : bool
        Whether the recording's own leads stand behind the estimates from the start.
    remote : str
        The host and port that a stream derived elsewhere comes from; empty where it is derived here.
    """

    record: str
    leads_in: tuple[str, ...] = ()
    model: str = ""
    backend: str = ""
    look_ahead_ms: float = 0.0
    filter: str = "monitor"
    synthetic: bool = False
    show_truth: bool = False
    remote: str = ""

    @property
    def is_found(self) -> bool:
        """Whether the source is known."""
        return bool(self.leads_in)

    @property
    def shows_intervals(self) -> bool:
        """Whether estimates stand on their 90 % interval."""
        return self.filter in INTERVAL_BANDS


class PageBox:
    """Where the screen finds its page, and any thread may put another one, before the first item of its stream.

    Parameters
    ----------
    page : PageInfo
        The first.

    Attributes
    ----------
    page : PageInfo
        The newest; it is read and set whole.
    """

    def __init__(self, page: PageInfo) -> None:
        self.page = page


@dataclass(frozen=True)
class Layout:
    """Rows of leads, top to bottom; the leads of a row share its width."""

    name: str
    rows: tuple[tuple[str, ...], ...]


LAYOUTS = (
    Layout("3x4", (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"), ("II",))),
    Layout("12x1", tuple((lead,) for lead in LEADS)),
)


@dataclass(frozen=True)
class View:
    """How the user wants to see the page; each key makes the next one of it.

    Attributes
    ----------
    layout : Layout
        One of `LAYOUTS`.
    gain : float
        mm/mV, one of `GAINS`.
    speed : float
        mm/s, one of `SPEEDS`.
    dark, truth : bool
        Dark theme; the recording's own leads behind the estimates.
    """

    layout: Layout = LAYOUTS[0]
    gain: float = 10.0
    speed: float = 25.0
    dark: bool = False
    truth: bool = False

    def next_layout(self) -> "View":
        """The other layout."""
        return replace(self, layout=LAYOUTS[(LAYOUTS.index(self.layout) + 1) % len(LAYOUTS)])

    def next_speed(self) -> "View":
        """The next faster speed, after the fastest the slowest."""
        return replace(self, speed=SPEEDS[(SPEEDS.index(self.speed) + 1) % len(SPEEDS)])

    def more_gain(self, steps: int) -> "View":
        """A larger gain, or with -1 a smaller one; it stays at the ends."""
        return replace(self, gain=GAINS[min(max(GAINS.index(self.gain) + steps, 0), len(GAINS) - 1)])


def expected_origins(leads_in: tuple[str, ...]) -> tuple[Origin, ...]:
    """Where each of the twelve leads will come from, before the first sample says so; with no leads nobody knows."""
    if not leads_in:
        return (Origin.NONE,) * len(LEADS)
    measured = set(leads_in)
    limb_is_known = sum(lead in measured for lead in LIMB) >= 2
    return tuple(
        Origin.MEASURED if lead in measured else Origin.COMPUTED if lead in LIMB and limb_is_known else Origin.ESTIMATED
        for lead in LEADS
    )
