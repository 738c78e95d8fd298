"""The sweep: painted as it comes or all at once the page is the same, and every ink says what it should."""

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtWidgets import QApplication

from engine.leads import LEADS, RATE, Origin
from gui.history import History
from gui.page import GAINS, LAYOUTS, SPEEDS, View
from gui.paper import ERASE_MM, Cell, Geometry, Lane, Scale, arrange
from gui.sweep import Sweep, runs, thin
from gui.theme import Theme
from stream.items import Block, Gap, Tail
from tests.gui.pages import (
    ORIGINS,
    PX_PER_MM,
    Pixels,
    cut,
    geometry,
    inked,
    level,
    paper,
    pixels,
    rgb,
    stream,
    tail_after,
    theme,
    twelve,
    views,
)

PLAIN = View()
KINDS = (Origin.MEASURED, Origin.COMPUTED, Origin.ESTIMATED)


class Page:
    """A page with its history, painted as blocks and gaps come."""

    def __init__(self, view: View = PLAIN, place: Geometry | None = None, intervals: bool = True) -> None:
        self.view = view
        self.intervals = intervals
        self.place = place or geometry(view)
        self.paper = paper(self.place, view)
        self.history = History(ORIGINS)
        self.sweep = self.fresh()

    def fresh(self) -> Sweep:
        return Sweep(self.paper, self.place, theme(self.view), truth=self.view.truth, intervals=self.intervals)

    def show(self, *items: Block | Gap) -> None:
        for item in items:
            self.history.append(item)
            self.sweep.advance(self.history)

    def whole(self) -> Pixels:
        """The page painted at once from what its history holds."""
        sweep = self.fresh()
        sweep.repaint(self.history)
        return pixels(sweep.pixmap)

    @property
    def now(self) -> Pixels:
        return pixels(self.sweep.pixmap)

    @property
    def theme(self) -> Theme:
        return theme(self.view)

    def find(self, lead: str) -> tuple[Lane, Cell]:
        return next((lane, cell) for lane in self.place.lanes for cell in lane.cells if cell.lead == lead)

    def baseline(self, lead: str, mv: float = 0) -> Pixels:
        """The row of pixels across a lead's lane at a level."""
        return self.now[self.across(lead, mv)]

    def across(self, lead: str, mv: float) -> tuple[int, slice]:
        lane, cell = self.find(lead)
        row = int(cell.baseline - mv * self.place.scale.px_per_mv)
        return row, slice(lane.area.left(), lane.area.right() + 1)

    def column(self, sample: int) -> int:
        return int(sample * self.place.scale.px_per_sample)


@given(
    seed=st.integers(0, 2**32 - 1),
    view=views,
    ratio=st.sampled_from([1.0, 1.25, 2.0]),
    length=st.integers(1, 2500),
    sizes=st.lists(st.integers(0, 300), max_size=12),
    gaps=st.integers(0, 4),
    start=st.sampled_from([0, 1, 777, 123_456]),
    gaps_are_told=st.booleans(),
    intervals=st.booleans(),
)
def test_painted_as_it_comes_equals_painted_at_once(
    qapp: QApplication,
    seed: int,
    view: View,
    ratio: float,
    length: int,
    sizes: list[int],
    gaps: int,
    start: int,
    gaps_are_told: bool,
    intervals: bool,
) -> None:
    place = geometry(view, round(500 * ratio), round(330 * ratio), ratio)
    as_it_comes, at_once = Page(view, place, intervals), Page(view, place, intervals)
    whole = twelve(seed, length, gaps)
    *items, last = (replace(item, start=start + item.start) for item in stream(whole, sizes))
    as_it_comes.show(*(item for item in items if gaps_are_told or isinstance(item, Block)), last)
    for item in stream(whole, []):
        at_once.history.append(replace(item, start=start + item.start))
    at_once.sweep.repaint(at_once.history)
    assert np.array_equal(as_it_comes.now, at_once.now)


