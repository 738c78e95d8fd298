"""What stands on the empty page while the source is searched for: what is looked for, what was found, what to do."""

from dataclasses import replace

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.page import PageInfo
from gui.theme import Theme
from gui.watch import Times, duration
from gui.words import Room, fitted
from stream.status import Status
from stream.supervisor import State

WIDTH, MARGIN = 600, 34
NOTICE = Room(width=WIDTH - 2 * MARGIN - 4, font=18, characters=360, lines=8)
WHAT = replace(NOTICE, characters=90, lines=1)


class Search(QFrame):
    """A card in the middle of the page; away once there is a source, or no hope of one.

    Parameters
    ----------
    page : QWidget
        Where it stands.
    info : PageInfo
        What is looked for.
    """

    def __init__(self, page: QWidget, info: PageInfo) -> None:
        super().__init__(page)
        self.setObjectName("search")
        self.setFixedWidth(WIDTH)
        self.title = QLabel("Searching")
        self.title.setObjectName("title")
        self.since = QLabel()
        self.since.setObjectName("since")
        self.what = _wrapped("what")
        self.notice = _wrapped("notice")
        first = QHBoxLayout()
        first.addWidget(self.title)
        first.addStretch()
        first.addWidget(self.since, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, 26, MARGIN, 28)
        column.setSpacing(0)
        column.addLayout(first)
        column.addWidget(self.what)
        column.addWidget(self.notice)
        middle = QVBoxLayout(page)
        middle.addWidget(self, 0, Qt.AlignmentFlag.AlignCenter)
        self.begin(info)

    def begin(self, info: PageInfo) -> None:
        """Stand for another page."""
        self._is_found = info.is_found
        self.what.setText(fitted(f"for {info.record}", WHAT))
        self.show_status(Status(), Times())

    def show_status(self, status: Status, times: Times) -> None:
        """Put into words what the search has found."""
        self.setVisible(not self._is_found and status.state == State.SEARCHING)
        self.since.setText(duration(times.silent_s))
        self.notice.setText(fitted(status.notice, NOTICE))
        self.notice.setVisible(bool(status.notice))

    def show_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self.setStyleSheet(
            f"#search {{ background: {theme.paper}; border: 1px solid {theme.line}; border-radius: 8px }}"
            f"QLabel {{ color: {theme.text} }}"
            "#title { font-size: 30px; font-weight: 600 }"
            f"#since {{ font-size: 18px; color: {theme.quiet} }}"
            f"#what {{ font-size: 18px; color: {theme.quiet}; margin-top: 4px }}"
            f"#notice {{ font-size: 18px; border-top: 1px solid {theme.line}; margin-top: 18px; padding-top: 16px }}"
        )


def _wrapped(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setIndent(0)
    return label
