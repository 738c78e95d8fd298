"""What stands around the page: heart rate and state of the stream at the right, the run at the foot, the help sheet."""

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.leads import DISCLAIMER
from gui.page import PageInfo
from gui.theme import Theme
from stream.items import Status

STATES = {
    "searching": ("Waiting", "for the first signal"),
    "live": ("Live", "signal arriving"),
    "stale": ("Signal lost", "nothing arriving"),
    "ended": ("Ended", "the record is over"),
    "failed": ("Failed", "the stream has stopped"),
}
"""Each state in a word, and what it means."""
CALLING = ("stale", "failed")
"""States that somebody should look at."""
RATE_HOLDS = ("live", "ended")
"""States in which the heart rate is that of the end of the trace; in all others it is one that may be no more."""
UNKNOWN_RATE = "--"


class Panel(QWidget):
    """The heart rate, large enough to read from across the room, and the state of the stream in words."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(208)  # a rate of three digits fits
        self._theme: Theme | None = None
        self._shown: tuple[Status, bool] | None = None
        self.rate = QLabel(UNKNOWN_RATE)
        self.state = QLabel()
        self.detail = QLabel()
        self.leads_off = QLabel()
        for label in (self.detail, self.leads_off):
            label.setWordWrap(True)
        title, unit = QLabel("Heart rate"), QLabel("per minute")
        for quiet in (title, unit, self.detail):
            quiet.setProperty("quiet", True)
        self.rate.setObjectName("rate")
        self.state.setObjectName("state")
        self.leads_off.setObjectName("leadsOff")
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 30, 12, 16)
        column.setSpacing(0)
        for widget in (title, self.rate, unit):
            column.addWidget(widget)
        column.addSpacing(34)
        for widget in (self.state, self.detail):
            column.addWidget(widget)
        column.addSpacing(14)
        column.addWidget(self.leads_off)
        column.addStretch()

    def show_status(self, status: Status, frozen: bool) -> None:
        """Put the newest status into words."""
        if self._shown == (status, frozen):
            return
        self._shown = (status, frozen)
        word, meaning = STATES[status.state]
        is_sure = status.heart_rate is not None and status.state in RATE_HOLDS
        self.rate.setText(f"{status.heart_rate:.0f}" if is_sure else UNKNOWN_RATE)
        self.state.setText("Frozen" if frozen else word)
        self.detail.setText(f"{word}: {meaning}\nspace resumes" if frozen else meaning)
        self.leads_off.setText(f"Lead off: {' '.join(status.leads_off)}" if status.leads_off else "")
        self._paint_words()

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self._paint_words()

    def _paint_words(self) -> None:
        if self._theme is None:
            return
        calls = self._shown is not None and (self._shown[0].state in CALLING or self._shown[1])
        state = self._theme.warning if calls else self._theme.text
        self.setStyleSheet(
            f"QLabel {{ color: {self._theme.text}; font-size: 13px }}"
            f"QLabel[quiet=true] {{ color: {self._theme.quiet} }}"
            "#rate { font-size: 84px; font-weight: 600; margin-left: -4px }"
            f"#state {{ font-size: 22px; font-weight: 600; color: {state} }}"
            f"#leadsOff {{ font-size: 15px; font-weight: 600; color: {self._theme.warning} }}"
        )


class Line(QWidget):
    """One line of text that is shortened where it does not fit."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """All of it; also shown where the pointer rests."""
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.setToolTip(text)
            self.update()

    def sizeHint(self) -> QSize:
        """As high as a line."""
        return QSize(80, self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Write as much as fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        line = self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, line)
        painter.end()


class Foot(QWidget):
    """The status bar: how the run is doing at the left, what derived leads are for at the right."""

    def __init__(self, info: PageInfo) -> None:
        super().__init__()
        self._info = info
        self.run = Line()
        self.disclaimer = QLabel(DISCLAIMER)
        self.disclaimer.setObjectName("disclaimer")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 7)
        row.setSpacing(24)
        row.addWidget(self.run, 1)
        row.addWidget(self.disclaimer)

    def show_status(self, status: Status) -> None:
        """Put the newest figures on the line."""
        latency = UNKNOWN_RATE if status.latency_ms is None else f"{status.latency_ms:.0f}"
        self.run.text = "   ·   ".join(
            [
                STATES[status.state][0],
                f"latency {latency} ms",
                f"look-ahead {self._info.look_ahead_ms:g} ms",
                self._info.model,
                self._info.backend,
                f"dropped {status.dropped}",
                *([f"skipped {status.frames_skipped}"] if status.frames_skipped else []),
            ]
        )

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self.setStyleSheet(
            f"Line, QLabel {{ color: {theme.quiet}; font-size: 12px }}"
            f"#disclaimer {{ color: {theme.text}; font-weight: 600 }}"
        )


class Help(QFrame):
    """The sheet of keys, over the page."""

    def __init__(self, parent: QWidget, keys: list[tuple[str, str]]) -> None:
        super().__init__(parent)
        self.setObjectName("help")
        grid = QGridLayout(self)
        grid.setContentsMargins(34, 26, 40, 28)
        grid.setHorizontalSpacing(26)
        grid.setVerticalSpacing(9)
        title = QLabel("Keys")
        title.setObjectName("title")
        grid.addWidget(title, 0, 0, 1, 2)
        for row, (key, words) in enumerate(keys, start=1):
            name = QLabel(key)
            name.setObjectName("key")
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(QLabel(words), row, 1)
        self.hide()

    def toggle(self) -> None:
        """Show it in the middle of the window, or hide it."""
        if self.isVisible():
            self.hide()
            return
        self.adjustSize()
        self.centre()
        self.show()
        self.raise_()

    def centre(self) -> None:
        """Stand in the middle of the window."""
        parent = self.parentWidget()
        if parent is not None:
            self.move((parent.width() - self.width()) // 2, (parent.height() - self.height()) // 2)

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self.setStyleSheet(
            f"#help {{ background: {theme.paper}; border: 1px solid {theme.line}; border-radius: 8px }}"
            f"QLabel {{ color: {theme.text}; font-size: 14px }}"
            "#title { font-size: 18px; font-weight: 600 }"
            f"#key {{ color: {theme.text}; background: {theme.window}; border: 1px solid {theme.line};"
            " border-radius: 4px; padding: 2px 8px; font-weight: 600 }"
        )
