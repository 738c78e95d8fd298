"""Layouts, views and where each lead will come from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.filters import BANDS
from engine.leads import LEADS, LIMB, Origin
from gui.page import GAINS, LAYOUTS, SPEEDS, Layout, PageInfo, View, expected_origins
from tests.gui.pages import info


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_shows_all_twelve(layout: Layout) -> None:
    shown = [lead for row in layout.rows for lead in row]
    assert set(shown) == set(LEADS)


def test_layouts_take_turns() -> None:
    view = View()
    seen = []
    for _ in LAYOUTS:
        seen.append(view.layout)
        view = view.next_layout()
    assert tuple(seen) == LAYOUTS
    assert view == View()


def test_speeds_take_turns() -> None:
    view = View(speed=SPEEDS[0])
    seen = []
    for _ in SPEEDS:
        seen.append(view.speed)
        view = view.next_speed()
    assert tuple(seen) == SPEEDS
    assert view.speed == SPEEDS[0]


@given(steps=st.lists(st.sampled_from([1, -1]), max_size=12))
def test_gain_goes_up_and_down_and_stays_at_its_ends(steps: list[int]) -> None:
    view = View(gain=GAINS[0])
    place = 0
    for step in steps:
        view = view.more_gain(step)
        place = min(max(place + step, 0), len(GAINS) - 1)
        assert view.gain == GAINS[place]


@given(leads_in=st.sets(st.sampled_from(LEADS)))
def test_two_limb_leads_compute_the_rest_of_them(leads_in: set[str]) -> None:
    origins = dict(zip(LEADS, expected_origins(tuple(leads_in)), strict=True))
    assert all(origins[lead] is Origin.MEASURED for lead in leads_in)
    computed = {lead for lead, origin in origins.items() if origin is Origin.COMPUTED}
    assert computed == (set(LIMB) - leads_in if len(leads_in & set(LIMB)) >= 2 else set())
    assert all((origin is Origin.NONE) == (not leads_in) for origin in origins.values())


def test_without_leads_the_source_is_not_found() -> None:
    assert info().is_found
    assert not PageInfo("lsl://Polar-patch").is_found


@pytest.mark.parametrize("band", BANDS)
def test_intervals_are_shown_only_where_they_were_found_to_hold(band: str) -> None:
    assert info(filter=band).shows_intervals == (band == "monitor")