def test_painting_covers_what_changed_and_no_more(qapp: QApplication) -> None:
    page = Page()
    *blocks, last = cut(twelve(1, 900), [300, 40, 40, 40, 40])
    for block in [*blocks, replace(last, tail=None)]:
        before = page.now
        page.history.append(block)
        areas = page.sweep.advance(page.history)
        covered = np.zeros(before.shape[:2], bool)
        for area in areas:
            covered[area.top() : area.bottom() + 1, area.left() : area.right() + 1] = True
        assert not (before != page.now).any(axis=2)[~covered].any()
    assert page.sweep.advance(page.history) == []
    short = [area.width() for area in areas]
    assert max(short) < page.place.lanes[0].area.width()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_each_origin_has_its_ink(qapp: QApplication, kind: Origin, dark: bool) -> None:
    page = Page(View(dark=dark))
    page.show(level(0, 200, tuple(kind for _ in LEADS)))
    for lead in LEADS:
        trace = page.baseline(lead)[4 : page.column(200) - page.sweep._reach]
        assert inked(trace, page.theme.ink(kind)).all()
    others = {page.theme.ink(other) for other in KINDS if other is not kind}
    lanes = np.concatenate([page.baseline(lead) for lead in LEADS])
    assert not any(inked(lanes, ink).any() for ink in others)


def test_the_ink_follows_the_origin_from_sample_to_sample(qapp: QApplication) -> None:
    page = Page(View(layout=LAYOUTS[1]))
    fallen = tuple(Origin.ESTIMATED for _ in LEADS)
    page.show(level(0, 300), level(0, 300, fallen, start=300))
    trace = page.baseline("V4")
    assert inked(trace[4 : page.column(295)], page.theme.measured).all()
    assert inked(trace[page.column(305) : page.column(600) - page.sweep._reach], page.theme.estimated).all()


@pytest.mark.parametrize("dark", [False, True])
def test_the_interval_is_a_soft_fill_around_the_estimate(qapp: QApplication, dark: bool) -> None:
    page = Page(View(dark=dark))
    page.show(level(0, 250, half=0.5))
    lane, cell = page.find("V1")
    blank = pixels(page.paper)
    across = slice(lane.area.left() + 6, lane.area.left() + page.column(230))
    edge = 0.5 * page.place.scale.px_per_mv
    for distance in range(3, int(edge - 1)):
        for row in (int(cell.baseline) - distance, int(cell.baseline) + distance):
            opacity = page.theme.interval
            soft = opacity * np.array(rgb(page.theme.estimated)) + (1 - opacity) * blank[row, across]
            assert np.abs(page.now[row, across] - soft).max() <= 2
    for row in (int(cell.baseline - edge) - 2, int(cell.baseline + edge) + 2):
        assert np.array_equal(page.now[row, across], blank[row, across])
    for lead in ("V4", "III"):
        near = page.across(lead, 0.2)
        assert np.array_equal(page.now[near], blank[near])


@pytest.mark.parametrize("intervals", [True, False])
def test_without_intervals_the_line_stands_alone(qapp: QApplication, intervals: bool) -> None:
    page, without = Page(intervals=intervals), Page(intervals=intervals)
    page.show(replace(level(0, 250, half=0.5), tail=tail_after(250)))
    without.show(replace(level(0, 250, half=0), tail=tail_after(250)))
    assert np.array_equal(page.now, without.now) != intervals
    assert inked(page.baseline("V1")[4 : page.column(250) - page.sweep._reach], page.theme.estimated).all()


@pytest.mark.parametrize("told", [True, False])
def test_a_gap_is_a_break(qapp: QApplication, told: bool) -> None:
    page = Page(View(layout=LAYOUTS[1], truth=True))
    whole = twelve(5, 900)
    first, _, last = cut(whole, [300, 300])
    blank = pixels(page.paper)
    page.show(first, *([Gap(300, 300)] if told else []), replace(last, tail=None))
    lane = page.place.lanes[0]
    reach = page.sweep._reach  # of a stroke around its sample
    left, right = lane.area.left() + page.column(300) + reach, lane.area.left() + page.column(600) - reach
    assert np.array_equal(page.now[:, left:right], blank[:, left:right])
    for part in (slice(lane.area.left(), left), slice(right, lane.area.left() + page.column(900))):
        assert (page.now[:, part] != blank[:, part]).any()


