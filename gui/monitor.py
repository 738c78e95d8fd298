"""The monitor: the window with the page, its panel, its foot and its menu, fed from a mailbox."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PyQt6.QtCore import QBuffer, QByteArray, QIODevice, pyqtSignal
from PyQt6.QtGui import QAction, QCloseEvent, QColor, QImage, QKeySequence, QPalette, QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from engine.errors import SinkError
from engine.files import replacing
from gui.history import History
from gui.page import LAYOUTS, PageBox, PageInfo, View, expected_origins
from gui.panel import Failure, Foot, Help, Panel
from gui.passband import Passband
from gui.search import Search
from gui.sheet import Sheet
from gui.theme import DARK, LIGHT, Theme
from gui.watch import Watch
from stream.items import Block
from stream.sinks.mailbox import Mailbox
from stream.status import Status

SMALLEST = (1000, 640)
USUAL = (1500, 860)


@dataclass(frozen=True)
class Command:
    """Something the user can do: in the menu, by a key, and on the help sheet."""

    menu: str
    words: str
    keys: tuple[str, ...]
    run: Callable[[], object]


class Monitor(QMainWindow):
    """One bed on the screen.

    Parameters
    ----------
    page : PageInfo or PageBox
        The run, or where another thread puts it once the source is found.
    mailbox : Mailbox
        Where its blocks, its gaps and its status come from; call `poll` often.
    watch : Watch or None
        Times what comes; None for one by this host's clocks.
    """

    closed = pyqtSignal()

    def __init__(self, page: PageInfo | PageBox, mailbox: Mailbox, watch: Watch | None = None) -> None:
        super().__init__()
        self._box = PageBox(page) if isinstance(page, PageInfo) else page
        self._page = page = self._box.page
        self._mailbox = mailbox
        self._watch = watch or Watch()
        self._passband = Passband(page.filter)
        self._history = History(expected_origins(page.leads_in))
        self.sheet = Sheet(page, self._history, View(layout=LAYOUTS[0], truth=page.show_truth))
        self.search = Search(self.sheet, page)
        self.panel = Panel(page)
        self.foot = Foot(page)
        self.failure = Failure()
        self._compose()
        commands = self._commands()
        self.help = Help(self, [(" ".join(command.keys[:2]), command.words) for command in commands])
        self._add_menu(commands)
        self._name_window()
        self.setMinimumSize(*SMALLEST)
        self.resize(*USUAL)
        self._show_theme()

    def poll(self) -> Status:
        """Take what arrived, paint it, and return the state of the stream."""
        status = self._mailbox.status  # before the items: what ended has none to come
        items = self._mailbox.drain()
        if self._box.page != self._page:  # after the items: they are never newer than their page
            self._begin(self._box.page)
        for item in items:
            self._history.append(self._passband.apply(item))
        came = any(isinstance(item, Block) and item.end > item.start for item in items)
        times = self._watch.read(status, self._history.head, came=came)
        self.sheet.mark(status.leads_off)
        self.sheet.advance()
        self.search.show_status(status, times)
        self.panel.show_status(status, times, frozen=self.sheet.frozen)
        self.foot.show_status(status, times)
        self.failure.show_status(status)
        return status

    def save_picture(self, path: Path) -> None:
        """Write the whole window as a PNG that prints in its size on the screen.

        Raises
        ------
        SinkError
            If the file cannot be written.
        """
        picture: QImage = self.grab().toImage()
        geometry = self.sheet.geometry_mm
        if geometry is not None:
            dots_per_metre = round(geometry.scale.px_per_mm * 1000)
            picture.setDotsPerMeterX(dots_per_metre)
            picture.setDotsPerMeterY(dots_per_metre)
        picture_bytes, buffer = QByteArray(), QBuffer()
        buffer.setBuffer(picture_bytes)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        picture.save(buffer, "PNG")
        try:
            with replacing(path) as part:
                part.write_bytes(picture_bytes.data())
        except OSError as error:
            words = f"cannot write the picture {path} ({error.strerror}); name a file in a folder you can write to"
            raise SinkError(words) from error

    def _begin(self, page: PageInfo) -> None:
        """Show another run: what came before it was of the old one."""
        self._page = page
        self._passband = Passband(page.filter)
        self._history = History(expected_origins(page.leads_in))
        self._watch.restart()
        view = self.sheet.view
        self.sheet.begin(page, self._history, replace(view, truth=view.truth or page.show_truth))
        for part in (self.search, self.panel, self.foot):
            part.begin(page)
        self._name_window()

    def _name_window(self) -> None:
        remote = f" from {self._page.remote}" if self._page.remote else ""
        self.setWindowTitle(f"{self._page.record}{remote} - ecgstream")

    def _compose(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.sheet, 1)
        middle.addWidget(self.panel)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.failure)
        column.addLayout(middle, 1)
        column.addWidget(self.foot)
        body = QWidget()
        body.setLayout(column)
        self.setCentralWidget(body)

    def _commands(self) -> list[Command]:
        return [
            Command("Monitor", "freeze or resume", ("Space",), self._toggle_freeze),
            Command("View", "layout 3x4 or 12x1", ("L",), lambda: self._look(self.sheet.view.next_layout())),
            Command("View", "more gain: 5, 10, 20 mm/mV", ("+", "="), lambda: self._look(self.sheet.view.more_gain(1))),
            Command("View", "less gain", ("-",), lambda: self._look(self.sheet.view.more_gain(-1))),
            Command("View", "speed 12.5, 25, 50 mm/s", ("S",), lambda: self._look(self.sheet.view.next_speed())),
            Command("View", "recorded leads behind the estimated", ("T",), self._toggle_truth),
            Command("View", "light or dark", ("D",), self._toggle_dark),
            Command("Help", "this sheet", ("?",), lambda: self.help.toggle()),
            Command("Monitor", "stop and close", ("Q", "Esc"), self._leave),
        ]

    def _add_menu(self, commands: list[Command]) -> None:
        bar = self.menuBar()
        assert bar is not None
        menus = {name: bar.addMenu(name) for name in ("Monitor", "View", "Help")}
        for command in commands:
            action = QAction(command.words[0].upper() + command.words[1:], self)
            action.setShortcuts([QKeySequence(key) for key in command.keys])
            action.triggered.connect(lambda _checked, run=command.run: run())
            menu = menus[command.menu]
            assert menu is not None
            menu.addAction(action)

    def _look(self, view: View) -> None:
        self.sheet.view = view
        self._show_theme()

    def _toggle_truth(self) -> None:
        self._look(replace(self.sheet.view, truth=not self.sheet.view.truth))

    def _toggle_dark(self) -> None:
        self._look(replace(self.sheet.view, dark=not self.sheet.view.dark))

    def _toggle_freeze(self) -> None:
        self.sheet.frozen = not self.sheet.frozen
        self.poll()

    def _leave(self) -> None:
        """Close the help sheet if it is open, else the window."""
        if self.help.isVisible():
            self.help.hide()
        else:
            self.close()

    def _show_theme(self) -> None:
        theme: Theme = DARK if self.sheet.view.dark else LIGHT
        palette = QPalette(QColor(theme.window))
        for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
            palette.setColor(role, QColor(theme.text))
        self.setPalette(palette)
        for part in (self.failure, self.search, self.panel, self.foot, self.help):
            part.show_theme(theme)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the help sheet in the middle."""
        super().resizeEvent(event)
        self.help.centre()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Tell the owner."""
        super().closeEvent(event)
        self.closed.emit()
