"""What stands around the page.

What has failed at the top, heart rate and state of the stream at the right, the run at the foot, and the help sheet.
"""

from dataclasses import replace

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.leads import DISCLAIMER
from gui.page import PageInfo
from gui.theme import Theme
from gui.watch import Times, duration
from gui.words import Room, fitted
from stream.status import FAILED, Status
from stream.supervisor import State

STATES: dict[str, tuple[str, str]] = {
    State.SEARCHING: ("Waiting", "for the first signal: {}"),
    State.LIVE: ("Live", "signal arriving"),
    State.NO_SIGNAL: ("No signal", "all leads off for {}:\ncheck the electrodes"),
    State.STALE: ("Interrupted", "nothing arriving for {}"),
    State.LOST: ("Source lost", "nothing for {}:\ncheck the device"),
    State.BACK: ("Back", "signal arriving again"),
    State.ENDED: ("Ended", "the stream is over"),
    FAILED: ("Failed", "the stream has stopped"),
}
"""Each state in a word or two, and what it means; ``{}`` is for how long."""
UNFOUND: dict[str, tuple[str, str]] = {
    State.SEARCHING: ("Searching", "for the source"),
    FAILED: ("Failed", "there is no source"),
}
"""The same while the source is not found."""
CALLING = (State.NO_SIGNAL, State.STALE, State.LOST, FAILED)
"""States that somebody should look at."""
RATE_HOLDS = (State.LIVE, State.BACK, State.ENDED)
"""States in which the heart rate is that of the end of the trace; in all others it is one that may be no more."""
UNKNOWN = "--"
LIMB_ADVICE = "with the other limb leads: look for a swapped or loose electrode"
WIDTH, LEFT, RIGHT = 232, 20, 12
"""Of the panel, and of the white in it; a rate of three digits fits."""
NOTICE = Room(width=WIDTH - LEFT - RIGHT - 12, font=15, characters=180)
SHORTER, SHORTEST = replace(NOTICE, characters=100), replace(NOTICE, characters=50)
MOST_AGE_MS = 10_000.0
"""What is older when it comes, by the two hosts' clocks, shows that these differ."""
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
    """The heart rate, large enough to read from across the room, and the state of the stream in words.

    Parameters
    ----------
    info : PageInfo
        The run.
    """

    def __init__(self, info: PageInfo) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self._info = info
        self._theme: Theme | None = None
        self._shown = (Status(), Times(), False)
        self.rate = _label("rate")
        self.under_rate = _label("underRate")
        self.state = _label("state")
        self.detail = _label("detail")
        self.notice = _label("notice")
        self.leads_off = _label("called")
        self.limb_leads = _label("called")
        self.limb_advice = _label("advice", LIMB_ADVICE)
        self.clock = _label("clock")
        self.time = _label("time")
        self.under_time = _label("underTime", "newest sample")
        column = QVBoxLayout(self)
        column.setContentsMargins(LEFT, 26, RIGHT, 12)
        column.setSpacing(0)
        title = _label("title", "Heart rate")
        for part in (title, self.rate, self.under_rate, self.state, self.detail, self.notice):
            column.addWidget(part)
        for part in (self.leads_off, self.limb_leads, self.limb_advice, self.clock):
            column.addWidget(part)
        column.addStretch()
        column.addWidget(self.time)
        column.addWidget(self.under_time)
        self._write_words()

    def begin(self, info: PageInfo) -> None:
        """Stand beside another page."""
        self._info = info
        self._refresh()

    def show_status(self, status: Status, times: Times, *, frozen: bool) -> None:
        """Put the newest status into words."""
        if self._shown != (status, times, frozen):
            self._shown = (status, times, frozen)
            self._refresh()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Say as much as there is room for."""
        super().resizeEvent(event)
        self._make_room()

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self._paint_words()

    def _refresh(self) -> None:
        self._write_words()
        self._paint_words()
        self._make_room()

    def _write_words(self) -> None:
        status, times, frozen = self._shown
        word, meaning = state_words(status.state, self._info)
        meaning = meaning.format(duration(times.silent_s))
        is_sure = status.heart_rate is not None and status.state in RATE_HOLDS
        self.rate.setText(f"{status.heart_rate:.0f}" if is_sure else UNKNOWN)
        self.under_rate.setText("per minute" if is_sure else status.why_no_rate)
        self.state.setText("Frozen" if frozen else word)
        self.detail.setText(f"{word}\n{meaning}\nspace resumes" if frozen else meaning)
        notice = status.notice if self._info.is_found else ""  # else the page itself has room for it
        _write(self.notice, fitted(notice, NOTICE))
        _write(self.leads_off, f"Lead off: {' '.join(status.leads_off)}" if status.leads_off else "")
        disagree = "disagrees" if len(status.limb_leads) == 1 else "disagree"
        _write(self.limb_leads, f"{' '.join(status.limb_leads)} {disagree}" if status.limb_leads else "")
        self.clock.setText(fitted(status.clock, NOTICE) if times.clock_fault else "")
        self.time.setText(times.of_day)

    def _paint_words(self) -> None:
        if self._theme is None:
            return
        status, _, frozen = self._shown
        calls = status.state in CALLING
        state = self._theme.warning if calls or frozen else self._theme.text
        detail = self._theme.text if calls else self._theme.quiet
        style = (
            f"QLabel {{ color: {self._theme.quiet}; font-size: 13px }}"
            f"#rate {{ font-size: 84px; font-weight: 600; margin-left: -4px; color: {self._theme.text} }}"
            "#underRate { min-height: 48px; padding-bottom: 12px }"  # three lines, so that a reason moves nothing
            f"#state {{ font-size: 22px; font-weight: 600; color: {state} }}"
            f"#detail {{ font-size: 14px; color: {detail}; min-height: 36px }}"  # two lines
            f"#notice, #clock {{ font-size: 15px; color: {self._theme.text}; margin-top: 12px;"
            f" border: 0px; border-left: 3px solid {self._theme.warning}; padding-left: 9px }}"
            f"#called {{ font-size: 15px; font-weight: 600; color: {self._theme.warning}; margin-top: 12px }}"
            f"#advice {{ color: {self._theme.text} }}"
            f"#time {{ font-size: 24px; font-weight: 600; color: {self._theme.text} }}"
        )
        if style != self.styleSheet():
            self.setStyleSheet(style)

    def _make_room(self) -> None:
        """Where it is too low for all, leave out what can be missed first."""
        column = self.layout()
        assert column is not None
        notice = self._shown[0].notice if self.notice.text() else ""
        self.notice.setText(fitted(notice, NOTICE))
        for part, words in (
            (self.limb_advice, self.limb_leads),
            (self.under_time, self.time),
            (self.time, self.time),
            (self.clock, self.clock),
        ):
            part.setVisible(bool(words.text()))
        self.under_rate.show()
        for leave_out in (
            self.limb_advice.hide,
            self.under_time.hide,
            self.time.hide,
            self.clock.hide,
            lambda: self.notice.setText(fitted(notice, SHORTER)),
            self.under_rate.hide,
            lambda: self.notice.setText(fitted(notice, SHORTEST)),
        ):
            if column.heightForWidth(self.width()) <= self.height():
                return
            leave_out()


def state_words(state: str, info: PageInfo) -> tuple[str, str]:
    """A state in a word or two, and what it means."""
    return STATES[state] if info.is_found else UNFOUND.get(state, STATES[state])


def _write(label: QLabel, text: str) -> None:
    """Words in a place that is away while there are none."""
    label.setText(text)
    label.setVisible(bool(text))


def _label(name: str, text: str = "") -> QLabel:
    """Words in a column: wrapped, and just as they are."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setIndent(0)
    label.setWordWrap(name not in ("rate", "state", "time"))
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

    def begin(self, info: PageInfo) -> None:
        """Stand under another page."""
        self._info = info

    def show_status(self, status: Status, times: Times) -> None:
        """Put the newest figures on the line."""
        info = self._info
        figures = [
            self._latency(status, times),
            f"dropped {status.dropped}",
            *([f"skipped {status.frames_skipped} frames"] if status.frames_skipped else []),
            *([f"lost {status.lost} samples"] if status.lost else []),
            *([f"clock faults {status.clock_faults}"] if status.clock_faults else []),
            f"look-ahead {info.look_ahead_ms:g} ms",
        ]
        self.run.text = "  ·  ".join(
            [
                state_words(status.state, info)[0],
                *(figures if info.is_found else []),
                *filter(None, [info.model, info.backend]),  # here, as it is the end of the line that is shortened
            ]
        )

    def _latency(self, status: Status, times: Times) -> str:
        """Of a stream derived elsewhere: as it is told there, and from that host's sample to this screen."""
        told = UNKNOWN if status.latency_ms is None else f"{status.latency_ms:.0f}"
        if not self._info.remote:
            return f"latency {told} ms"
        age = times.age_ms
        is_known = age is not None and 0 <= age < MOST_AGE_MS
        here = f"{age:.0f} ms here" if is_known else f"{UNKNOWN} here" + (" (clocks differ)" if age is not None else "")
        return f"latency {told} ms there, {here}"

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
