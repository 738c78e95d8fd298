"""The paper: true millimetres, cells that do not meet, and what is printed."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtGui import QColor, QFont, QGuiApplication
from PyQt6.QtWidgets import QApplication

from engine.filters import BAND_LABEL
from engine.leads import LEADS, RATE, Origin, label
from gui.history import CAPACITY
from gui.page import GAINS, LAYOUTS, SPEEDS, Layout, View, expected_origins
from gui.paper import Geometry, Scale, arrange, page_font, print_paper, px_per_mm
from gui.theme import DARK, LIGHT, Theme, mixed
from tests.gui.pages import ORIGINS, PX_PER_MM, geometry, info, inked, is_written, paper, pixels, theme, views


def weight(origin: Origin) -> QFont.Weight:
    return QFont.Weight.Bold if origin is Origin.MEASURED else QFont.Weight.Normal


def cell_picture(page: np.ndarray, place: Geometry, lead: str) -> np.ndarray:
    """A lead's cell, or its part of the column of names where there is one."""
    lane, cell = next((lane, cell) for lane in place.lanes for cell in lane.cells if cell.lead == lead)
    left, right = lane.area.left(), lane.area.right()
    if place.names_beside:
        left, right = int(place.grid.left()), left
    return page[max(cell.top - 6, 0) : cell.top + cell.height + 6, left - 6 : right]


@given(speed=st.sampled_from(SPEEDS), gain=st.sampled_from(GAINS), mm=st.floats(2, 16), ratio=st.sampled_from([1, 2]))
def test_a_second_and_a_millivolt_have_their_millimetres(speed: float, gain: float, mm: float, ratio: float) -> None:
    scale = Scale(mm, True, ratio, speed, gain)
    assert scale.px_per_sample * RATE == pytest.approx(speed * mm)
    assert scale.px_per_mv == pytest.approx(gain * mm)
    assert scale.words() == f"{speed:g} mm/s  {gain:g} mm/mV"


def test_without_true_millimetres_only_squares_count() -> None:
    assert Scale(3.8, False, 1, 25, 10).words() == "1 small square = 40 ms, 0.1 mV"
    assert Scale(3.8, False, 1, 50, 5).words() == "1 small square = 20 ms, 0.2 mV"


def test_millimetres_are_those_of_the_screen(qapp: QApplication) -> None:
    screen = QGuiApplication.primaryScreen()
    assert screen is not None
    per_mm, is_true = px_per_mm(screen)
    size, pixels_across = screen.physicalSize(), screen.geometry().width()
    assert is_true
    assert per_mm == pytest.approx(pixels_across / size.width(), rel=0.02)


def test_no_screen_has_the_usual_millimetres() -> None:
    assert px_per_mm(None) == (PX_PER_MM, False)


@given(
    view=views,
    width=st.integers(560, 4000),
    height=st.integers(420, 2400),
    mm=st.floats(2.4, 16),
    ratio=st.sampled_from([1.0, 1.25, 2.0]),
)
def test_lanes_lie_on_the_page_on_its_lines_and_do_not_meet(
    view: View, width: int, height: int, mm: float, ratio: float
) -> None:
    width, height, mm = int(width * ratio), int(height * ratio), mm * ratio
    place = arrange(width, height, Scale(mm, True, ratio, view.speed, view.gain), view)
    shown = sorted(cell.lead for lane in place.lanes for cell in lane.cells)
    assert shown == sorted(lead for row in view.layout.rows for lead in row)
    for one, other in combinations(place.lanes, 2):
        assert not one.area.intersects(other.area)
    for lane in place.lanes:
        assert place.grid.left() < lane.area.left()
        assert lane.area.right() <= place.grid.right()
        steps = (lane.area.left() - place.grid.left()) / mm
        assert abs(steps - round(steps)) * mm <= 0.5 + 1e-6
        assert 0 < lane.span <= CAPACITY
        assert (lane.span - 1) * place.scale.px_per_sample < lane.area.width()
        for cell in lane.cells:
            assert lane.area.top() <= cell.top < cell.baseline < cell.top + cell.height
            steps = (cell.baseline - place.grid.top()) / mm
            assert abs(steps - round(steps)) * mm <= 1
    for one, other in combinations(place.lanes, 2):
        assert one.area.top() != other.area.top() or one.area.width() == other.area.width()


def test_a_lane_is_never_longer_than_the_history() -> None:
    place = geometry(View(layout=LAYOUTS[1], speed=12.5), width=6000)
    [lane] = place.lanes
    assert lane.area.width() == int(60 * 12.5 * PX_PER_MM)
    assert lane.span <= CAPACITY


