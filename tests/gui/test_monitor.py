"""The monitor as somebody at its keyboard sees it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QFont, QImage
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from engine.errors import SinkError
from engine.filters import BANDS
from engine.leads import INDEX, RATE
from gui.monitor import SMALLEST, Monitor
from gui.page import LAYOUTS, PageBox, expected_origins
from gui.paper import page_font
from gui.theme import DARK, LIGHT
from gui.watch import CLOCK_FAULT_S, Watch, duration, of_day
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
    is_written,
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
    feed(monitor, mailbox, Gap(0, 1))
    blank = page(monitor)
    day = Gap(500, 24 * 3600 * RATE, Why.NO_SIGNAL)
    feed(monitor, mailbox, replace(twelve(3, 499), start=1), day)
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


def cell_of(monitor: Monitor, lead: str) -> Pixels:
    """A lead's cell in the layout of three rows, and a little around it."""
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    lane, cell = next((lane, cell) for lane in geometry.lanes for cell in lane.cells if cell.lead == lead)
    return page(monitor)[cell.top - 6 : cell.top + cell.height, lane.area.left() - 6 : lane.area.right()]


def header_says(monitor: Monitor, words: str) -> bool:
    geometry = monitor.sheet.geometry_mm
    assert geometry is not None
    head = page(monitor)[: int(geometry.grid.top())]
    return is_written(head, words, page_font(12, 1), LIGHT.quiet, LIGHT.paper)


@pytest.mark.parametrize("layout", [0, 1])
def test_a_measured_lead_falls_off_and_its_estimate_goes_on(qtbot: QtBot, mailbox: Mailbox, layout: int) -> None:
    """As a ward tells it: the blocks change their origin, and the event comes after the first of them."""
    monitor = opened(qtbot, Monitor(info(filter="monitor"), mailbox))
    monitor.resize(1200, 640)
    if layout:
        press(qtbot, monitor, "l")
    fallen = expected_origins(("I", "II"))
    feed(monitor, mailbox, source(State.LIVE), level(0, 200, half=0.05))
    assert header_says(monitor, "measured I II V4")
    if not layout:
        before = cell_of(monitor, "V4")
        assert is_written(before, "V4", page_font(14, 1, QFont.Weight.Bold), LIGHT.measured, LIGHT.paper)
        assert not inked(before, LIGHT.estimated).any()
    feed(monitor, mailbox, level(0, 40, fallen, start=200, half=0.4), V4_OFF)
    feed(monitor, mailbox, level(0, 160, fallen, start=240, half=0.4))
    shown = page(monitor)
    assert header_says(monitor, "measured I II")
    assert monitor.panel.leads_off.text() == "Lead off: V4"
    assert not is_written(shown, "V4", page_font(14, 1, QFont.Weight.Bold), LIGHT.measured, LIGHT.paper)
    assert is_written(shown, "dV4", page_font(14, 1), LIGHT.estimated, LIGHT.paper)
    if not layout:
        after = cell_of(monitor, "V4")
        words = page_font(13, 1, QFont.Weight.Bold)
        assert is_written(after, "lead off, estimated", words, LIGHT.warning, LIGHT.paper)
        assert inked(after, LIGHT.measured).sum() >= 30  # what was measured stays so
        assert inked(after, LIGHT.estimated).sum() >= 30
        geometry = monitor.sheet.geometry_mm
        assert geometry is not None
        scale = geometry.scale
        early, late = (slice(*(6 + round(at * scale.px_per_sample) for at in ends)) for ends in ((50, 150), (260, 340)))
        v4, v5 = (interval_heights(cell_of(monitor, lead)) for lead in ("V4", "V5"))
        assert v4[early].max() == 0  # measured
        assert np.median(v5[early]) == pytest.approx(0.1 * scale.px_per_mv, abs=4)
        for heights in (v4[late], v5[late]):
            assert np.median(heights) == pytest.approx(0.8 * scale.px_per_mv, abs=5)
    feed(monitor, mailbox, level(0, 200, start=400, half=0.05), V4_BACK)
    assert header_says(monitor, "measured I II V4")
    assert not monitor.panel.leads_off.isVisible()


