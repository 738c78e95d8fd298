"""The passband filters a stream the same however it is cut, and forgets nothing but at a gap."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.filters import BANDS, CausalFilter
from gui.passband import Passband
from stream.items import Block
from tests.gui.pages import cut, twelve

sizes = st.lists(st.integers(0, 120), max_size=8)
bands = st.sampled_from(sorted(BANDS))
seeds = st.integers(0, 2**32 - 1)


def assert_equal(block: Block, other: Block) -> None:
    assert block.start == other.start
    for name in ("leads", "interval", "origin", "truth"):
        assert np.array_equal(getattr(block, name), getattr(other, name), equal_nan=True), name


@given(seed=seeds, sizes=sizes, band=bands)
def test_any_chunking_equals_whole_and_no_tail_leaks(seed: int, sizes: list[int], band: str) -> None:
    whole = twelve(seed, 400, gaps=2)
    chunked = Passband(band)
    pieces = [chunked.apply(block) for block in cut(whole, sizes)]
    expected = Passband(band).apply(replace(whole, tail=None))
    for block in pieces:
        columns = slice(block.start, block.end)
        assert expected.truth is not None
        leads, truth = expected.leads[:, columns], expected.truth[:, columns]
        assert_equal(block, Block(block.start, leads, whole.interval[:, columns], whole.origin[:, columns], truth))


@given(seed=seeds, sizes=sizes, band=bands)
def test_a_tail_is_filtered_as_if_it_had_come(seed: int, sizes: list[int], band: str) -> None:
    whole = twelve(seed, 300, gaps=1)
    chunked = Passband(band)
    *_, last = [chunked.apply(block) for block in cut(whole, sizes)]
    assert last.tail is not None
    assert whole.tail is not None
    filtered = CausalFilter(band, 12).push(np.concatenate([whole.leads, whole.tail.leads], axis=1))
    assert np.array_equal(last.tail.leads, filtered[:, 300:], equal_nan=True)
    assert np.array_equal(last.tail.interval, whole.tail.interval)
    assert np.array_equal(last.tail.origin, whole.tail.origin)


@given(seed=seeds, jump=st.sampled_from([-100, -1, 1, 40, 100_000]), band=bands)
def test_a_jump_of_the_index_starts_anew(seed: int, jump: int, band: str) -> None:
    first = twelve(seed, 200)
    after = replace(twelve(seed + 1, 200), start=200 + jump)
    passband = Passband(band)
    passband.apply(first)
    assert_equal(passband.apply(after), Passband(band).apply(after))


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
