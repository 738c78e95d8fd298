"""Around the page: a heart rate only where it is sure, the state in words, and what nobody may overlook."""

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from engine.leads import DISCLAIMER
from gui.panel import STATES, Foot, Help, Line, Panel
from gui.theme import DARK, LIGHT, Theme
from stream.items import Status
from tests.gui.pages import info, inked, pixels


@pytest.fixture(params=[LIGHT, DARK], ids=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    return request.param


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Panel:
    panel = Panel()
    panel.setAutoFillBackground(True)
    panel.show_theme(theme)
    qtbot.addWidget(panel)
    panel.resize(panel.width(), 600)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


@pytest.mark.parametrize(
    ("status", "rate"),
    [
        (Status("live", heart_rate=71.6), "72"),
        (Status("live", heart_rate=None), "--"),
        (Status("ended", heart_rate=180.2), "180"),
        (Status("searching", heart_rate=60), "--"),
        (Status("stale", heart_rate=60), "--"),
        (Status("failed", message="no", heart_rate=60), "--"),
    ],
)
def test_the_heart_rate_shows_only_while_it_is_sure(panel: Panel, status: Status, rate: str) -> None:
    panel.show_status(Status("live", heart_rate=44), frozen=False)
    assert panel.rate.text() == "44"
    panel.show_status(status, frozen=False)
    assert panel.rate.text() == rate


@pytest.mark.parametrize(
    ("state", "words", "calls"),
    [
        ("searching", "Waiting", False),
        ("live", "Live", False),
        ("stale", "Signal lost", True),
        ("ended", "Ended", False),
        ("failed", "Failed", True),
    ],
)
def test_the_state_stands_in_words(panel: Panel, theme: Theme, state: str, words: str, calls: bool) -> None:
    panel.show_status(Status(state), frozen=False)
    assert panel.state.text() == words
    assert panel.detail.text()
    assert inked(pixels(panel.grab()), theme.warning).any() == calls


def test_every_state_has_words() -> None:
    assert set(STATES) == {"searching", "live", "stale", "ended", "failed"}


def test_frozen_says_so_and_how_the_stream_is(panel: Panel, theme: Theme) -> None:
    panel.show_status(Status("stale"), frozen=True)
    assert panel.state.text() == "Frozen"
    assert "Signal lost" in panel.detail.text()
    assert "space resumes" in panel.detail.text()
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), frozen=False)
    assert panel.state.text() == "Live"


def test_leads_off_are_named(panel: Panel, theme: Theme) -> None:
    panel.show_status(Status("live", leads_off=("I", "V4")), frozen=False)
    assert panel.leads_off.text() == "Lead off: I V4"
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), frozen=False)
    assert panel.leads_off.text() == ""


def test_no_word_is_cut(panel: Panel) -> None:
    for state in STATES:
        for frozen in (False, True):
            panel.show_status(Status(state, heart_rate=288, leads_off=("I", "II", "V1", "V2", "V3")), frozen)
            QApplication.processEvents()  # lays it out
            for label in panel.findChildren(QLabel):
                assert label.sizeHint().width() <= label.width() or label.wordWrap(), label.text()
                if label.wordWrap():
                    assert label.heightForWidth(label.width()) <= label.height(), label.text()


@pytest.fixture
def foot(qtbot: QtBot, theme: Theme) -> Foot:
    foot = Foot(info(model="unet-1M", backend="onnx", look_ahead_ms=96))
    foot.show_theme(theme)
    qtbot.addWidget(foot)
    foot.resize(1000, foot.sizeHint().height())
    with qtbot.waitExposed(foot):
        foot.show()
    return foot


def test_the_foot_tells_how_the_run_is_doing(foot: Foot) -> None:
    foot.show_status(Status("live", latency_ms=112.4, dropped=3))
    parts = [part.strip() for part in foot.run.text.split("·")]
    assert parts == ["Live", "latency 112 ms", "look-ahead 96 ms", "unet-1M", "onnx", "dropped 3"]
    foot.show_status(Status("stale", frames_skipped=7))
    parts = [part.strip() for part in foot.run.text.split("·")]
    assert parts == ["Signal lost", "latency -- ms", "look-ahead 96 ms", "unet-1M", "onnx", "dropped 0", "skipped 7"]


def test_what_derived_leads_are_for_is_never_cut(foot: Foot) -> None:
    assert foot.disclaimer.text() == DISCLAIMER == "derived leads: for study, not for diagnosis"
    foot.run.text = "a long line " * 60
    for width in (1500, 1000, 700):
        foot.resize(width, foot.height())
        foot.grab()
        assert foot.disclaimer.isVisible()
        assert foot.disclaimer.width() >= foot.disclaimer.sizeHint().width()
        assert foot.run.geometry().right() < foot.disclaimer.geometry().left()


def test_a_line_is_shortened_and_says_all_where_the_pointer_rests(qtbot: QtBot) -> None:
    line, shortened = Line(), Line()
    whole = "short and much longer than ninety pixels"
    for widget in (line, shortened):
        qtbot.addWidget(widget)
        widget.resize(90, 20)
    line.text = whole
    shortened.text = line.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, 90)
    assert shortened.text.startswith("short")
    assert shortened.text.endswith("…")
    assert np.array_equal(pixels(line.grab()), pixels(shortened.grab()))
    assert line.text == line.toolTip() == whole


def test_the_help_sheet_names_every_key_in_the_middle(qtbot: QtBot, theme: Theme) -> None:
    window = Panel()
    window.setFixedSize(800, 600)
    qtbot.addWidget(window)
    help_ = Help(window, [("Space", "freeze or resume"), ("Q", "stop and close")])
    help_.show_theme(theme)
    with qtbot.waitExposed(window):
        window.show()
    assert not help_.isVisible()
    help_.toggle()
    assert help_.isVisible()
    words = [label.text() for label in help_.findChildren(QLabel)]
    assert words == ["Keys", "Space", "freeze or resume", "Q", "stop and close"]
    middle = help_.geometry().center()
    assert abs(middle.x() - 400) <= 1
    assert abs(middle.y() - 300) <= 1
    help_.toggle()
    assert not help_.isVisible()
