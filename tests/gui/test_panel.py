"""Around the page: a heart rate only where it is sure, the state in words, and what nobody may overlook."""

from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from engine.leads import DISCLAIMER, LEADS, LIMB
from gui.panel import STATES, Failure, Foot, Help, Line, Panel
from gui.theme import DARK, LIGHT, Theme
from gui.watch import Times, duration
from stream.status import FAILED, Status
from stream.supervisor import State
from tests.gui.pages import info, inked, pixels


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    return DARK if request.param == "dark" else LIGHT


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Panel:
    panel = Panel(info())
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
    panel.show_status(Status("live", heart_rate=44), Times(), frozen=False)
    assert panel.rate.text() == "44"
    panel.show_status(status, Times(), frozen=False)
    assert panel.rate.text() == rate
    assert panel.under_rate.text() == ("" if rate == "--" else "per minute")


@pytest.mark.parametrize("state", STATES)
def test_where_there_is_no_heart_rate_its_reason_stands(panel: Panel, state: str) -> None:
    panel.show_status(Status(state, why_no_rate="lead II carries no signal"), Times(), frozen=False)
    assert panel.rate.text() == "--"
    assert panel.under_rate.text() == "lead II carries no signal"


def test_a_reason_moves_nothing(panel: Panel) -> None:
    panel.show_status(Status("live", heart_rate=70), Times(), frozen=False)
    QApplication.processEvents()  # lays it out
    before = panel.state.geometry()
    for words in (
        "",
        "few beats",
        "no beat for 3 s",
        "the beats differ too much in strength to be sure of any of them",
    ):
        panel.show_status(Status("live", why_no_rate=words), Times(), frozen=False)
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
    panel.show_status(Status(state), Times(), frozen=False)
    assert panel.state.text() == words
    assert panel.detail.text()
    assert inked(pixels(panel.grab()), theme.warning).any() == calls


def test_every_state_has_words_of_its_own() -> None:
    assert set(STATES) == {*State, FAILED}
    assert len({words for words, _ in STATES.values()}) == len(STATES)


@pytest.mark.parametrize("state", STATES)
def test_frozen_says_so_and_how_the_stream_is(panel: Panel, theme: Theme, state: str) -> None:
    panel.show_status(Status(state), Times(), frozen=True)
    assert panel.state.text() == "Frozen"
    word, meaning = STATES[state]
    assert panel.detail.text() == f"{word}\n{meaning.format(duration(0))}\nspace resumes"
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), Times(), frozen=False)
    assert panel.state.text() == "Live"
    assert not inked(pixels(panel.grab()), theme.warning).any()


def test_leads_off_are_named(panel: Panel, theme: Theme) -> None:
    panel.show_status(Status("live", leads_off=("I", "V4")), Times(), frozen=False)
    assert panel.leads_off.text() == "Lead off: I V4"
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), Times(), frozen=False)
    assert not panel.leads_off.isVisible()


@pytest.mark.parametrize(
    ("leads", "words"), [(("III",), "III disagrees"), (("III", "aVR", "aVL", "aVF"), "III aVR aVL aVF disagree")]
)
def test_limb_leads_that_disagree_are_named_with_what_to_do(
    panel: Panel, theme: Theme, leads: tuple[str, ...], words: str
) -> None:
    panel.show_status(Status("live", limb_leads=leads), Times(), frozen=False)
    assert panel.limb_leads.text() == words
    assert panel.limb_advice.text() == "with the other limb leads: look for a swapped or loose electrode"
    assert panel.limb_advice.isVisible()
    assert inked(pixels(panel.grab()), theme.warning).any()
    panel.show_status(Status("live"), Times(), frozen=False)
    assert not panel.limb_leads.isVisible()
    assert not panel.limb_advice.isVisible()
    assert not inked(pixels(panel.grab()), theme.warning).any()


def test_before_the_first_status_it_waits(panel: Panel, theme: Theme) -> None:
    assert (panel.rate.text(), panel.state.text()) == ("--", "Waiting")
    assert not panel.limb_advice.isVisible()
    assert not inked(pixels(panel.grab()), theme.warning).any()


def shown_labels(panel: Panel) -> list[QLabel]:
    QApplication.processEvents()  # lays them out
    return [label for label in panel.findChildren(QLabel) if label.isVisible()]


