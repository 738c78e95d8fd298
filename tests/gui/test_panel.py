"""Around the page: a heart rate only where it is sure, the state in words, and what nobody may overlook."""

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from engine.leads import DISCLAIMER, LIMB
from gui.panel import STATES, Failure, Foot, Help, Line, Panel
from gui.theme import DARK, LIGHT, Theme
from stream.status import FAILED, Status
from stream.supervisor import State
from tests.gui.pages import info, inked, pixels


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    return DARK if request.param == "dark" else LIGHT


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
        (Status("back", heart_rate=61), "61"),
        (Status("ended", heart_rate=180.2), "180"),
        (Status("searching", heart_rate=60), "--"),
        (Status("no signal", heart_rate=60), "--"),
        (Status("stale", heart_rate=60), "--"),
        (Status("lost", heart_rate=60), "--"),
        (Status("failed", message="no", heart_rate=60), "--"),
    ],
)
def test_the_heart_rate_shows_only_while_it_is_sure(panel: Panel, status: Status, rate: str) -> None:
    panel.show_status(Status("live", heart_rate=44), frozen=False)
    assert panel.rate.text() == "44"
    panel.show_status(status, frozen=False)
    assert panel.rate.text() == rate
    assert panel.under_rate.text() == ("" if rate == "--" else "per minute")


@pytest.mark.parametrize("state", STATES)
def test_where_there_is_no_heart_rate_its_reason_stands(panel: Panel, state: str) -> None:
    panel.show_status(Status(state, why_no_rate="lead II carries no signal"), frozen=False)
    assert panel.rate.text() == "--"
    assert panel.under_rate.text() == "lead II carries no signal"


def test_a_reason_moves_nothing(panel: Panel) -> None:
    panel.show_status(Status("live", heart_rate=70), frozen=False)
    QApplication.processEvents()  # lays it out
    before = panel.state.geometry()
    for words in (
        "",
        "few beats",
        "no beat for 3 s",
        "the beats differ too much in strength to be sure of any of them",
    ):
        panel.show_status(Status("live", why_no_rate=words), frozen=False)
        QApplication.processEvents()
        assert panel.state.geometry() == before
        assert panel.under_rate.heightForWidth(panel.under_rate.width()) <= panel.under_rate.height()


@pytest.mark.parametrize(
    ("state", "words", "calls"),
    [
        ("searching", "Waiting", False),
        ("live", "Live", False),
        ("no signal", "No signal", True),
        ("stale", "Interrupted", True),
        ("lost", "Source lost", True),
        ("back", "Back", False),
        ("ended", "Ended", False),
        ("failed", "Failed", True),
    ],
)
def test_the_state_stands_in_words(panel: Panel, theme: Theme, state: str, words: str, calls: bool) -> None:
    panel.show_status(Status(state), frozen=False)
    assert panel.state.text() == words
    assert panel.detail.text()
    assert inked(pixels(panel.grab()), theme.warning).any() == calls


def test_every_state_has_words_of_its_own() -> None:
    assert set(STATES) == {*State, FAILED}
    assert len({words for words, _ in STATES.values()}) == len(STATES)


@pytest.mark.parametrize("state", STATES)
def test_frozen_says_so_and_how_the_stream_is(panel: Panel, theme: Theme, state: str) -> None:
    panel.show_status(Status(state), frozen=True)
    assert panel.state.text() == "Frozen"
    assert panel.detail.text().splitlines() == [*STATES[state], "space resumes"]
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), frozen=False)
    assert panel.state.text() == "Live"
    assert not inked(pixels(panel.grab()), theme.warning).any()


def test_leads_off_are_named(panel: Panel, theme: Theme) -> None:
    panel.show_status(Status("live", leads_off=("I", "V4")), frozen=False)
    assert panel.leads_off.text() == "Lead off: I V4"
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), frozen=False)
    assert not panel.leads_off.isVisible()


