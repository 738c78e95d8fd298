"""The sheet: what is painted reaches the screen, at every size and pixel ratio."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.filters import BANDS
from engine.leads import LEADS, RATE, Origin
from gui.history import History
from gui.page import LAYOUTS, View, expected_origins
from gui.paper import HEADER, MARGIN, px_per_mm
from gui.sheet import Sheet
from gui.theme import DARK, LIGHT
from stream.items import Gap
from tests.gui.pages import LEADS_IN, ORIGINS, Pixels, cut, info, inked, level, pixels, stream, tail_after, twelve


@pytest.fixture
def history() -> History:
    return History(ORIGINS)


@pytest.fixture
def sheet(qtbot: QtBot, history: History) -> Sheet:
    return opened(qtbot, Sheet(info(), history, View()))


def opened(qtbot: QtBot, sheet: Sheet) -> Sheet:
    qtbot.addWidget(sheet)
    sheet.resize(760, 520)
    with qtbot.waitExposed(sheet):
        sheet.show()
    return sheet


def on_screen(widget: Sheet) -> Pixels:
    """What the X server shows, not what the widget would paint if asked."""
    QApplication.processEvents()
    screen = widget.screen()
    assert screen is not None
    return pixels(screen.grabWindow(widget.winId()))


def painted_anew(sheet: Sheet, history: History) -> Pixels:
    """A second sheet that looks the same and had nothing painted before."""
    fresh = Sheet(info(), history, sheet.view)
    fresh.resize(sheet.size())
    fresh.advance()
    return pixels(fresh.grab())


def test_what_comes_is_on_the_screen(sheet: Sheet, history: History) -> None:
    for item in stream(twelve(1, 1500, gaps=1), [40] * 30):
        before = on_screen(sheet)
        history.append(item)
        sheet.advance()
        assert isinstance(item, Gap) or (on_screen(sheet) != before).any()
    assert np.array_equal(on_screen(sheet), painted_anew(sheet, history))


def test_at_any_pixel_ratio(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    program = f"""
import numpy as np
from PyQt6.QtWidgets import QApplication
app = QApplication([])
from tests.gui.test_sheet import *
history = History(ORIGINS)
sheet = Sheet(info(), history, View())
sheet.resize(701, 503)
sheet.show()
for item in stream(twelve(1, 1500, gaps=1), [40] * 30):
    history.append(item)
    sheet.advance()
    on_screen(sheet)