def assert_no_word_is_cut(panel: Panel) -> None:
    for label in shown_labels(panel):
        assert label.minimumSizeHint().width() <= label.width(), label.text()
        assert label.heightForWidth(label.width()) <= label.height(), label.text()
        assert panel.rect().contains(label.geometry()), label.text()


def test_no_word_is_cut(panel: Panel) -> None:
    leads = ("I", "II", "V1", "V2", "V3")
    why = "the beats differ too much in strength to be sure of any"
    for state in STATES:
        for rate in (288, None):
            for frozen in (False, True):
                status = Status(state, heart_rate=rate, why_no_rate=why, leads_off=leads, limb_leads=LIMB[2:])
                panel.show_status(status, Times(silent_s=3599), frozen=frozen)
                assert_no_word_is_cut(panel)


NOTICE = "Polar H10 is announced but sends nothing: connecting anew"
JUMP = "the device's clock jumped by 3600 s"


def test_what_is_wrong_with_the_source_stands_under_its_state(panel: Panel, theme: Theme) -> None:
    panel.show_status(Status("stale"), Times(silent_s=7), frozen=False)
    before = [label.geometry() for label in (panel.rate, panel.state, panel.detail)]
    assert not panel.notice.isVisible()
    panel.show_status(Status("stale", notice=NOTICE), Times(silent_s=7), frozen=False)
    assert panel.notice.text() == NOTICE
    assert panel.notice in shown_labels(panel)
    assert [label.geometry() for label in (panel.rate, panel.state, panel.detail)] == before
    assert panel.detail.geometry().bottom() < panel.notice.geometry().top() < panel.detail.geometry().bottom() + 30
    bar = inked(pixels(panel.notice.grab()), theme.warning)
    assert bar.any(axis=1).mean() > 0.7  # a bar along all of it
    panel.show_status(Status("live"), Times(), frozen=False)
    assert not panel.notice.isVisible()
    assert not inked(pixels(panel.grab()), theme.warning).any()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("searching", "for the first signal: 7 s"),
        ("no signal", "all leads off for 7 s:\ncheck the electrodes"),
        ("stale", "nothing arriving for 7 s"),
        ("lost", "nothing for 7 s:\ncheck the device"),
    ],
)
def test_how_long_it_has_been_silent_counts_up(panel: Panel, state: str, words: str) -> None:
    panel.show_status(Status(state), Times(silent_s=7), frozen=False)
    assert panel.detail.text().replace("\N{NO-BREAK SPACE}", " ") == words
    place = panel.detail.geometry()
    for seconds in (8, 59, 60, 3599, 3600, 86399):
        panel.show_status(Status(state), Times(silent_s=seconds), frozen=False)
        assert duration(seconds) in panel.detail.text()
        assert_no_word_is_cut(panel)
        assert panel.detail.geometry() == place


def test_a_fault_of_the_clock_is_said_while_it_is_new(panel: Panel, theme: Theme) -> None:
    status = Status("live", clock=JUMP, clock_faults=2)
    panel.show_status(status, Times(clock_fault=True), frozen=False)
    assert panel.clock in shown_labels(panel)
    assert panel.clock.text() == JUMP
    assert inked(pixels(panel.clock.grab()), theme.warning).any()
    panel.show_status(status, Times(clock_fault=False), frozen=False)
    assert not panel.clock.isVisible()


def test_the_time_of_the_trace_stands_at_the_bottom(panel: Panel) -> None:
    panel.show_status(Status("live"), Times(), frozen=False)
    assert not panel.under_time.isVisible()
    panel.show_status(Status("live"), Times(of_day="14:03:27"), frozen=False)
    assert panel.time.text() == "14:03:27"
    assert {panel.time, panel.under_time} <= set(shown_labels(panel))
    assert panel.under_time.text() == "newest sample"
    assert panel.height() - panel.under_time.geometry().bottom() < 20
    place = panel.time.geometry()
    panel.show_status(Status("lost", notice=NOTICE, leads_off=("V4",)), Times(of_day="14:03:28"), frozen=False)
    QApplication.processEvents()
    assert panel.time.geometry() == place


