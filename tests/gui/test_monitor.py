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
from engine.filters import BANDS
from engine.leads import INDEX, RATE
from gui.monitor import SMALLEST, Monitor
from gui.page import LAYOUTS, expected_origins
from gui.theme import DARK, LIGHT
from stream.items import Block, Event, Gap, Item, Kind, Why
from stream.sinks.mailbox import Mailbox
from stream.sources.record import open_record
from stream.status import FAILED
from stream.supervisor import State
from tests.gui.pages import (
    LEADS_IN,
    Pixels,
    beat,
    cut,
    info,
    inked,
    level,
    pixels,
    rgb,
    source,
    stream,
    tail_after,
    twelve,
)

FAILURE = Event(0, Kind.FAILED, text="the file ends in the middle of a sample; fetch ward/0042.dat again")
RECORDER_FAILURE = Event(0, Kind.SINK_FAILED, text="recorder: cannot write /records/0042.dat")
V4_OFF, V4_BACK = Event(0, Kind.LEAD_OFF, lead="V4"), Event(0, Kind.LEAD_BACK, lead="V4")


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


def feed(monitor: Monitor, mailbox: Mailbox, *items: Item) -> None:
    for item in items:
        mailbox.push(item)
    monitor.poll()


def press(qtbot: QtBot, monitor: Monitor, key: Qt.Key | str) -> None:
    qtbot.keyClick(monitor, key)  # type: ignore[no-untyped-call]


def page(monitor: Monitor) -> Pixels:
    return pixels(monitor.sheet.grab())


def test_what_the_mailbox_holds_is_on_the_page(monitor: Monitor, mailbox: Mailbox, qtbot: QtBot) -> None:
    whole = twelve(1, 1000, gaps=2)
    for item in stream(whole, [40] * 20):
        feed(monitor, mailbox, item)
    other_box = Mailbox()
    other = opened(qtbot, Monitor(info(), other_box))
    feed(other, other_box, *stream(whole, []))
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
    feed(monitor, mailbox, source(State.LIVE), beat(70), first)
    before = page(monitor)
    press(qtbot, monitor, Qt.Key.Key_Space)
    assert monitor.panel.state.text() == "Frozen"
    feed(monitor, mailbox, second, beat(99), V4_OFF)
    assert np.array_equal(page(monitor), before)
    assert monitor.panel.rate.text() == "99"
    feed(monitor, mailbox, Gap(900, 0), third, V4_BACK)
    assert np.array_equal(page(monitor), before)
    press(qtbot, monitor, Qt.Key.Key_Space)
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
        press(qtbot, monitor, key)
        assert look() == expected
        pages.append(page(monitor))
        assert (pages[-1] != pages[-2]).any()
    assert inked(pages[-1], DARK.measured).any()
    assert not inked(pages[-1], LIGHT.measured).any()


def test_the_whole_window_is_dark(monitor: Monitor, mailbox: Mailbox, qtbot: QtBot) -> None:
    feed(monitor, mailbox, twelve(3, 500), V4_OFF, RECORDER_FAILURE)
    press(qtbot, monitor, Qt.Key.Key_D)
    press(qtbot, monitor, "?")
    shown = pixels(monitor.grab())
    assert (shown.mean(axis=2) > 128).mean() < 0.1  # the strip is as bright as its words are dark
    for part, ink in (
        (monitor.failure, DARK.warning),
        (monitor.failure, DARK.paper),
        (monitor.panel, DARK.warning),
        (monitor.foot, DARK.text),
        (monitor.help, DARK.paper),
    ):
        assert inked(pixels(part.grab()), ink).any()
    assert not inked(shown, LIGHT.window).any()


@pytest.mark.parametrize("truth", [False, True])
def test_truth_stands_there_from_the_start_if_the_run_says_so(qtbot: QtBot, mailbox: Mailbox, truth: bool) -> None:
    monitor = opened(qtbot, Monitor(info(show_truth=truth), mailbox))
    feed(monitor, mailbox, twelve(3, 500))
    assert inked(page(monitor), LIGHT.truth).any() == truth


def test_the_help_sheet_comes_and_goes(monitor: Monitor, qtbot: QtBot) -> None:
    press(qtbot, monitor, "?")
    assert monitor.help.isVisible()
    keys = {label.text() for label in monitor.help.findChildren(QLabel) if label.objectName() == "key"}
    assert keys == {"Space", "L", "+ =", "-", "S", "T", "D", "?", "Q Esc"}
    assert monitor.rect().contains(monitor.help.geometry())
    press(qtbot, monitor, "?")
    assert not monitor.help.isVisible()
    press(qtbot, monitor, "?")
    press(qtbot, monitor, Qt.Key.Key_Escape)
    assert not monitor.help.isVisible()
    assert monitor.isVisible()