@pytest.mark.parametrize(
    ("leads", "words"), [(("III",), "III disagrees"), (("III", "aVR", "aVL", "aVF"), "III aVR aVL aVF disagree")]
)
def test_limb_leads_that_disagree_are_named_with_what_to_do(
    panel: Panel, theme: Theme, leads: tuple[str, ...], words: str
) -> None:
    panel.show_status(Status("live", limb_leads=leads), frozen=False)
    assert panel.limb_leads.text() == words
    assert panel.limb_advice.text() == "with the other limb leads: look for a swapped or loose electrode"
    assert panel.limb_advice.isVisible()
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), frozen=False)
    assert not panel.limb_leads.isVisible()
    assert not panel.limb_advice.isVisible()
    assert not inked(pixels(panel.grab()), theme.warning).any()


def test_before_the_first_status_it_waits(panel: Panel, theme: Theme) -> None:
    assert (panel.rate.text(), panel.state.text()) == ("--", "Waiting")
    assert not panel.limb_advice.isVisible()
    assert not inked(pixels(panel.grab()), theme.warning).any()


def test_no_word_is_cut(panel: Panel) -> None:
    leads = ("I", "II", "V1", "V2", "V3")
    why = "the beats differ too much in strength to be sure of any"
    for state in STATES:
        for rate in (288, None):
            for frozen in (False, True):
                status = Status(state, heart_rate=rate, why_no_rate=why, leads_off=leads, limb_leads=LIMB[2:])
                panel.show_status(status, frozen=frozen)
                QApplication.processEvents()  # lays it out
                for label in panel.findChildren(QLabel):
                    assert label.minimumSizeHint().width() <= label.width(), label.text()
                    assert label.heightForWidth(label.width()) <= label.height(), label.text()
                    assert panel.rect().contains(label.geometry()), label.text()


@pytest.fixture
def failure(qtbot: QtBot, theme: Theme) -> Failure:
    failure = Failure()
    failure.show_theme(theme)
    failure.resize(1000, 40)
    qtbot.addWidget(failure)
    return failure


def test_the_strip_is_away_while_nothing_has_failed(failure: Failure) -> None:
    for state in STATES:
        failure.show_status(Status(state, why_no_rate="few beats", leads_off=("V4",), limb_leads=("III",), lost=3))
        assert failure.isHidden()


@pytest.mark.parametrize(
    ("message", "failures", "lines"),
    [
        ("the cable is out", (), ["the cable is out"]),
        ("", ("recorder: disk full",), ["recorder: disk full"]),
        ("the cable is out", ("recorder: disk full",), ["the cable is out", "recorder: disk full"]),
        ("", ("a", "b", "c"), ["a", "b", "c"]),
        ("no", ("a", "b", "c", "d", "e"), ["no", "c", "d", "e", "and 2 more before"]),
    ],
)
def test_the_strip_says_what_failed(
    failure: Failure, theme: Theme, message: str, failures: tuple[str, ...], lines: list[str]
) -> None:
    failure.show_status(Status("failed" if message else "live", message=message, failures=failures))
    assert not failure.isHidden()
    assert failure.text().splitlines() == lines
    picture = pixels(failure.grab())
    assert inked(picture, theme.warning).mean() > 0.5
    assert inked(picture, theme.paper).any()


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
    assert parts == ["Live", "latency 112 ms", "look-ahead 96 ms", "dropped 3", "unet-1M", "onnx"]


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (Status("stale"), []),
        (Status("stale", frames_skipped=7), ["skipped 7 frames"]),
        (Status("stale", lost=120), ["lost 120 samples"]),
        (Status("stale", frames_skipped=7, lost=120), ["skipped 7 frames", "lost 120 samples"]),
    ],
)
def test_the_foot_counts_what_went_missing(foot: Foot, status: Status, counts: list[str]) -> None:
    foot.show_status(status)
    parts = [part.strip() for part in foot.run.text.split("·")]
    usual = ["Interrupted", "latency -- ms", "look-ahead 96 ms", "dropped 0"]
    assert parts == [*usual, *counts, "unet-1M", "onnx"]


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