def interval_heights(cell: Pixels) -> NDArray[np.int_]:
    """How high, in each column, all that is bluer than the paper and its lines: an estimate and the fill behind it."""
    below_name = cell[30:].astype(int)
    red, blue = below_name[..., 0], below_name[..., 2]
    heights: NDArray[np.int_] = (blue - red > 8).sum(axis=0)
    return heights


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
    feed(
        monitor,
        mailbox,
        Event(0, Kind.NOTICE, text="a device of a long name " * 20),
        Event(0, Kind.CLOCK, text="odd " * 99),
    )
    for label in monitor.panel.findChildren(QLabel):
        if label.isVisible():
            assert fits(label) or not label.wordWrap(), label.text()
            assert monitor.panel.rect().contains(label.geometry())
    assert {monitor.panel.notice, monitor.panel.leads_off} <= set(
        filter(QLabel.isVisible, monitor.panel.findChildren(QLabel))
    )
    assert (monitor.width(), monitor.height()) == SMALLEST
    assert fits(monitor.failure)
    line = monitor.foot.run
    assert line.fontMetrics().horizontalAdvance(line.text.split("look-ahead")[0]) <= line.width()


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


SEARCH = info(record="lsl://Polar-patch", leads_in=())
NOTHING_FOUND = Event(0, Kind.NOTICE, text="no LSL stream of this name: is the device on?")


def test_it_opens_before_the_source_is_known_and_goes_on_when_it_is(qtbot: QtBot, mailbox: Mailbox) -> None:
    box = PageBox(SEARCH)
    monitor = opened(qtbot, Monitor(box, mailbox))
    press(qtbot, monitor, "d")
    press(qtbot, monitor, Qt.Key.Key_Space)
    feed(monitor, mailbox, NOTHING_FOUND)
    assert monitor.search.isVisible()
    assert monitor.search.notice.text() == NOTHING_FOUND.text
    assert monitor.foot.run.text.startswith("Searching")
    assert monitor.windowTitle() == "lsl://Polar-patch - ecgstream"

    whole = twelve(1, 1000)
    first, second = cut(whole, [400])
    box.page = info(record="bed-7", remote="ward-3:5556", show_truth=True)
    mailbox.push(Event(0, Kind.NOTICE))
    mailbox.push(source(State.LIVE))
    feed(monitor, mailbox, first)
    assert not monitor.search.isVisible()
    assert monitor.panel.state.text() == "Live"
    assert monitor.windowTitle() == "bed-7 from ward-3:5556 - ecgstream"
    assert monitor.foot.run.text.startswith("Live  ·  latency -- ms there")
    feed(monitor, mailbox, second)

    other_box = Mailbox()
    other = opened(qtbot, Monitor(box.page, other_box))
    press(qtbot, other, "d")
    feed(other, other_box, whole)
    assert np.array_equal(page(monitor), page(other))  # with the view that was chosen before, and the truth
    assert inked(page(monitor), DARK.truth).any()


def test_another_page_forgets_what_was_of_the_first(qtbot: QtBot, mailbox: Mailbox) -> None:
    box = PageBox(info(record="one"))
    monitor = opened(qtbot, Monitor(box, mailbox))
    feed(monitor, mailbox, source(State.LIVE), twelve(1, 1000))
    box.page = info(record="one")  # the same again is no other
    before = page(monitor)
    monitor.poll()
    assert np.array_equal(page(monitor), before)
    box.page = info(record="two", filter="monitor", leads_in=("I", "II", "V2"))
    late = replace(twelve(2, 500), start=100_000)
    feed(monitor, mailbox, late)
    other_box = Mailbox()
    other = opened(qtbot, Monitor(box.page, other_box))
    feed(other, other_box, late)
    assert np.array_equal(page(monitor), page(other))


