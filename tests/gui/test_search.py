"""The empty page while the source is searched for: what is looked for, what was found, how long it takes."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from gui.search import Search
from gui.theme import DARK, LIGHT, Theme
from gui.watch import Times
from stream.status import FAILED, Status
from stream.supervisor import State
from tests.gui.pages import info, inked, pixels

WANTED = info(record="lsl://Polar-patch", leads_in=())
NOTICE = "no LSL stream of this name on the network: switch the device and its bridge on"


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    return DARK if request.param == "dark" else LIGHT


@pytest.fixture
def sheet(qtbot: QtBot) -> QWidget:
    sheet = QWidget()
    sheet.setFixedSize(768, 520)
    qtbot.addWidget(sheet)
    return sheet


@pytest.fixture
def search(qtbot: QtBot, theme: Theme, sheet: QWidget) -> Search:
    search = Search(sheet, WANTED)
    search.show_theme(theme)
    with qtbot.waitExposed(sheet):
        sheet.show()
    return search


def assert_whole(search: Search) -> None:
    QApplication.processEvents()  # lays it out
    sheet = search.parentWidget()
    assert sheet is not None
    assert sheet.rect().contains(search.geometry())
    middle = search.geometry().center()
    assert abs(middle.x() - sheet.width() / 2) <= 2
    assert abs(middle.y() - sheet.height() / 2) <= 2
    for label in search.findChildren(QLabel):
        if label.isVisible():
            assert label.minimumSizeHint().width() <= label.width(), label.text()
            assert label.heightForWidth(label.width()) <= label.height(), label.text()
            assert search.rect().contains(label.geometry()), label.text()


def test_it_says_what_is_looked_for_and_what_was_found(search: Search, theme: Theme) -> None:
    search.show_status(Status(), Times(silent_s=2))
    assert_whole(search)
    assert (search.title.text(), search.what.text()) == ("Searching", "for lsl://Polar-patch")
    assert search.since.text() == "2\N{NO-BREAK SPACE}s"
    assert not search.notice.isVisible()
    search.show_status(Status(notice=NOTICE), Times(silent_s=12))
    assert_whole(search)
    assert search.notice.text() == NOTICE
    assert search.notice.isVisible()
    assert search.since.text() == "12\N{NO-BREAK SPACE}s"
    picture = pixels(search.grab())
    assert inked(picture, theme.paper).mean() > 0.7
    assert inked(picture, theme.text).any()


@pytest.mark.parametrize("state", [*State, FAILED])
def test_it_is_there_only_while_there_is_hope(search: Search, state: str) -> None:
    search.show_status(Status(state, notice=NOTICE), Times())
    assert search.isVisible() == (state == State.SEARCHING)
    search.begin(info())
    search.show_status(Status(state, notice=NOTICE), Times())
    assert not search.isVisible()
    search.begin(WANTED)
    search.show_status(Status(state), Times())
    assert search.isVisible() == (state == State.SEARCHING)


@pytest.mark.parametrize(
    "notice",
    [
        "found OpenBCI (8 channels, no names): no lead is named\ntype: ecgstream monitor lsl://OpenBCI --map 1=I:2uV",
        "W" * 10_000,
        "a line\n" * 500,
        "<b>bold</b> & {more} " * 50,
    ],
    ids=["two lines", "one word", "many lines", "markup"],
)
def test_whatever_was_found_has_room(search: Search, notice: str) -> None:
    search.begin(info(record="lsl://" + "long name " * 50, leads_in=()))
    search.show_status(Status(notice=notice), Times(silent_s=86_399))
    assert_whole(search)
    assert search.notice.text()[:6] == notice[:6]
    assert search.notice.textFormat() is search.what.textFormat() is Qt.TextFormat.PlainText