def test_the_grid_is_bold_every_five_millimetres(qapp: QApplication) -> None:
    for view in (View(), View(dark=True)):
        place = geometry(view, 900, 700)
        page = pixels(paper(place, view))
        between_rows = int(place.grid.bottom()) - 3
        for colour, every in ((theme(view).bold, 5), (theme(view).fine, 1)):
            columns = np.flatnonzero(inked(page[between_rows], colour))
            steps = (columns - place.grid.left()) / PX_PER_MM
            lines = [
                step for step in range(0, int(place.grid.width() / PX_PER_MM) + 1, every) if every == 5 or step % 5
            ]
            assert len(columns) == len(lines)
            assert np.abs(steps - lines).max() * PX_PER_MM <= 1


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_pulse_of_a_millivolt_stands_before_the_trace(qapp: QApplication, gain: float, layout: Layout) -> None:
    view = View(layout=layout, gain=gain)
    place = geometry(view, 900, 600)
    page = pixels(paper(place, view))
    lane = place.lanes[-1]
    cell = lane.cells[-1]
    pulse = page[:, lane.area.left() - round(8 * PX_PER_MM) : lane.area.left() - round(PX_PER_MM)]
    dark = pulse.sum(axis=2) < 3 * 110
    rows = np.flatnonzero(dark[: int(cell.baseline) + 2].sum(axis=1) >= 4 * PX_PER_MM)  # its top is 5 mm wide
    last = rows[rows < cell.baseline - 2].max()
    assert cell.baseline - 0.5 - last == pytest.approx(gain * PX_PER_MM, abs=1.01)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_names_say_where_a_lead_comes_from(qapp: QApplication, layout: Layout, dark: bool) -> None:
    view = View(layout=layout, dark=dark)
    place = geometry(view, 900, 700)
    page, colours = pixels(paper(place, view)), theme(view)
    for lead, origin in zip(LEADS, ORIGINS, strict=True):
        picture = cell_picture(page, place, lead)
        other = lead if origin is not Origin.MEASURED else f"d{lead}"
        font = page_font(14, 1, weight(origin))
        assert is_written(picture, label(lead, origin), font, colours.ink(origin), colours.paper)
        assert not is_written(picture, other, font, colours.ink(origin), colours.paper)
    names = {label(lead, origin) for lead, origin in zip(LEADS, ORIGINS, strict=True)}
    assert {"V4", "dIII", "dV1"} <= names


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin.MEASURED, "lead off"),
        (Origin.COMPUTED, "lead off, computed"),
        (Origin.ESTIMATED, "lead off, estimated"),
    ],
)
def test_a_lead_off_says_so_in_its_cell(qapp: QApplication, origin: Origin, words: str) -> None:
    origins = tuple(origin for _ in LEADS)
    place = geometry(View(), 1000, 700)
    page = pixels(paper(place, View(), origins, leads_off=("V4",)))
    font = page_font(13, 1, QFont.Weight.Bold)
    for lead in LEADS:
        says = is_written(cell_picture(page, place, lead), words, font, LIGHT.warning, LIGHT.paper)
        assert says == (lead == "V4")


@pytest.mark.parametrize("width", [560, 700, 768, 1000])
def test_words_of_a_lead_off_never_reach_the_next_lead(qapp: QApplication, width: int) -> None:
    place = geometry(View(), width, 600)
    for origin, first in ((Origin.COMPUTED, "aVR"), (Origin.ESTIMATED, "V1")):
        origins = tuple(origin for _ in LEADS)
        calm, off = (pixels(paper(place, View(), origins, leads_off)) for leads_off in ((), (first,)))
        next_lane = next(lane for lane in place.lanes if lane.cells[0].lead == {"aVR": "V1", "V1": "V4"}[first])
        below_header = (off != calm)[int(place.grid.top()) :]
        assert np.flatnonzero(below_header.any(axis=(0, 2))).max() < next_lane.area.left()
        word, font = "lead off", page_font(13, 1, QFont.Weight.Bold)
        whole = f"{word}, {origin.name.lower()}"
        cell = cell_picture(off, place, first)
        says = [is_written(cell, words, font, LIGHT.warning, LIGHT.paper) for words in (word, whole)]
        assert says.count(True) == 1
        assert says[1] or width < 1000


