"""The passband filters a stream the same however it is cut, and forgets nothing but at a gap."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.filters import BANDS, CausalFilter
from engine.leads import INDEX, LEADS, RATE, Origin
from gui.passband import Passband
from stream.items import Block, Gap, Tail, Why
from tests.gui.pages import ORIGINS, cut, level, part, stream, twelve

sizes = st.lists(st.integers(0, 120), max_size=8)
bands = st.sampled_from(sorted(BANDS))
seeds = st.integers(0, 2**32 - 1)


def assert_equal(block: Block, other: Block) -> None:
    assert block.start == other.start
    for name in ("leads", "interval", "origin", "truth"):
        assert np.array_equal(getattr(block, name), getattr(other, name), equal_nan=True), name


def filtered(band: str, leads: NDArray[np.float32]) -> NDArray[np.float32]:
    return CausalFilter(band, 12).push(leads)


@given(seed=seeds, sizes=sizes, band=bands)
def test_any_chunking_equals_whole_and_no_tail_leaks(seed: int, sizes: list[int], band: str) -> None:
    whole = twelve(seed, 400, gaps=2)
    assert whole.truth is not None
    truth = np.where(whole.origin.any(axis=0), whole.truth, np.float32(np.nan))
    expected = replace(whole, leads=filtered(band, whole.leads), truth=filtered(band, truth))
    chunked = Passband(band)
    for item in stream(whole, sizes):
        shown = chunked.apply(item)
        if isinstance(shown, Block):
            assert_equal(shown, part(expected, shown.start, shown.end))
        else:
            assert shown is item


@given(seed=seeds, sizes=sizes, band=bands)
def test_a_tail_is_filtered_as_if_it_had_come(seed: int, sizes: list[int], band: str) -> None:
    whole = twelve(seed, 300)
    chunked = Passband(band)
    *_, last = [chunked.apply(block) for block in cut(whole, sizes)]
    assert last.tail is not None
    assert whole.tail is not None
    with_tail = filtered(band, np.concatenate([whole.leads, whole.tail.leads], axis=1))
    assert np.array_equal(last.tail.leads, with_tail[:, 300:], equal_nan=True)
    assert np.array_equal(last.tail.interval, whole.tail.interval)
    assert np.array_equal(last.tail.origin, whole.tail.origin)


@given(seed=seeds, jump=st.sampled_from([-100, -1, 1, 40, 100_000]), band=bands)
def test_a_jump_of_the_index_starts_anew(seed: int, jump: int, band: str) -> None:
    first = twelve(seed, 200)
    after = replace(twelve(seed + 1, 200), start=200 + jump)
    passband = Passband(band)
    passband.apply(first)
    assert_equal(passband.apply(after), Passband(band).apply(after))


@given(seed=seeds, length=st.sampled_from([1, 40, 24 * 3600 * RATE]), why=st.sampled_from(Why), band=bands)
def test_a_gap_passes_and_what_follows_starts_anew(seed: int, length: int, why: Why, band: str) -> None:
    gap = Gap(200, length, why)
    after = replace(twelve(seed + 1, 200), start=gap.end)
    passband = Passband(band)
    passband.apply(twelve(seed, 200))
    assert passband.apply(gap) is gap
    assert_equal(passband.apply(after), Passband(band).apply(after))


@given(seed=seeds, sizes=sizes, at=st.integers(1, 399), band=bands)
def test_a_lead_that_goes_on_from_elsewhere_starts_anew(seed: int, sizes: list[int], at: int, band: str) -> None:
    whole = twelve(seed, 400)
    origin, leads, lead = whole.origin.copy(), whole.leads.copy(), INDEX["V4"]
    origin[lead, at:] = Origin.ESTIMATED
    leads[lead, :at] += 300  # the offset of an electrode that comes off
    expected = filtered(band, leads)
    expected[lead, at:] = filtered(band, leads[:, at:])[lead]
    passband = Passband(band)
    for block in cut(replace(whole, leads=leads, origin=origin), sizes):
        shown = passband.apply(block)
        assert np.array_equal(shown.leads, expected[:, shown.start : shown.end])
    assert np.abs(expected[lead, at:]).max() < 30  # nothing of it is left


def test_an_offset_that_falls_away_leaves_no_tail_behind() -> None:
    fallen = tuple(Origin.ESTIMATED if lead == "V4" else origin for lead, origin in zip(LEADS, ORIGINS, strict=True))
    passband = Passband("monitor")
    passband.apply(level(5.0, 200))
    after = level(0.0, 40, fallen, start=200)
    shown = passband.apply(replace(after, tail=Tail(after.leads, after.interval, after.origin)))
    assert shown.tail is not None
    v4, v1 = INDEX["V4"], INDEX["V1"]
    for leads in (shown.leads, shown.tail.leads):
        assert np.abs(leads[v4]).max() < 1e-6
        assert np.abs(leads[v1]).max() > 1  # this one went on, and fell by 5 mV


def test_without_a_jump_it_does_not() -> None:
    first, after = twelve(1, 200), replace(twelve(2, 200), start=200)
    passband = Passband("monitor")
    passband.apply(first)
    assert not np.array_equal(passband.apply(after).leads, Passband("monitor").apply(after).leads)


def test_truth_may_be_missing_and_come() -> None:
    passband = Passband("monitor")
    first, second = cut(twelve(3, 200), [100])
    assert passband.apply(replace(first, truth=None)).truth is None
    came = passband.apply(second).truth
    assert came is not None
    assert np.isfinite(came).all()


@pytest.mark.parametrize("has_tail", [False, True])
def test_an_empty_block_changes_nothing(has_tail: bool) -> None:
    whole = twelve(4, 200)
    first, empty, second = cut(whole, [100, 0])
    assert empty.leads.shape[1] == 0
    passband, without = Passband("monitor"), Passband("monitor")
    passband.apply(first)
    without.apply(first)
    passband.apply(replace(empty, tail=whole.tail if has_tail else None))
    assert_equal(passband.apply(second), without.apply(second))