def test_the_help_sheet_stays_in_the_middle(monitor: Monitor, qtbot: QtBot) -> None:
    press(qtbot, monitor, "?")
    monitor.resize(1300, 800)
    qtbot.waitUntil(lambda: abs(monitor.help.geometry().center().x() - 650) <= 1)
    assert abs(monitor.help.geometry().center().y() - 400) <= 1


@pytest.mark.parametrize("key", [Qt.Key.Key_Q, Qt.Key.Key_Escape])
def test_keys_close_it(monitor: Monitor, qtbot: QtBot, key: Qt.Key) -> None:
    with qtbot.waitSignal(monitor.closed, timeout=1000):
        press(qtbot, monitor, key)
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


def fits(label: QLabel) -> bool:
    QApplication.processEvents()  # lays it out
    return label.heightForWidth(label.width()) <= label.height() and label.minimumSizeHint().width() <= label.width()


def test_a_failure_stands_over_the_page_in_words(monitor: Monitor, mailbox: Mailbox) -> None:
    feed(monitor, mailbox, source(State.LIVE), beat(70), twelve(4, 300))
    assert not monitor.failure.isVisible()
    message = "the file ends in the middle of a sample; fetch ward/0042.dat again " * 3
    feed(monitor, mailbox, Event(300, Kind.FAILED, text=message))
    assert monitor.failure.isVisible()
    assert monitor.failure.text() == message
    assert fits(monitor.failure)
    assert monitor.failure.height() < 200
    assert inked(pixels(monitor.failure.grab()), LIGHT.warning).mean() > 0.5
    assert monitor.panel.rate.text() == "--"
    bottom = monitor.failure.mapTo(monitor, QPoint(0, monitor.failure.height())).y()
    assert monitor.sheet.mapTo(monitor, QPoint()).y() >= bottom


def test_sinks_that_fail_are_said_while_the_stream_goes_on(monitor: Monitor, mailbox: Mailbox) -> None:
    feed(monitor, mailbox, source(State.LIVE), beat(70), RECORDER_FAILURE, twelve(4, 300))
    assert monitor.failure.isVisible()
    assert monitor.failure.text() == "recorder: cannot write /records/0042.dat"
    assert fits(monitor.failure)
    assert (monitor.panel.state.text(), monitor.panel.rate.text()) == ("Live", "70")
    before = page(monitor)
    feed(monitor, mailbox, replace(twelve(5, 300), start=300))
    assert (page(monitor) != before).any()
    assert monitor.failure.isVisible()


@pytest.mark.parametrize("failures", [(FAILURE, RECORDER_FAILURE), (RECORDER_FAILURE, FAILURE)])
def test_a_failed_sink_never_hides_a_failed_stream(
    monitor: Monitor, mailbox: Mailbox, failures: tuple[Event, Event]
) -> None:
    for failure in failures:
        feed(monitor, mailbox, failure)
    assert monitor.failure.text().splitlines() == [FAILURE.text, RECORDER_FAILURE.text]
    assert fits(monitor.failure)
    feed(monitor, mailbox, source(State.ENDED))
    assert monitor.failure.text().splitlines() == [FAILURE.text, RECORDER_FAILURE.text]


def test_whatever_fails_the_page_keeps_its_room(monitor: Monitor, mailbox: Mailbox) -> None:
    path = "/".join(["a folder with a long name"] * 12)
    for number in range(20):
        feed(monitor, mailbox, Event(0, Kind.SINK_FAILED, text=f"outlet {number}: cannot write {path}"))
    feed(monitor, mailbox, FAILURE)
    message, *newest, others = monitor.failure.text().splitlines()
    assert message == FAILURE.text
    assert [line.split(":")[0] for line in newest] == ["outlet 17", "outlet 18", "outlet 19"]
    assert others == "and 17 more before"
    assert fits(monitor.failure)
    assert monitor.sheet.height() >= monitor.sheet.minimumHeight()
    assert (monitor.width(), monitor.height()) == SMALLEST


def test_what_others_wrote_is_shown_as_it_is(monitor: Monitor, mailbox: Mailbox) -> None:
    odd = "<b>recorder</b> & more"
    feed(monitor, mailbox, Event(0, Kind.SINK_FAILED, text=odd), Event(0, Kind.RATE_LOST, text=odd))
    for label in (monitor.failure, monitor.panel.under_rate):
        assert label.text() == odd
        assert label.textFormat() is Qt.TextFormat.PlainText


@pytest.mark.parametrize("event", [*map(source, State), FAILURE], ids=[*State, FAILED])
def test_states_without_a_single_block_break_nothing(monitor: Monitor, mailbox: Mailbox, event: Event) -> None:
    feed(monitor, mailbox, event)
    assert monitor.poll().state == (FAILED if event is FAILURE else event.text)
    page(monitor)