def test_a_lead_off_says_so_in_the_column_of_names(qapp: QApplication) -> None:
    view = View(layout=LAYOUTS[1])
    place = geometry(view, 900, 640)
    page = pixels(paper(place, view, leads_off=("V1",)))
    column = page[:, : place.lanes[0].area.left()]
    assert is_written(column, "lead off", page_font(11, 1, QFont.Weight.Bold), LIGHT.warning, LIGHT.paper)
    assert not inked(pixels(paper(place, view)), LIGHT.warning).any()


def test_nothing_of_the_column_of_names_reaches_the_pulse(qapp: QApplication) -> None:
    view = View(layout=LAYOUTS[1])
    place = geometry(view, 900, 640)
    lane = place.lanes[0]
    off, calm = pixels(paper(place, view, leads_off=LEADS)), pixels(paper(place, view))
    changed = np.flatnonzero((off != calm)[int(place.grid.top()) :].any(axis=(0, 2)))
    assert place.grid.left() < changed.min()
    assert changed.max() < lane.area.left() - 7.5 * PX_PER_MM


def foot_of(place: Geometry, page: np.ndarray) -> np.ndarray:
    return page[int(place.grid.bottom()) :]


@pytest.mark.parametrize("band", sorted(BAND_LABEL))
def test_the_foot_of_the_page_holds_its_scale_and_band(qapp: QApplication, band: str) -> None:
    place = geometry(View(), 1000, 500)
    page = pixels(print_paper(place, LIGHT, info(filter=band), ORIGINS, (), truth=False))
    font = page_font(13, 1, QFont.Weight.DemiBold)
    words = f"25 mm/s  10 mm/mV  {BAND_LABEL[band]}"
    assert is_written(foot_of(place, page), words, font, LIGHT.text, LIGHT.paper)


@pytest.mark.parametrize("truth", [False, True])
def test_the_legend_names_the_inks_that_are_used(qapp: QApplication, truth: bool) -> None:
    place = geometry(View(), 1000, 500)
    two = tuple(Origin.MEASURED if lead in ("I", "V4") else Origin.ESTIMATED for lead in LEADS)
    for origins in (ORIGINS, two, tuple(Origin.MEASURED for _ in LEADS)):
        page = foot_of(place, pixels(print_paper(place, LIGHT, info(), origins, (), truth=truth)))
        font = page_font(12, 1)
        for words, ink, is_there in (
            ("measured", LIGHT.measured, Origin.MEASURED in origins),
            ("computed", LIGHT.computed, Origin.COMPUTED in origins),
            ("estimated", LIGHT.estimated, Origin.ESTIMATED in origins),
            ("recorded", LIGHT.truth, truth),
        ):
            assert is_written(page, words, font, LIGHT.quiet, LIGHT.paper) == is_there
            stroke = np.lib.stride_tricks.sliding_window_view(inked(page, ink), 20, axis=1)
            assert stroke.all(axis=2).any() == is_there


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("band", sorted(BAND_LABEL))
def test_the_legend_speaks_of_intervals_only_where_they_hold(qapp: QApplication, band: str, dark: bool) -> None:
    view = View(dark=dark)
    place, colours = geometry(view, 1000, 500), theme(view)
    holds = band == "monitor"
    page = foot_of(place, pixels(print_paper(place, colours, info(filter=band), ORIGINS, (), truth=False)))
    for words, is_there in (("estimated, with 90 % interval", holds), ("estimated", not holds)):
        assert is_written(page, words, page_font(12, 1), colours.quiet, colours.paper) == is_there
    assert inked(page, mixed(colours.estimated, colours.paper, colours.interval)).any() == holds


@pytest.mark.parametrize("synthetic", [False, True])
def test_the_header_names_the_record_and_its_leads(qapp: QApplication, synthetic: bool) -> None:
    place = geometry(View(), 1000, 500)
    page = pixels(print_paper(place, LIGHT, info(synthetic=synthetic), ORIGINS, (), truth=False))
    head = page[: int(place.grid.top())]
    assert is_written(head, "ward/0042", page_font(15, 1, QFont.Weight.DemiBold), LIGHT.text, LIGHT.paper)
    assert is_written(head, "measured I II V4", page_font(12, 1), LIGHT.quiet, LIGHT.paper)
    tag = page_font(12, 1, QFont.Weight.Bold, spacing=1.5)
    assert is_written(head, "SYNTHETIC", tag, LIGHT.warning, LIGHT.paper) == synthetic


def header(page: np.ndarray, place: Geometry) -> np.ndarray:
    return page[: int(place.grid.top())]