def test_a_single_sample_missing_is_a_break(qapp: QApplication) -> None:
    view = View(layout=LAYOUTS[1], speed=50)
    page = Page(view, arrange(3000, 420, Scale(6 * PX_PER_MM, True, 1, view.speed, view.gain), view))
    page.show(level(0, 50), Gap(50, 1), level(0, 49, start=51))
    ink = inked(page.baseline("V4"), page.theme.measured)
    assert page.place.scale.px_per_sample > 2
    assert ink[page.column(40) : page.column(48)].all()
    assert not ink[page.column(50)]
    assert ink[page.column(53) : page.column(95)].all()


def test_the_tail_is_dim_and_gives_way_to_what_settles(qapp: QApplication) -> None:
    page = Page(View(layout=LAYOUTS[1]))
    guess = level(0.5, 60)
    page.show(replace(level(0, 300), tail=Tail(guess.leads, guess.interval, guess.origin)))
    for lead, ink in (("V4", page.theme.measured), ("III", page.theme.computed), ("V1", page.theme.estimated)):
        settled, ahead = page.baseline(lead)[: page.column(300)], page.baseline(lead, 0.5)
        assert inked(settled[4:-4], ink).all()
        place = slice(page.column(300) + 4, page.column(360) - 4)
        dim = page.theme.dim(ink)
        assert np.abs(ahead[place].astype(int) - rgb(dim)).max() < np.abs(ahead[place].astype(int) - rgb(ink)).min()
    page.show(replace(level(0, 60, start=300), tail=None))
    assert np.array_equal(page.now, page.whole())
    without = Page(View(layout=LAYOUTS[1]))
    without.show(level(0, 360))
    for lead in LEADS:
        assert np.array_equal(page.baseline(lead), without.baseline(lead))
        assert np.array_equal(page.baseline(lead, 0.5), without.baseline(lead, 0.5))


def test_a_tail_gives_way_to_a_gap(qapp: QApplication) -> None:
    page, without = Page(View(layout=LAYOUTS[1])), Page(View(layout=LAYOUTS[1]))
    page.show(replace(level(0, 300), tail=tail_after(300)))
    without.show(level(0, 300))
    assert not np.array_equal(page.now, without.now)
    for each in (page, without):
        each.show(Gap(300, 20))
    assert np.array_equal(page.now, without.now)


def test_a_day_of_nothing_leaves_a_blank_page_and_costs_no_more_than_that(qapp: QApplication) -> None:
    page = Page(View(truth=True))
    blank = pixels(page.paper)
    costs_s = []
    for _ in range(5):
        page.show(twelve(6, 100) if not page.history.head else level(0, 100, start=page.history.head))
        page.history.append(Gap(page.history.head, 24 * 3600 * RATE))
        before = time.thread_time()
        areas = page.sweep.advance(page.history)
        costs_s.append(time.thread_time() - before)
        assert np.array_equal(page.now, blank)
        assert sum(area.width() for area in areas) <= sum(lane.area.width() for lane in page.place.lanes)
    assert min(costs_s) < 0.02


def test_truth_stands_behind_the_estimates_alone(qapp: QApplication) -> None:
    block = replace(level(0, 250), truth=np.full((len(LEADS), 250), 0.4, np.float32))
    shown, hidden = Page(View(truth=True)), Page(View(truth=False))
    for page in (shown, hidden):
        page.show(block)
    for lead, origin in zip(LEADS, ORIGINS, strict=True):
        near = np.abs(shown.baseline(lead, 0.4)[5 : shown.column(240)].astype(int) - rgb(shown.theme.truth)).max()
        assert (near < 60) == (origin is Origin.ESTIMATED), lead
        assert np.array_equal(hidden.baseline(lead, 0.4), pixels(hidden.paper)[hidden.across(lead, 0.4)])