def test_a_day_without_signal_leaves_a_blank_page(monitor: Monitor, mailbox: Mailbox) -> None:
    blank = page(monitor)
    day = Gap(500, 24 * 3600 * RATE, Why.NO_SIGNAL)
    feed(monitor, mailbox, twelve(3, 500), day)
    assert np.array_equal(page(monitor), blank)
    feed(monitor, mailbox, replace(twelve(3, 500), start=day.end))
    assert inked(page(monitor), LIGHT.measured).sum() > inked(blank, LIGHT.measured).sum()


def test_the_last_blocks_of_an_ended_stream_are_painted(monitor: Monitor, mailbox: Mailbox) -> None:
    whole = twelve(5, 400)
    *blocks, last = cut(whole, [100, 100, 100])
    feed(monitor, mailbox, *blocks)
    before = page(monitor)
    feed(monitor, mailbox, replace(last, tail=None), source(State.ENDED))
    assert (page(monitor) != before).any()


def test_odd_items_break_nothing(monitor: Monitor, mailbox: Mailbox) -> None:
    empty = level(0, 0)
    feed(monitor, mailbox, source(State.LIVE))
    items: tuple[Block | Gap, ...] = (
        empty,
        replace(empty, tail=tail_after(0)),
        Gap(0, 0),
        level(0, 40),
        replace(level(0, 0, start=40), tail=tail_after(40, 0)),
        Gap(40, 40),
        replace(level(0, 0, start=80), truth=np.zeros((12, 0), np.float32)),
        level(0, 1, start=80),
        Gap(81, 1, Why.NO_SIGNAL),
        replace(level(0, 40, start=100_000), tail=tail_after(100_040)),
        Gap(100_040, 10),
        level(0, 0, start=200_000),
        level(0, 40_000, start=200_000),
        Gap(240_000, 100),
    )
    for item in items:
        feed(monitor, mailbox, item)
        assert monitor.poll().state == State.LIVE
    fresh = monitor.sheet.view
    before = page(monitor)
    monitor.sheet.view = fresh  # paints all anew
    assert np.array_equal(page(monitor), before)


def test_a_lead_off_is_said_in_its_cell_and_beside_the_page(monitor: Monitor, mailbox: Mailbox) -> None:
    fallen = expected_origins(("I", "II"))
    feed(monitor, mailbox, source(State.LIVE), V4_OFF, level(0, 200, fallen))
    assert monitor.panel.leads_off.text() == "Lead off: V4"
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    for lane in geometry.lanes:
        for cell in lane.cells:
            part = page(monitor)[cell.top : cell.top + cell.height, lane.area.left() : lane.area.right()]
            assert inked(part, LIGHT.warning).any() == (cell.lead == "V4")
    feed(monitor, mailbox, V4_BACK, level(0, 200, start=200))
    assert not monitor.panel.leads_off.isVisible()
    assert not inked(pixels(monitor.grab()), LIGHT.warning).any()


@pytest.mark.parametrize("band", sorted(BANDS))
def test_intervals_stand_on_the_page_only_under_the_filter_they_hold_in(
    qtbot: QtBot, mailbox: Mailbox, band: str
) -> None:
    def filled(half: float) -> Pixels:
        box = Mailbox()
        monitor = opened(qtbot, Monitor(info(filter=band), box))
        feed(monitor, box, level(0, 300, half=half))
        return page(monitor)

    assert (filled(0.4) != filled(0)).any() == (band == "monitor")


def test_the_smallest_window_has_room_for_all(monitor: Monitor, mailbox: Mailbox) -> None:
    assert (monitor.minimumWidth(), monitor.minimumHeight()) == SMALLEST
    feed(monitor, mailbox, source(State.LIVE), beat(70), Event(0, Kind.LATENCY, value=112), twelve(6, 500))
    monitor.grab()
    line = monitor.foot.run
    assert line.fontMetrics().horizontalAdvance(line.text) <= line.width()
    assert monitor.panel.geometry().right() <= monitor.width()
    assert monitor.sheet.geometry().right() < monitor.panel.geometry().left()


def test_the_smallest_window_has_room_for_all_that_went_wrong(monitor: Monitor, mailbox: Mailbox) -> None:
    feed(monitor, mailbox, source(State.NO_SIGNAL), beat(None, "lead II carries no signal"), FAILURE, RECORDER_FAILURE)
    for lead in ("III", "aVR", "aVL", "aVF"):
        feed(monitor, mailbox, Event(0, Kind.LEAD_OFF, lead=lead), Event(0, Kind.LIMB_DISAGREE, lead=lead))
    feed(monitor, mailbox, Event(0, Kind.LATE, value=7), Event(0, Kind.DROPPED, value=12_345))
    for label in monitor.panel.findChildren(QLabel):
        assert fits(label) or not label.wordWrap(), label.text()
        assert monitor.panel.rect().contains(label.geometry())
    assert fits(monitor.failure)
    line = monitor.foot.run
    assert line.fontMetrics().horizontalAdvance(line.text.split("unet")[0]) <= line.width()


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
    with pytest.raises(SinkError, match=rf"{path} \(No such file or directory\); name a file"):
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
