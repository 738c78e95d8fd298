"""The colours of the page and the window, by day and by night."""

from dataclasses import dataclass

from PyQt6.QtGui import QColor

from engine.leads import Origin


@dataclass(frozen=True)
class Theme:
    """Colours, each written as ``#rrggbb``.

    Attributes
    ----------
    paper, fine, bold : str
        The page, its 1 mm and its 5 mm lines.
    measured, computed, estimated, truth : str
        Inks of the traces.
    interval : float
        Opacity of the 90 % interval in the estimated ink.
    text, quiet, warning : str
        Words that matter, words that wait, words that call.
    window, line : str
        What surrounds the page, and the hairlines on it.
    """

    paper: str
    fine: str
    bold: str
    measured: str
    computed: str
    estimated: str
    truth: str
    interval: float
    text: str
    quiet: str
    warning: str
    window: str
    line: str

    def ink(self, origin: Origin) -> str:
        """The ink of a trace, and of its name."""
        return {Origin.MEASURED: self.measured, Origin.COMPUTED: self.computed}.get(origin, self.estimated)

    def dim(self, ink: str) -> QColor:
        """An ink as thin as provisional samples are: opaque, so that its strokes do not darken where they cross."""
        return mixed(ink, self.paper, 0.42)


def mixed(ink: str, ground: str, opacity: float) -> QColor:
    """The opaque colour of an ink of this opacity on a ground."""
    top, bottom = QColor(ink), QColor(ground)
    return QColor(
        *(
            round(opacity * over + (1 - opacity) * under)
            for over, under in zip(top.getRgb()[:3], bottom.getRgb()[:3], strict=True)
        )
    )


PEN_WIDTHS = {Origin.MEASURED: 1.5, Origin.COMPUTED: 1.1, Origin.ESTIMATED: 1.3}
"""Pixels; measured is the strongest."""
TRUTH_PEN_WIDTH = 1.2

LIGHT = Theme(
    paper="#fffcf7",
    fine="#f8e7e1",
    bold="#efcdc4",
    measured="#15171c",
    computed="#545a66",
    estimated="#1c58b0",
    truth="#a3a09b",
    interval=0.20,
    text="#1d2026",
    quiet="#6c6761",
    warning="#b3401f",
    window="#f4efe8",
    line="#e2dad0",
)

DARK = Theme(
    paper="#0d1012",
    fine="#14191b",
    bold="#1e2528",
    measured="#f0f4ee",
    computed="#a9b3ae",
    estimated="#66b0f2",
    truth="#71787a",
    interval=0.26,
    text="#e8ece8",
    quiet="#8a9391",
    warning="#f0936c",
    window="#15191b",
    line="#262d30",
)