def test_while_the_source_is_searched_for_the_page_says_what_is_found(qtbot: QtBot) -> None:
    panel = Panel(info(leads_in=()))
    qtbot.addWidget(panel)
    panel.show_status(Status(notice=NOTICE), Times(), frozen=False)
    assert (panel.state.text(), panel.detail.text()) == ("Searching", "for the source")
    assert panel.notice.text() == ""
    panel.show_status(Status("failed", message="no"), Times(), frozen=False)
    assert (panel.state.text(), panel.detail.text()) == ("Failed", "there is no source")
    panel.show_status(Status(notice=NOTICE), Times(), frozen=False)
    panel.begin(info())
    assert panel.state.text() == "Waiting"
    assert panel.notice.text() == NOTICE


@pytest.mark.parametrize("height", [700, 560, 480, 420])
def test_where_it_is_low_what_matters_least_goes_first(panel: Panel, height: int) -> None:
    panel.setFixedHeight(height)
    word = "W" * 400
    for notice in (NOTICE, NOTICE * 40, word, "\n" * 300 + word):
        for leads in ((), ("V4",), LEADS):
            status = Status("lost", notice=notice, clock=JUMP, clock_faults=1, leads_off=leads, limb_leads=LIMB[2:4])
            times = Times(silent_s=100, of_day="14:03:27", clock_fault=True)
            panel.show_status(status, times, frozen=False)
            assert_no_word_is_cut(panel)
            shown = set(shown_labels(panel))
            assert {panel.state, panel.detail, panel.notice, panel.limb_leads} <= shown
            assert panel.notice.text()[:10].strip("\n") == notice.strip()[:10]
            by_worth = [panel.clock, panel.time, panel.under_time, panel.limb_advice]
            are_shown = [label in shown for label in by_worth]
            assert are_shown == sorted(are_shown, reverse=True)
    panel.setFixedHeight(900)
    panel.show_status(replace(status, notice=NOTICE, leads_off=()), times, frozen=False)
    assert {panel.clock, panel.time, panel.under_time, panel.limb_advice} <= set(shown_labels(panel))


def test_what_others_wrote_stands_as_it_is(panel: Panel) -> None:
    for odd in ("<b>patch</b> & more", "{} {0} %s"):
        panel.show_status(Status("stale", notice=odd, clock=odd), Times(clock_fault=True), frozen=False)
        assert (panel.notice.text(), panel.clock.text()) == (odd, odd)
        assert panel.notice.textFormat() is panel.clock.textFormat() is Qt.TextFormat.PlainText


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
    foot.show_status(Status("live", latency_ms=112.4, dropped=3), Times())
    parts = [part.strip() for part in foot.run.text.split("·")]
    assert parts == ["Live", "latency 112 ms", "dropped 3", "look-ahead 96 ms", "unet-1M", "onnx"]


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (Status("stale"), []),
        (Status("stale", frames_skipped=7), ["skipped 7 frames"]),
        (Status("stale", lost=120), ["lost 120 samples"]),
        (Status("stale", clock_faults=3), ["clock faults 3"]),
        (Status("stale", frames_skipped=7, lost=120), ["skipped 7 frames", "lost 120 samples"]),
    ],
)
def test_the_foot_counts_what_went_missing(foot: Foot, status: Status, counts: list[str]) -> None:
    foot.show_status(status, Times())
    parts = [part.strip() for part in foot.run.text.split("·")]
    usual = ["Interrupted", "latency -- ms", "dropped 0"]
    assert parts == [*usual, *counts, "look-ahead 96 ms", "unet-1M", "onnx"]


@pytest.mark.parametrize(
    ("latency_ms", "age_ms", "words"),
    [
        (118.3, 131.4, "latency 118 ms there, 131 ms here"),
        (None, None, "latency -- ms there, -- here"),
        (118.3, -20.0, "latency 118 ms there, -- here (clocks differ)"),
        (118.3, 1e12, "latency 118 ms there, -- here (clocks differ)"),
    ],
)
def test_of_a_stream_derived_elsewhere_the_foot_has_the_latency_here(
    foot: Foot, latency_ms: float | None, age_ms: float | None, words: str
) -> None:
    foot.begin(info(remote="ward-3:5556"))
    foot.show_status(Status("live", latency_ms=latency_ms), Times(age_ms=age_ms))
    assert foot.run.text.split("  ·  ")[1] == words


def test_of_a_search_the_foot_has_no_figures(foot: Foot) -> None:
    foot.begin(info(leads_in=(), model="unet-1M", backend=""))
    foot.show_status(Status(), Times())
    assert foot.run.text == "Searching  ·  unet-1M"


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
    window = Panel(info())
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