np.savez({str(tmp_path / "pages.npz")!r}, shown=on_screen(sheet), anew=painted_anew(sheet, history))
"""
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5"}
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=environment, cwd=pytestconfig.rootpath, check=True, timeout=60)
    pages = np.load(tmp_path / "pages.npz")
    assert pages["shown"].shape[1] == round(1.5 * 701)
    assert np.array_equal(pages["shown"], pages["anew"])


def test_a_new_size_lays_it_out_anew(sheet: Sheet, history: History) -> None:
    history.append(twelve(2, 800))
    sheet.advance()
    sheet.resize(900, 600)
    shown = on_screen(sheet)
    assert shown.shape[:2] == (600, 900)
    assert sheet.geometry_mm is not None
    assert sheet.geometry_mm.width == 900
    assert np.array_equal(shown, painted_anew(sheet, history))


def test_its_millimetres_are_those_of_its_screen(sheet: Sheet) -> None:
    per_mm, _ = px_per_mm(sheet.screen())
    assert sheet.geometry_mm is not None
    assert sheet.geometry_mm.scale.px_per_mm == pytest.approx(per_mm * sheet.devicePixelRatioF())
    columns = np.flatnonzero(inked(on_screen(sheet)[HEADER + 2], LIGHT.bold))
    assert np.diff(columns).mean() == pytest.approx(5 * per_mm, abs=0.02)
    assert columns[0] == MARGIN


@pytest.mark.parametrize("view", [View(layout=LAYOUTS[1]), View(dark=True), View(gain=20), View(speed=50)])
def test_a_new_view_shows_the_same_history_in_it(sheet: Sheet, history: History, view: View) -> None:
    history.append(twelve(3, 800))
    sheet.advance()
    before = on_screen(sheet)
    sheet.view = view
    shown = on_screen(sheet)
    assert (shown != before).any()
    assert np.array_equal(shown, painted_anew(sheet, history))
    assert inked(shown, DARK.measured).any() == view.dark


def test_truth_appears_when_wanted_and_there(sheet: Sheet, history: History) -> None:
    def legend_has_it() -> bool:
        return bool(inked(on_screen(sheet)[-20:], LIGHT.truth).any())

    whole = twelve(4, 900)
    first, second = cut(whole, [500])
    sheet.view = View(truth=True)
    history.append(replace(first, truth=None))
    sheet.advance()
    assert not legend_has_it()
    history.append(second)
    sheet.advance()
    assert legend_has_it()
    sheet.view = View(truth=False)
    assert not legend_has_it()


@pytest.mark.parametrize("band", sorted(BANDS))
def test_intervals_are_drawn_only_where_they_hold(qtbot: QtBot, band: str) -> None:
    def page(half: float) -> Pixels:
        history = History(ORIGINS)
        history.append(replace(level(0, 400, half=half), tail=tail_after(400)))
        sheet = opened(qtbot, Sheet(info(filter=band), history, View()))
        sheet.advance()
        return on_screen(sheet)

    assert (page(0.5) != page(0)).any() == (band == "monitor")


def test_a_day_of_nothing_leaves_a_blank_page(sheet: Sheet, history: History) -> None:
    history.append(Gap(0, 1))
    sheet.advance()
    blank = on_screen(sheet)
    history.append(replace(twelve(5, 899), start=1))
    sheet.advance()
    assert (on_screen(sheet) != blank).any()
    history.append(Gap(900, 24 * 3600 * RATE))
    sheet.advance()
    assert np.array_equal(on_screen(sheet), blank)
    history.append(replace(twelve(6, 900), start=history.head))
    sheet.advance()
    assert np.array_equal(on_screen(sheet), painted_anew(sheet, history))


def test_a_lead_that_falls_changes_its_name_and_its_ink(sheet: Sheet, history: History) -> None:
    history.append(level(0, 100))
    sheet.advance()
    before = on_screen(sheet)
    fallen = tuple(Origin.ESTIMATED if lead == "V4" else origin for lead, origin in zip(LEADS, ORIGINS, strict=True))
    history.append(level(0, 100, fallen, start=100))
    sheet.advance()
    assert np.array_equal(on_screen(sheet), painted_anew(sheet, history))
    sheet.mark(("V4",))
    sheet.advance()
    assert inked(on_screen(sheet), LIGHT.warning).any()
    sheet.mark(())
    history.append(level(0, 100, start=200))
    sheet.advance()
    assert not inked(on_screen(sheet), LIGHT.warning).any()
    lane = sheet.geometry_mm.lanes[3] if sheet.geometry_mm else None
    assert lane is not None
    assert lane.cells[0].lead == LEADS_IN[2]
    name = (slice(lane.area.top() + 3, lane.area.top() + 20), slice(lane.area.left(), lane.area.left() + 60))
    assert np.array_equal(on_screen(sheet)[name], before[name])


def test_frozen_it_stands_still(sheet: Sheet, history: History) -> None:
    first, second, third = cut(twelve(5, 1200), [500, 200])
    history.append(first)
    sheet.advance()
    before = on_screen(sheet)
    sheet.frozen = True
    assert np.array_equal(on_screen(sheet), before)
    history.append(second)
    sheet.mark(("I",))
    sheet.advance()
    assert np.array_equal(on_screen(sheet), before)
    sheet.view = View(gain=20)  # another look at the same moment
    assert (on_screen(sheet) != before).any()
    sheet.view = View()
    assert np.array_equal(on_screen(sheet), before)
    sheet.frozen = False
    history.append(third)
    sheet.advance()
    assert np.array_equal(on_screen(sheet), painted_anew(sheet, history))


def test_another_run_begins_on_paper_of_its_own(qtbot: QtBot) -> None:
    search = info(record="lsl://Polar-patch", leads_in=())
    sheet = opened(qtbot, Sheet(search, History(expected_origins(())), View(dark=True)))
    empty = on_screen(sheet)
    sheet.frozen = True
    sheet.mark(("V4",))
    history = History(ORIGINS)
    sheet.begin(info(), history, sheet.view)
    assert not sheet.frozen
    assert (on_screen(sheet) != empty).any()
    history.append(twelve(7, 800))
    sheet.advance()
    assert np.array_equal(on_screen(sheet), painted_anew(sheet, history))
    sheet.begin(search, History(expected_origins(())), sheet.view)
    assert np.array_equal(on_screen(sheet), empty)
