"""The monitor as somebody at its keyboard sees it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from engine.errors import SinkError
from engine.leads import INDEX, LEADS, Origin
from gui.monitor import SMALLEST, Monitor
from gui.page import LAYOUTS, expected_origins
from gui.theme import DARK, LIGHT
from stream.items import Block, Status
from stream.sinks.mailbox import Mailbox
from stream.sources.record import open_record
from tests.gui.pages import LEADS_IN, cut, info, inked, level, pixels, rgb, tail_after, twelve


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def monitor(qtbot: QtBot, mailbox: Mailbox) -> Monitor:
    return opened(qtbot, Monitor(info(), mailbox))


def opened(qtbot: QtBot, monitor: Monitor) -> Monitor:
    """Shown, and with the keyboard."""
    qtbot.addWidget(monitor)
    monitor.resize(*SMALLEST)
    with qtbot.waitActive(monitor):
        monitor.show()
        monitor.activateWindow()
    return monitor


def feed(monitor: Monitor, mailbox: Mailbox, *blocks: Block, status: Status | None = None) -> None:
    for block in blocks:
        mailbox.push(block)
    mailbox.status = status or Status("live", heart_rate=70)
    monitor.poll()


def page(monitor: Monitor) -> np.ndarray:
    return pixels(monitor.sheet.grab())


def test_what_the_mailbox_holds_is_on_the_page(monitor: Monitor, mailbox: Mailbox, qtbot: QtBot) -> None:
    whole = twelve(1, 1000)
    for block in cut(whole, [40] * 20):
        feed(monitor, mailbox, block)
    other_box = Mailbox()
    other = opened(qtbot, Monitor(info(), other_box))
    feed(other, other_box, whole)
    assert np.array_equal(page(monitor), page(other))
    assert mailbox.drain() == []


def test_the_screen_is_filtered_as_the_page_says(qtbot: QtBot, mailbox: Mailbox) -> None:
    monitor = opened(qtbot, Monitor(info(filter="monitor"), mailbox))
    feed(monitor, mailbox, level(5, 300))  # an electrode's offset, far off the page without a filter
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    lane = geometry.lanes[-1]
    start = page(monitor)[int(lane.cells[0].baseline), lane.area.left() : lane.area.left() + 40]
    assert inked(start, LIGHT.measured).all()


def test_space_freezes_and_resumes_at_the_live_edge(monitor: Monitor, mailbox: Mailbox, qtbot: QtBot) -> None:
    whole = twelve(2, 1500)
    first, second, third = cut(whole, [400, 500])
    feed(monitor, mailbox, first)
    before = page(monitor)
    qtbot.keyClick(monitor, Qt.Key.Key_Space)
    assert monitor.sheet.frozen
    assert monitor.panel.state.text() == "Frozen"
    feed(monitor, mailbox, second, status=Status("live", heart_rate=99, leads_off=("I",)))
    assert np.array_equal(page(monitor), before)
    assert monitor.panel.rate.text() == "99"
    feed(monitor, mailbox, third, status=Status("live", heart_rate=99))
    assert np.array_equal(page(monitor), before)
    qtbot.keyClick(monitor, Qt.Key.Key_Space)
    assert not monitor.sheet.frozen
    assert monitor.panel.state.text() == "Live"
    other_box = Mailbox()
    other = opened(qtbot, Monitor(info(), other_box))
    feed(other, other_box, whole)
    assert np.array_equal(page(monitor), page(other))


def test_keys_change_how_the_page_looks(monitor: Monitor, mailbox: Mailbox, qtbot: QtBot) -> None:
    feed(monitor, mailbox, twelve(3, 900))

    def look() -> tuple[object, ...]:
        view = monitor.sheet.view
        return view.layout.name, view.gain, view.speed, view.dark, view.truth

    pages = [page(monitor)]
    for key, expected in (
        ("l", ("12x1", 10, 25, False, False)),
        ("+", ("12x1", 20, 25, False, False)),
        ("-", ("12x1", 10, 25, False, False)),
        ("-", ("12x1", 5, 25, False, False)),
        ("=", ("12x1", 10, 25, False, False)),
        ("s", ("12x1", 10, 50, False, False)),
        ("t", ("12x1", 10, 50, False, True)),
        ("d", ("12x1", 10, 50, True, True)),
        ("l", ("3x4", 10, 50, True, True)),
    ):
        qtbot.keyClicks(monitor, key)
        assert look() == expected
        pages.append(page(monitor))
        assert (pages[-1] != pages[-2]).any()
    assert inked(pages[-1], DARK.measured).any()
    assert not inked(pages[-1], LIGHT.measured).any()


def test_the_whole_window_is_dark(monitor: Monitor, mailbox: Mailbox, qtbot: QtBot) -> None:
    feed(monitor, mailbox, twelve(3, 500), status=Status("live", heart_rate=70, leads_off=("I",)))
    qtbot.keyClick(monitor, Qt.Key.Key_D)
    qtbot.keyClicks(monitor, "?")
    shown = pixels(monitor.grab())
    assert (shown.mean(axis=2) > 128).mean() < 0.05
    for part, ink in ((monitor.panel, DARK.warning), (monitor.foot, DARK.text), (monitor.help, DARK.paper)):
        assert inked(pixels(part.grab()), ink).any()
    assert not inked(shown, LIGHT.window).any()


@pytest.mark.parametrize("truth", [False, True])
def test_truth_stands_there_from_the_start_if_the_run_says_so(qtbot: QtBot, mailbox: Mailbox, truth: bool) -> None:
    monitor = opened(qtbot, Monitor(info(show_truth=truth), mailbox))
    feed(monitor, mailbox, twelve(3, 500))
    assert inked(page(monitor), LIGHT.truth).any() == truth


def test_the_help_sheet_comes_and_goes(monitor: Monitor, qtbot: QtBot) -> None:
    qtbot.keyClicks(monitor, "?")
    assert monitor.help.isVisible()
    keys = {label.text() for label in monitor.help.findChildren(QLabel) if label.objectName() == "key"}
    assert keys == {"Space", "L", "+ =", "-", "S", "T", "D", "?", "Q Esc"}
    assert monitor.rect().contains(monitor.help.geometry())
    qtbot.keyClicks(monitor, "?")
    assert not monitor.help.isVisible()
    qtbot.keyClicks(monitor, "?")
    qtbot.keyClick(monitor, Qt.Key.Key_Escape)
    assert not monitor.help.isVisible()
    assert monitor.isVisible()


def test_the_help_sheet_stays_in_the_middle(monitor: Monitor, qtbot: QtBot) -> None:
    qtbot.keyClicks(monitor, "?")
    monitor.resize(1300, 800)
    qtbot.waitUntil(lambda: abs(monitor.help.geometry().center().x() - 650) <= 1)
    assert abs(monitor.help.geometry().center().y() - 400) <= 1


@pytest.mark.parametrize("key", [Qt.Key.Key_Q, Qt.Key.Key_Escape])
def test_keys_close_it(monitor: Monitor, qtbot: QtBot, key: Qt.Key) -> None:
    with qtbot.waitSignal(monitor.closed, timeout=1000):
        qtbot.keyClick(monitor, key)
    assert not monitor.isVisible()


def test_all_that_keys_do_is_in_the_menu(monitor: Monitor) -> None:
    bar = monitor.menuBar()
    assert bar is not None
    menus = {action.text(): action.menu() for action in bar.actions()}
    assert list(menus) == ["Monitor", "View", "Help"]
    keys = {
        key.toString()
        for menu in menus.values()
        if menu is not None
        for action in menu.actions()
        for key in action.shortcuts()
    }
    assert keys == {"Space", "L", "+", "=", "-", "S", "T", "D", "?", "Q", "Esc"}
    view = menus["View"]
    assert view is not None
    view.actions()[0].trigger()
    assert monitor.sheet.view.layout is LAYOUTS[1]


def test_a_failure_stands_over_the_page_in_words(monitor: Monitor, mailbox: Mailbox) -> None:
    feed(monitor, mailbox, twelve(4, 300))
    assert not monitor.failure.isVisible()
    message = "the file ends in the middle of a sample; fetch ward/0042.dat again " * 3
    feed(monitor, mailbox, status=Status("failed", message=message))
    assert monitor.failure.isVisible()
    assert monitor.failure.text() == message
    QApplication.processEvents()  # lays it out
    assert monitor.failure.heightForWidth(monitor.failure.width()) <= monitor.failure.height()
    assert monitor.failure.height() < 200
    assert inked(pixels(monitor.failure.grab()), LIGHT.warning).mean() > 0.5
    assert monitor.panel.rate.text() == "--"
    bottom = monitor.failure.mapTo(monitor, QPoint(0, monitor.failure.height())).y()
    assert monitor.sheet.mapTo(monitor, QPoint()).y() >= bottom


@pytest.mark.parametrize("state", ["ended", "failed", "stale", "searching"])
def test_states_without_a_single_block_break_nothing(monitor: Monitor, mailbox: Mailbox, state: str) -> None:
    feed(monitor, mailbox, status=Status(state, message="why"))
    assert monitor.poll().state == state
    page(monitor)


def test_the_last_blocks_of_an_ended_stream_are_painted(monitor: Monitor, mailbox: Mailbox) -> None:
    whole = twelve(5, 400)
    *blocks, last = cut(whole, [100, 100, 100])
    feed(monitor, mailbox, *blocks)
    before = page(monitor)
    feed(monitor, mailbox, replace(last, tail=None), status=Status("ended"))
    assert (page(monitor) != before).any()


def test_odd_blocks_break_nothing(monitor: Monitor, mailbox: Mailbox) -> None:
    empty = level(0, 0)
    nothing = tuple(Origin.NONE for _ in LEADS)
    for block in (
        empty,
        replace(empty, tail=tail_after(0)),
        level(0, 40),
        replace(level(0, 0, start=40), tail=tail_after(40, 0)),
        level(0, 40, nothing, start=40),
        replace(level(0, 0, start=80), truth=np.zeros((12, 0), np.float32)),
        level(0, 1, start=80),
        replace(level(0, 40, start=100_000), tail=tail_after(100_040)),
        level(0, 0, start=200_000),
        level(0, 40_000, start=200_000),
    ):
        feed(monitor, mailbox, block)
        assert monitor.poll().state == "live"
    fresh = monitor.sheet.view
    before = page(monitor)
    monitor.sheet.view = fresh  # paints all anew
    assert np.array_equal(page(monitor), before)


def test_a_lead_off_is_said_in_its_cell_and_beside_the_page(monitor: Monitor, mailbox: Mailbox) -> None:
    fallen = expected_origins(("I", "II"))
    status = Status("live", leads_off=("V4",))
    feed(monitor, mailbox, level(0, 200, fallen), status=status)
    assert monitor.panel.leads_off.text() == "Lead off: V4"
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    for lane in geometry.lanes:
        for cell in lane.cells:
            part = page(monitor)[cell.top : cell.top + cell.height, lane.area.left() : lane.area.right()]
            assert inked(part, LIGHT.warning).any() == (cell.lead == "V4")


def test_the_smallest_window_has_room_for_all(monitor: Monitor, mailbox: Mailbox) -> None:
    assert (monitor.minimumWidth(), monitor.minimumHeight()) == SMALLEST
    feed(monitor, mailbox, twelve(6, 500), status=Status("live", latency_ms=112, dropped=12, heart_rate=70))
    monitor.grab()
    line = monitor.foot.run
    assert line.fontMetrics().horizontalAdvance(line.text) <= line.width()
    assert monitor.panel.geometry().right() <= monitor.width()
    assert monitor.sheet.geometry().right() < monitor.panel.geometry().left()


def test_a_picture_is_the_window_in_true_millimetres(monitor: Monitor, mailbox: Mailbox, tmp_path: Path) -> None:
    feed(monitor, mailbox, twelve(7, 600))
    monitor.save_picture(tmp_path / "page.png")
    picture = QImage(str(tmp_path / "page.png"))
    assert np.array_equal(pixels(picture), pixels(monitor.grab()))
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    assert picture.dotsPerMeterX() == picture.dotsPerMeterY()
    assert picture.dotsPerMeterX() == pytest.approx(1000 * geometry.scale.px_per_mm, abs=1)


def test_a_picture_that_cannot_be_written_says_where(monitor: Monitor, tmp_path: Path) -> None:
    path = tmp_path / "no such folder" / "page.png"
    with pytest.raises(SinkError, match=f"{path}; name a file"):
        monitor.save_picture(path)


def test_a_real_r_wave_is_as_high_on_the_page_as_in_the_record(qtbot: QtBot, mailbox: Mailbox, data_dir: Path) -> None:
    monitor = opened(qtbot, Monitor(info(), mailbox))
    record = open_record(data_dir / "originals" / "ptbxl" / "00009_hr.hea")
    truth = record.read(0, 400)
    origin = np.repeat(np.array(expected_origins(LEADS_IN), np.uint8)[:, None], truth.shape[1], axis=1)
    feed(monitor, mailbox, Block(0, truth, np.zeros_like(truth), origin, truth))
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    lane = geometry.lanes[-1]
    cell = lane.cells[0]
    assert cell.lead == "II"
    shown = page(monitor)[cell.top : cell.top + cell.height, lane.area.left() + 30 : lane.area.right()]
    ink = np.abs(shown.astype(int) - rgb(LIGHT.measured)).max(axis=2) < 150
    highest = cell.baseline - (cell.top + np.flatnonzero(ink.any(axis=1)).min())
    seen = truth[INDEX["II"], int(30 / geometry.scale.px_per_sample) :]
    assert highest == pytest.approx(float(seen.max()) * 10 * geometry.scale.px_per_mm, abs=2)


def test_polling_without_news_paints_nothing(monitor: Monitor, mailbox: Mailbox) -> None:
    feed(monitor, mailbox, twelve(8, 500))
    before = page(monitor)
    for _ in range(3):
        monitor.poll()
    QApplication.processEvents()
    assert np.array_equal(page(monitor), before)