@pytest.mark.parametrize("turns", [0.5, 1.5])
def test_ahead_of_the_newest_lies_a_blank_of_six_millimetres(qapp: QApplication, turns: float) -> None:
    page = Page(View(layout=LAYOUTS[1]))
    lane = page.place.lanes[0]
    end = int(turns * lane.span)
    page.show(*(level(0, min(100, end - start), start=start) for start in range(0, end, 100)))
    ink = inked(page.baseline("V4"), page.theme.measured)
    head = page.column(end % lane.span)
    last = round(ERASE_MM * PX_PER_MM)
    assert ink[4 : head - page.sweep._reach].all()
    assert not ink[head + 3 : head + last - 1].any()
    assert ink[head + last + 2 : -4].all() == (turns > 1)


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_second_is_as_long_as_the_paper_says(qapp: QApplication, speed: float) -> None:
    view = View(layout=LAYOUTS[1], speed=speed)
    page = Page(view, geometry(view, width=900, height=900))
    leads = np.zeros((len(LEADS), 3 * RATE), np.float32)
    leads[:, [RATE, 2 * RATE]] = 1
    page.show(replace(level(0, 3 * RATE), leads=leads))
    peaks = np.flatnonzero((page.baseline("V6", 0.8) != pixels(page.paper)[page.across("V6", 0.8)]).any(axis=1))
    first, second = (group.mean() for group in np.split(peaks, np.flatnonzero(np.diff(peaks) > 5) + 1))
    assert second - first == pytest.approx(speed * PX_PER_MM, abs=1)


@pytest.mark.parametrize("gain", GAINS)
def test_a_millivolt_is_as_high_as_the_paper_says(qapp: QApplication, gain: float) -> None:
    view = View(gain=gain)
    page = Page(view, geometry(view, height=900))
    page.show(level(1, 200))
    lane, cell = page.find("II")
    beside_the_name = (slice(cell.top, cell.top + cell.height), lane.area.left() + 24)
    changed = (page.now[beside_the_name] != pixels(page.paper)[beside_the_name]).any(axis=1)
    row = cell.top + np.flatnonzero(changed).mean()
    assert cell.baseline - 0.5 - row == pytest.approx(gain * PX_PER_MM, abs=1)


@given(seed=st.integers(0, 2**32 - 1), groups=st.integers(1, 20), group=st.integers(1, 12), share=st.floats(0, 0.6))
def test_thinning_keeps_the_ends_of_each_group_in_their_order(seed: int, groups: int, group: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (3, groups * group))
    values[rng.uniform(size=values.shape) < share] = np.nan
    x = np.broadcast_to(np.arange(values.shape[1], dtype=float), values.shape)
    kept_x, kept = thin(x, values, group)
    for row in range(3):
        assert (np.diff(kept_x[row]) >= 0).all()
        assert np.array_equal(kept[row], values[row, kept_x[row].astype(int)], equal_nan=True)
        for start in range(0, values.shape[1], group):
            within = (kept_x[row] >= start) & (kept_x[row] < start + group)
            given, left = values[row, start : start + group], kept[row, within]
            known = given[np.isfinite(given)]
            if len(known):
                assert (np.nanmin(left), np.nanmax(left)) == (known.min(), known.max())
            else:
                assert np.isnan(left).all()


@given(mask=st.lists(st.booleans()))
def test_runs_are_where_the_mask_holds(mask: list[bool]) -> None:
    covered = np.zeros(len(mask), int)
    found = runs(np.array(mask, bool))
    for run in found:
        covered[run] += 1
    assert covered.tolist() == [int(each) for each in mask]
    assert all(one.stop < other.start for one, other in pairwise(found))
