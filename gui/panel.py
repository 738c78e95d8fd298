"""What stands around the page.

What has failed at the top, heart rate and state of the stream at the right, the run at the foot, and the help sheet.
"""

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.leads import DISCLAIMER
from gui.page import PageInfo
from gui.theme import Theme
from stream.status import FAILED, Status
from stream.supervisor import State

STATES: dict[str, tuple[str, str]] = {
    State.SEARCHING: ("Waiting", "for the first signal"),
    State.LIVE: ("Live", "signal arriving"),
    State.NO_SIGNAL: ("No signal", "all leads are off: check the electrodes"),
    State.STALE: ("Interrupted", "nothing arriving"),
    State.LOST: ("Source lost", "nothing arriving any more: check the device"),
    State.BACK: ("Back", "signal arriving again"),
    State.ENDED: ("Ended", "the stream is over"),
    FAILED: ("Failed", "the stream has stopped"),
}
"""Each state in a word or two, and what it means."""
CALLING = (State.NO_SIGNAL, State.STALE, State.LOST, FAILED)
"""States that somebody should look at."""
RATE_HOLDS = (State.LIVE, State.BACK, State.ENDED)
"""States in which the heart rate is that of the end of the trace; in all others it is one that may be no more."""
UNKNOWN = "--"
LIMB_ADVICE = "with the other limb leads: look for a swapped or loose electrode"
MOST_FAILURES = 3
"""So many at once: what has failed must not push the page away."""


class Failure(QLabel):
    """The strip over the page that says what has failed: the stream, then its sinks; away while nothing has."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setIndent(0)
        self.hide()

    def show_status(self, status: Status) -> None:
        """Put all that has failed into words, each on a line of its own."""
        sinks = list(status.failures[-MOST_FAILURES:])
        if earlier := len(status.failures) - len(sinks):
            sinks.append(f"and {earlier} more before")
        text = "\n".join([*([status.message] if status.message else []), *sinks])
        if text != self.text():
            self.setText(text)
            self.setVisible(bool(text))

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self.setStyleSheet(
            f"background: {theme.warning}; color: {theme.paper}; padding: 9px 14px; font-size: 14px; font-weight: 600"
        )


class Panel(QWidget):
    """The heart rate, large enough to read from across the room, and the state of the stream in words."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(208)  # a rate of three digits fits
        self._theme: Theme | None = None
        self._shown = (Status(), False)
        self.rate = _label("rate")
        self.under_rate = _label("underRate")
        self.state = _label("state")
        self.detail = _label("detail")
        self.leads_off = _label("called")
        self.limb_leads = _label("called")
        self.limb_advice = _label("advice", LIMB_ADVICE)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 30, 12, 16)
        column.setSpacing(0)
        title = _label("title", "Heart rate")
        parts = (title, self.rate, self.under_rate, self.state, self.detail)
        for part in (*parts, self.leads_off, self.limb_leads, self.limb_advice):
            column.addWidget(part)
        column.addStretch()
        self._write_words()

    def show_status(self, status: Status, *, frozen: bool) -> None:
        """Put the newest status into words."""
        if self._shown != (status, frozen):
            self._shown = (status, frozen)
            self._write_words()
            self._paint_words()

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self._paint_words()

    def _write_words(self) -> None:
        status, frozen = self._shown
        word, meaning = STATES[status.state]
        is_sure = status.heart_rate is not None and status.state in RATE_HOLDS
        self.rate.setText(f"{status.heart_rate:.0f}" if is_sure else UNKNOWN)
        self.under_rate.setText("per minute" if is_sure else status.why_no_rate)
        self.state.setText("Frozen" if frozen else word)
        self.detail.setText(f"{word}\n{meaning}\nspace resumes" if frozen else meaning)
        self.leads_off.setText(f"Lead off: {' '.join(status.leads_off)}")
        self.leads_off.setVisible(bool(status.leads_off))
        disagree = "disagrees" if len(status.limb_leads) == 1 else "disagree"
        self.limb_leads.setText(f"{' '.join(status.limb_leads)} {disagree}")
        for label in (self.limb_leads, self.limb_advice):
            label.setVisible(bool(status.limb_leads))

    def _paint_words(self) -> None:
        if self._theme is None:
            return
        status, frozen = self._shown
        calls = status.state in CALLING
        state = self._theme.warning if calls or frozen else self._theme.text
        detail = self._theme.text if calls else self._theme.quiet
        style = (
            f"QLabel {{ color: {self._theme.quiet}; font-size: 13px }}"
            f"#rate {{ font-size: 84px; font-weight: 600; margin-left: -4px; color: {self._theme.text} }}"
            "#underRate { min-height: 48px; padding-bottom: 12px }"  # three lines, so that a reason moves nothing
            f"#state {{ font-size: 22px; font-weight: 600; color: {state} }}"
            f"#detail {{ color: {detail} }}"
            f"#called {{ font-size: 15px; font-weight: 600; color: {self._theme.warning}; margin-top: 14px }}"
            f"#advice {{ color: {self._theme.text} }}"
        )
        if style != self.styleSheet():
            self.setStyleSheet(style)


def _label(name: str, text: str = "") -> QLabel:
    """Words in a column: wrapped, and just as they are."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setIndent(0)
    label.setWordWrap(name not in ("rate", "state"))
    return label


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
        latency = UNKNOWN if status.latency_ms is None else f"{status.latency_ms:.0f}"
        self.run.text = "  ·  ".join(
            [
                STATES[status.state][0],
                f"latency {latency} ms",
                f"look-ahead {self._info.look_ahead_ms:g} ms",
                f"dropped {status.dropped}",
                *([f"skipped {status.frames_skipped} frames"] if status.frames_skipped else []),
                *([f"lost {status.lost} samples"] if status.lost else []),
                self._info.model,  # here, as it is the end of the line that is shortened
                self._info.backend,
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