@pytest.mark.parametrize(
    ("leads_in", "leads_off", "has_begun", "words"),
    [
        (("I", "II", "V4"), (), True, "measured I II V4"),
        (("I", "II", "V4"), ("V4",), True, "measured I II"),
        (("I", "II", "V4"), ("I", "II", "V4"), True, "nothing measured"),
        (("V2", "V5"), (), True, "measured V2 V5"),
        (("I", "II", "V4"), (), False, "expected I II V4"),
    ],
)
def test_the_header_says_what_is_measured_now(
    qapp: QApplication, leads_in: tuple[str, ...], leads_off: tuple[str, ...], has_begun: bool, words: str
) -> None:
    place, run = geometry(View(), 1000, 500), info(leads_in=leads_in)
    origins = expected_origins(leads_in)
    page = pixels(print_paper(place, LIGHT, run, origins, leads_off, truth=False, has_begun=has_begun))
    assert is_written(header(page, place), words, page_font(12, 1), LIGHT.quiet, LIGHT.paper)


def test_the_header_goes_by_what_comes_not_by_what_was_promised(qapp: QApplication) -> None:
    place = geometry(View(), 1000, 500)
    page = pixels(print_paper(place, LIGHT, info(), expected_origins(("I", "II")), (), truth=False))
    assert is_written(header(page, place), "measured I II", page_font(12, 1), LIGHT.quiet, LIGHT.paper)


@pytest.mark.parametrize("record", ["bed-7", "a bed with a long name " * 20])
def test_the_header_says_where_a_derived_stream_comes_from(qapp: QApplication, record: str) -> None:
    place = geometry(View(), 1000, 500)
    run = info(record=record, remote="ward-3.local:5556", synthetic=True)
    head = header(pixels(print_paper(place, LIGHT, run, ORIGINS, (), truth=False)), place)
    assert is_written(head, "from ward-3.local:5556", page_font(12, 1), LIGHT.quiet, LIGHT.paper)
    assert is_written(head, "measured I II V4", page_font(12, 1), LIGHT.quiet, LIGHT.paper)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_while_the_source_is_unknown_the_paper_claims_nothing(qapp: QApplication, layout: Layout) -> None:
    """No name, no legend and no leads in the header: the grid, the scale and what is looked for."""
    view = View(layout=layout)
    place, run = geometry(view, 1000, 640), info(record="lsl://Polar-patch", leads_in=())
    page = pixels(print_paper(place, LIGHT, run, expected_origins(()), (), truth=False, has_begun=False))
    named = pixels(paper(place, view))
    assert is_written(header(page, place), run.record, page_font(15, 1, QFont.Weight.DemiBold), LIGHT.text, LIGHT.paper)
    assert not inked(header(page, place), LIGHT.quiet).any()
    for lead in LEADS:
        cell, name = cell_picture(page, place, lead), cell_picture(named, place, lead)
        assert not inked(cell[10:-10], LIGHT.text).any()
        assert (cell != name).any()
    for ink in (LIGHT.estimated, LIGHT.computed, LIGHT.quiet):
        assert not inked(page, ink).any()


def test_a_long_name_is_shortened_in_its_middle(qapp: QApplication) -> None:
    place = geometry(View(), 700, 500)
    long = replace(info(synthetic=True), record="a folder with a long name/" * 8 + " 0042")
    head = pixels(print_paper(place, LIGHT, long, ORIGINS, (), truth=False))[: int(place.grid.top())]
    assert is_written(head, "measured I II V4", page_font(12, 1), LIGHT.quiet, LIGHT.paper)
    assert is_written(head, "0042", page_font(15, 1, QFont.Weight.DemiBold), LIGHT.text, LIGHT.paper)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_inks_can_be_told_from_the_paper_and_from_each_other(colours: Theme) -> None:
    """Contrast as WCAG 2 defines it: 4.5 for what is read, 3 for what is seen."""
    for ink, least in (
        (colours.measured, 7),
        (colours.computed, 4.5),
        (colours.estimated, 4.5),
        (colours.text, 7),
        (colours.quiet, 4.5),
        (colours.warning, 4.5),
    ):
        assert contrast(ink, colours.paper) >= least
        assert contrast(ink, colours.window) >= min(least, 4)
    assert contrast(colours.measured, colours.paper) > contrast(colours.computed, colours.paper)
    assert contrast(colours.bold, colours.paper) > contrast(colours.fine, colours.paper)


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = np.array(QColor(colour).getRgbF()[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