def test_a_search_that_fails_says_why(qtbot: QtBot, mailbox: Mailbox) -> None:
    monitor = opened(qtbot, Monitor(SEARCH, mailbox))
    feed(monitor, mailbox, NOTHING_FOUND, FAILURE)
    assert not monitor.search.isVisible()
    assert monitor.failure.text() == FAILURE.text
    assert (monitor.panel.state.text(), monitor.panel.detail.text()) == ("Failed", "there is no source")


def test_the_card_has_room_in_the_smallest_window(qtbot: QtBot, mailbox: Mailbox) -> None:
    monitor = opened(qtbot, Monitor(SEARCH, mailbox))
    feed(monitor, mailbox, RECORDER_FAILURE, Event(0, Kind.NOTICE, text="a line of what was found\n" * 50))
    assert (monitor.width(), monitor.height()) == SMALLEST
    assert fits(monitor.search.notice)
    assert monitor.sheet.rect().contains(monitor.search.geometry())


class Clocks:
    """A host's clocks, which the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_seconds_without_a_signal_count_up(qtbot: QtBot, mailbox: Mailbox) -> None:
    clock = Clocks()
    monitor = opened(qtbot, Monitor(info(), mailbox, Watch(clock, clock)))
    feed(monitor, mailbox, source(State.LIVE), level(0, 500))
    clock.now += 1.2
    feed(monitor, mailbox, source(State.STALE), Event(500, Kind.NOTICE, text="connecting anew"))
    for seconds in (1, 2, 7):
        clock.now = 1000.2 + seconds
        monitor.poll()
        assert monitor.panel.detail.text() == f"nothing arriving for {duration(seconds)}"
        assert monitor.panel.notice.text() == "connecting anew"
    feed(monitor, mailbox, source(State.NO_SIGNAL), Gap(500, 40, Why.NO_SIGNAL))
    assert duration(7) in monitor.panel.detail.text()  # a gap is no signal
    feed(monitor, mailbox, Gap(540, 460), level(0, 0, start=1000))
    assert duration(7) in monitor.panel.detail.text()
    feed(monitor, mailbox, source(State.STALE), level(0, 40, start=1000))
    assert duration(0) in monitor.panel.detail.text()


def test_a_derived_stream_shows_its_time_and_its_age_on_this_screen(qtbot: QtBot, mailbox: Mailbox) -> None:
    clock = Clocks()
    monitor = opened(qtbot, Monitor(info(remote="ward-3:5556"), mailbox, Watch(clock, clock)))
    mailbox.push(source(State.LIVE))
    for hop in range(20):
        end = 40 * (hop + 1)
        clock.now = 1000 + end / 500 + 0.128
        mailbox.push(Event(end, Kind.LATENCY, value=118.3))
        mailbox.push(Event(0, Kind.TIME, value=1000.0))
        feed(monitor, mailbox, level(0, 40, start=end - 40))
    assert monitor.foot.run.text.split("  ·  ")[:2] == ["Live", "latency 118 ms there, 130 ms here"]
    assert monitor.panel.time.text() == of_day(1001.6)


def test_a_clock_that_jumps_is_said_and_then_counted(qtbot: QtBot, mailbox: Mailbox) -> None:
    clock = Clocks()
    monitor = opened(qtbot, Monitor(info(), mailbox, Watch(clock, clock)))
    jump = Event(500, Kind.CLOCK, text="the device's clock jumped by 3600 s", value=3600)
    feed(monitor, mailbox, source(State.LIVE), level(0, 500), jump)
    assert monitor.panel.clock.isVisible()
    assert monitor.panel.clock.text() == jump.text
    clock.now += CLOCK_FAULT_S
    monitor.poll()
    assert not monitor.panel.clock.isVisible()
    assert "clock faults 1" in monitor.foot.run.text


def test_polling_without_news_paints_nothing(monitor: Monitor, mailbox: Mailbox) -> None:
    feed(monitor, mailbox, twelve(8, 500))
    before = page(monitor)
    for _ in range(3):
        monitor.poll()
    QApplication.processEvents()
    assert np.array_equal(page(monitor), before)
