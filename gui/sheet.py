"""The sheet: the page as a widget, which paints itself anew when its size, its screen or the user's view changes."""

import copy

from PyQt6.QtCore import QEvent, QRect, QRectF, QSize
from PyQt6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from engine.leads import Origin
from gui.history import History
from gui.page import PageInfo, View
from gui.paper import Geometry, Scale, arrange, print_paper, px_per_mm
from gui.sweep import Sweep
from gui.theme import DARK, LIGHT


class Sheet(QWidget):
    """The twelve leads on paper.

    Parameters
    ----------
    info : PageInfo
        The run.
    history : History
        Filled by the owner, who then calls `advance`.
    view : View
        How the page is wanted at first.
    """

    def __init__(self, info: PageInfo, history: History, view: View) -> None:
        super().__init__()
        self._info = info
        self._live = history
        self._shown = history  # while frozen: what there was then
        self._view = view
        self._leads_off: tuple[str, ...] = ()
        self._printed = self._words()
        self._sweep: Sweep | None = None
        self.geometry_mm: Geometry | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(560, 420))

    def begin(self, info: PageInfo, history: History, view: View) -> None:
        """Show another run, on paper of its own, and go on if it was frozen."""
        self._info = info
        self._live = self._shown = history
        self._leads_off = ()
        self.view = view

    @property
    def view(self) -> View:
        """How the page is wanted."""
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        self._view = view
        self._print()

    @property
    def frozen(self) -> bool:
        """Whether the page stands still while the stream goes on."""
        return self._shown is not self._live

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._shown = copy.deepcopy(self._live) if frozen else self._live
        self._print()

    def mark(self, leads_off: tuple[str, ...]) -> None:
        """Say in words which leads of the input carry no signal."""
        if not self.frozen:
            self._leads_off = leads_off

    def advance(self) -> None:
        """Paint what came into the history since the last time."""
        if self._sweep is None or self._words() != self._printed:
            self._print()
            return
        for area in self._sweep.advance(self._shown):
            self.update(self._logical(area))

    def _words(self) -> tuple[tuple[Origin, ...], tuple[str, ...], bool, bool]:
        """What is printed on the paper and can change while it runs."""
        return self._shown.origins, self._leads_off, self._shows_truth(), self._shown.has_begun

    def _shows_truth(self) -> bool:
        return self._view.truth and self._shown.has_truth

    def _print(self) -> None:
        """Lay out the page and paint all of it."""
        ratio = self.devicePixelRatioF()
        per_mm, true_size = px_per_mm(self.screen())
        scale = Scale(per_mm * ratio, true_size, ratio, self._view.speed, self._view.gain)
        geometry = arrange(round(self.width() * ratio), round(self.height() * ratio), scale, self._view)
        theme = DARK if self._view.dark else LIGHT
        origins, leads_off, truth, has_begun = self._printed = self._words()
        paper = print_paper(geometry, theme, self._info, origins, leads_off, truth=truth, has_begun=has_begun)
        self._sweep = Sweep(paper, geometry, theme, truth=truth, intervals=self._info.shows_intervals)
        self._sweep.repaint(self._shown)
        self.geometry_mm = geometry
        self.update()

    def _logical(self, area: QRect) -> QRect:
        ratio = self.devicePixelRatioF()
        return QRectF(area.x() / ratio, area.y() / ratio, area.width() / ratio, area.height() / ratio).toAlignedRect()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Copy the painted page to the screen, where it changed."""
        if event is None or self._sweep is None:
            return
        ratio = self.devicePixelRatioF()
        area = event.rect()  # what lies within it but not in the event's region, Qt clips away
        part = QRectF(area.x() * ratio, area.y() * ratio, area.width() * ratio, area.height() * ratio)
        painter = QPainter(self)
        painter.drawPixmap(QRectF(area), self._sweep.pixmap, part)
        painter.end()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Lay out the page for its new size."""
        super().resizeEvent(event)
        self._print()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the window to a screen with other millimetres."""
        super().showEvent(event)
        window = self.window()
        is_first = event is not None and not event.spontaneous()  # not when the desktop shows it again
        handle = window.windowHandle() if window is not None and is_first else None
        if handle is not None:
            handle.screenChanged.connect(self._print)

    def event(self, event: QEvent | None) -> bool:
        """Follow a change of the screen's pixel ratio."""
        if event is not None and event.type() == QEvent.Type.DevicePixelRatioChange:
            self._print()
        return super().event(event)
