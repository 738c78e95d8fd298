"""Leads that fell off: found within half a second, back when they move or arrive again, and real leads left alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.leads import INDEX, LEADS, RATE
from engine.quality import (
    AWAY,
    DOES_NOT_ARRIVE,
    FROZEN,
    JUMP_MV,
    MOVING_MV,
    PAUSED,
    PAUSES,
    SETTLING,
    STANDS_STILL,
    STILL_MV,
    WINDOW,
    Jumps,
    LeadChange,
    LeadSignal,
)
from stream.sources.record import open_record

THREE = ("I", "II", "V4")
ROWS = [INDEX[lead] for lead in THREE]
Samples = NDArray[np.float32]
Result = tuple[Samples, list[LeadChange]]


def three_leads(seconds: float, seed: int = 0) -> Samples:
    """I, II and V4 with a signal, the others not measured."""
    x = np.full((len(LEADS), int(seconds * RATE)), np.nan, np.float32)
    x[ROWS] = np.random.default_rng(seed).normal(0, 0.2, (3, x.shape[1]))
    return x


def eventful(seed: int) -> Samples:
    """Leads that go, alone or together, stand still, flicker at the limit of stillness and arrive now and then."""
    rng = np.random.default_rng(seed)
    x = three_leads(5, seed)
    for _ in range(8):
        start = rng.integers(0, x.shape[1])
        stretch = slice(start, start + rng.integers(1, 1200))
        for row in rng.choice(ROWS, rng.choice([1, 1, 2, 3]), replace=False):
            part = x[row, stretch]  # a view
            match rng.integers(5):
                case 0:
                    part[:] = rng.choice([np.nan, np.inf, -np.inf])
                case 1:
                    part[:] = rng.choice([0, 2.5, 20])
                case 2:
                    part *= rng.uniform(0.005, 0.03)
                case 3:
                    part[rng.random(len(part)) < rng.uniform(0.3, 1)] = np.nan
                case 4:
                    part[: rng.integers(5, 20)] = 0.7
    return x


def driven(lead_signal: LeadSignal, parts: list[Samples], skipping: bool = False) -> Result:
    """All that comes of the parts; those in which nothing is known are skipped if so wished."""
    kept, changes = [np.empty((len(LEADS), 0), np.float32)], []
    for part in parts:
        if skipping and not np.isfinite(part).any():
            lead_signal.skip(part.shape[1])
            kept.append(np.full_like(part, np.nan))
        else:
            passed, changed = lead_signal.push(part)
            kept.append(passed)
            changes += changed
    return np.concatenate(kept, axis=1), changes


class FrozenByTheRules:
    """The rule of what is frozen, sample by sample."""

    def __init__(self) -> None:
        self.values: list[np.float32] = []
        self.pause_ended = -PAUSED
        self.jumped = -PAUSED
        self.since: list[np.float32] = []  # it is frozen

    def push(self, value: np.float32) -> bool:
        run = 0
        while run < len(self.values) and self.values[-1 - run] == self.values[-1]:
            run += 1
        if self.since:
            self.since.append(value)
            if max(self.since) - min(self.since) >= np.float32(MOVING_MV):
                self.since = []
        elif self.values and value != self.values[-1] and run in PAUSES:
            self.pause_ended = len(self.values)
        if self.values and abs(value - self.values[-1]) > np.float32(JUMP_MV):
            self.jumped = len(self.values)
        same = run + 1 if self.values and value == self.values[-1] else 1
        self.values.append(value)
        began = len(self.values) - same
        is_sudden = 0 <= began - self.jumped <= SETTLING
        if not self.since and same >= FROZEN and (began - self.pause_ended >= PAUSED or is_sudden):
            self.since = [value]
        return bool(self.since)


def by_the_rules(x: Samples) -> Result:
    """The rules as they are said, sample by sample."""
    frozen_of = {lead: FrozenByTheRules() for lead in THREE}
    kept = np.where(np.isfinite(x), x, np.float32(np.nan))
    changes: list[LeadChange] = []
    recent: dict[str, list[np.float32]] = {lead: [] for lead in THREE}
    arrived: dict[str, list[bool]] = {lead: [] for lead in THREE}
    still, away, frozen = (dict.fromkeys(THREE, False) for _ in range(3))
    for column in range(x.shape[1]):
        known = {lead: bool(np.isfinite(x[INDEX[lead], column])) for lead in THREE}
        for lead in THREE:
            was_off = still[lead] or away[lead] or frozen[lead]
            if known[lead]:
                frozen[lead] = frozen_of[lead].push(x[INDEX[lead], column])
                recent[lead] = [*recent[lead], x[INDEX[lead], column]][-WINDOW:]
                span = max(recent[lead]) - min(recent[lead])
                moves = span >= np.float32(MOVING_MV)
                stops = span < np.float32(STILL_MV) and len(recent[lead]) == WINDOW
                still[lead] = bool(stops or (still[lead] and not moves))
            if any(known.values()):
                arrived[lead] = [*arrived[lead], known[lead]][-AWAY:]
                leaves = not any(arrived[lead]) and len(arrived[lead]) == AWAY
                away[lead] = leaves or (away[lead] and sum(arrived[lead]) < AWAY / 2)
            if still[lead] or frozen[lead]:
                kept[INDEX[lead], column] = np.nan
            off = still[lead] or away[lead] or frozen[lead]
            if off != was_off:
                why = STANDS_STILL if still[lead] or frozen[lead] else DOES_NOT_ARRIVE
                changes.append(LeadChange(column, lead, off, why if off else ""))
    return kept, changes


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 700), max_size=8), skipping=st.booleans())
def test_any_chunking_equals_whole_and_a_gap_is_what_is_missing(seed: int, sizes: list[int], skipping: bool) -> None:
    x = eventful(seed)
    start = seed % x.shape[1]
    x[:, start : start + seed % 700] = np.nan
    ends = [*np.cumsum(sizes, dtype=int), start, start + seed % 700]
    parts = np.split(x, np.minimum(np.sort(ends), x.shape[1]), axis=1)
    whole, chunked = LeadSignal(THREE), LeadSignal(THREE)
    kept, changes = whole.push(x)
    kept_of_parts, changes_of_parts = driven(chunked, parts, skipping)
    assert np.array_equal(kept_of_parts, kept, equal_nan=True)
    assert changes_of_parts == changes
    assert chunked.leads_off == whole.leads_off
    if not skipping:
        assert chunked.silent == whole.silent


@given(seed=st.integers(0, 2**32 - 1), until=st.integers(0, 2500))
def test_what_is_kept_passes_untouched_and_nothing_looks_ahead(seed: int, until: int) -> None:
    x = eventful(seed)
    kept, changes = LeadSignal(THREE).push(x)
    passed = ~np.isnan(kept)
    assert np.array_equal(kept[passed], x[passed])
    earlier, changes_until = LeadSignal(THREE).push(x[:, :until])
    assert np.array_equal(earlier, kept[:, :until], equal_nan=True)
    assert changes_until == [change for change in changes if change.index < until]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_it_does_what_the_rules_say(seed: int) -> None:
    x = eventful(seed)
    kept, changes = LeadSignal(THREE).push(x)
    expected, expected_changes = by_the_rules(x)
    assert np.array_equal(kept, expected, equal_nan=True)
    assert changes == expected_changes


@given(seed=st.integers(0, 2**32 - 1))
def test_changes_tell_which_leads_are_off(seed: int) -> None:
    lead_signal = LeadSignal(THREE)
    _, changes = lead_signal.push(eventful(seed))
    assert changes == sorted(changes, key=lambda change: (change.index, INDEX[change.lead]))
    for lead in THREE:
        told = [change.off for change in changes if change.lead == lead]
        assert told == [number % 2 == 0 for number in range(len(told))]
        assert (lead in lead_signal.leads_off) == (len(told) % 2 == 1)
    assert all(bool(change.why) == change.off for change in changes)


@pytest.mark.parametrize("level", [0.0, -5.0, 327.67])
def test_a_lead_that_stands_still_is_off_within_half_a_second_and_back_when_it_moves(level: float) -> None:
    x = three_leads(5.5)
    fell, returned = 2 * RATE, 5 * RATE
    x[INDEX["II"], fell:returned] = level
    x[INDEX["II"], returned:] = level + np.where(np.arange(RATE // 2) < 3, 0.015, 0.021)
    lead_signal = LeadSignal(THREE)
    kept, changes = lead_signal.push(x[:, :returned])
    assert changes == [LeadChange(fell + FROZEN - 1, "II", True, "stands still")]
    assert list(lead_signal.leads_off) == ["II"]
    assert np.flatnonzero(np.isnan(kept[INDEX["II"]])).tolist() == list(range(fell + FROZEN - 1, returned))
    kept, changes = lead_signal.push(x[:, returned : returned + 100])
    assert changes == [LeadChange(returned + 3, "II", False, "")]
    assert not lead_signal.leads_off
    assert np.flatnonzero(np.isnan(kept[INDEX["II"]])).tolist() == [0, 1, 2]


def test_a_lead_with_pauses_is_not_frozen_but_still() -> None:
    """A quiet or coarse lead stands to the count between its beats: that takes a whole second."""
    x = three_leads(9)
    x[INDEX["II"], RATE : RATE + PAUSES.start] = 0.1
    x[INDEX["II"], 4 * RATE : 6 * RATE] = 0.1
    x[INDEX["II"], 6 * RATE] = 1
    assert LeadSignal(THREE).push(x)[1] == [
        LeadChange(4 * RATE + WINDOW - 1, "II", True, "stands still"),
        LeadChange(6 * RATE, "II", False, ""),
    ]
    rail = x.copy()
    rail[INDEX["II"], 4 * RATE : 6 * RATE] = 20
    assert LeadSignal(THREE).push(rail)[1][0] == LeadChange(4 * RATE + FROZEN - 1, "II", True, "stands still")
    x[INDEX["II"], RATE : RATE + PAUSES.start] = x[INDEX["I"], RATE : RATE + PAUSES.start]
    assert LeadSignal(THREE).push(x)[1][0] == LeadChange(4 * RATE + FROZEN - 1, "II", True, "stands still")


def test_a_lead_that_stays_away_is_off_and_back_when_it_arrives_half_the_time() -> None:
    x = three_leads(3)
    lead_signal = LeadSignal(THREE)
    lead_signal.push(x[:, :RATE])
    away = x.copy()
    away[INDEX["V4"]] = np.nan
    assert lead_signal.push(away[:, : AWAY - 1])[1] == []
    assert lead_signal.push(away[:, :1])[1] == [LeadChange(RATE + AWAY - 1, "V4", True, "does not arrive")]
    assert lead_signal.leads_off == ("V4",)
    kept, changes = lead_signal.push(x[:, : AWAY // 2])
    assert np.array_equal(kept, x[:, : AWAY // 2], equal_nan=True)  # what does arrive is kept at once
    assert changes == [LeadChange(RATE + AWAY + AWAY // 2 - 1, "V4", False, "")]


def test_a_lead_that_never_came_is_off_and_one_that_is_not_wanted_is_not() -> None:
    x = three_leads(2)
    x[INDEX["V4"]] = np.nan
    lead_signal = LeadSignal(("V4", "II", "I"))
    assert lead_signal.push(x)[1] == [LeadChange(AWAY - 1, "V4", True, "does not arrive")]
    x[INDEX["V6"]] = 0
    lead_signal = LeadSignal(("I", "II"))
    kept, changes = lead_signal.push(x)
    assert np.array_equal(kept, x, equal_nan=True)
    assert changes == []


@pytest.mark.parametrize("every", [2, 3, 10])
def test_an_intermittent_lead_does_not_come_and_go(every: int) -> None:
    x = three_leads(20)
    x[INDEX["II"], np.arange(x.shape[1]) % every != 0] = np.nan
    assert LeadSignal(THREE).push(x)[1] == []
    x[INDEX["II"], :RATE] = np.nan
    back = [False] if every == 2 else []
    assert [change.off for change in LeadSignal(THREE).push(x)[1]] == [True, *back]


def test_columns_in_which_nothing_arrives_tell_nothing() -> None:
    x = three_leads(4)
    x[:, RATE : 3 * RATE] = np.nan
    assert LeadSignal(THREE).push(x)[1] == []
    x[INDEX["V4"], RATE - 100 :] = np.nan  # away for 100 columns before the gap
    _, changes = LeadSignal(THREE).push(x)
    assert [change.index for change in changes] == [3 * RATE + AWAY - 100 - 1]


def test_gaps_do_not_hide_a_dead_lead() -> None:
    x = three_leads(4)
    x[INDEX["I"]] = 0
    x[:, ::10] = np.nan
    lead_signal = LeadSignal(THREE)
    lead_signal.push(x)
    assert lead_signal.leads_off == ("I",)


def test_a_day_is_skipped_as_fast_as_a_sample_and_its_indices_count() -> None:
    x = three_leads(2)
    x[INDEX["V4"]] = 0
    lead_signal = LeadSignal(THREE)
    lead_signal.push(x[:, : FROZEN - 1])
    day = 24 * 3600 * RATE
    lead_signal.skip(day)
    assert lead_signal.push(x[:, :1])[1] == [LeadChange(day + FROZEN - 1, "V4", True, "stands still")]


@pytest.mark.parametrize("level", [0.8, 0.9, 1.0, 1.1])
def test_noise_at_the_limit_does_not_make_a_lead_come_and_go(level: float) -> None:
    x = three_leads(30)
    x[INDEX["II"]] = np.random.default_rng(0).normal(0, level * STILL_MV / 6.1, x.shape[1])
    spans = np.ptp(np.lib.stride_tricks.sliding_window_view(x[INDEX["II"]], WINDOW), axis=1)
    assert spans.min() < STILL_MV
    _, changes = LeadSignal(THREE).push(x)
    assert [change.off for change in changes] == [True]


@pytest.mark.parametrize("offset", [0, 1, -7.77, 300])
def test_noise_of_a_converter_is_still_and_a_small_lead_is_not(offset: float) -> None:
    x = three_leads(4)
    x[INDEX["I"]] = offset + np.random.default_rng(1).uniform(0, 0.9 * STILL_MV, x.shape[1])
    small = offset + 0.01 * np.sin(2 * np.pi * np.arange(x.shape[1]) / RATE)  # 20 uV peak to peak
    x[INDEX["II"]] = small
    x[INDEX["V4"]] = np.where(np.arange(x.shape[1]) < 2 * RATE, offset, small)
    lead_signal = LeadSignal(THREE)
    _, changes = lead_signal.push(x)
    assert lead_signal.leads_off == ("I",)
    assert [(change.lead, change.off) for change in changes] == [("V4", True), ("I", True), ("V4", False)]


def test_what_is_not_finite_did_not_arrive() -> None:
    x = three_leads(3)
    x[INDEX["V4"]] = np.inf
    x[INDEX["II"], ::2] = -np.inf
    kept, changes = LeadSignal(THREE).push(x)
    assert not np.isinf(kept).any()
    assert changes == [LeadChange(AWAY - 1, "V4", True, "does not arrive")]


def test_silence_is_counted_from_the_last_column_that_was_kept() -> None:
    x = three_leads(2)
    lead_signal = LeadSignal(THREE)
    lead_signal.push(x[:, :10])
    assert lead_signal.silent == 0
    x[:, 4:] = np.nan
    lead_signal.push(x[:, :10])
    assert lead_signal.silent == 6
    lead_signal.push(x[:, 10:12])
    assert lead_signal.silent == 8
    x[INDEX["V6"]] = 1  # nobody wants it
    lead_signal.push(x[:, 10:12])
    assert lead_signal.silent == 10
    lead_signal.skip(1000)
    assert lead_signal.silent == 0
    x[ROWS] = 0
    lead_signal = LeadSignal(THREE)
    lead_signal.push(x[:, : FROZEN + 6])
    assert lead_signal.silent == 7


@pytest.mark.data
def test_real_leads_are_never_called_off(data_dir: Path) -> None:
    headers = sorted((data_dir / "ptbxl" / "records500").glob("*/*.hea"))[::10]
    headers += sorted((data_dir / "ludb" / "data").glob("*.hea"))[::5]
    assert len(headers) > 90
    for header in headers:
        record = open_record(header)
        x = record.read(0, record.n_samples)
        kept, changes = LeadSignal(record.leads).push(x)
        assert np.array_equal(kept, x, equal_nan=True), header.stem
        assert changes == [], header.stem


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_jumps_are_found_in_any_pieces(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.2, (3, 1500)).astype(np.float32)
    for _ in range(4):
        x[rng.integers(3), rng.integers(1500) :] += rng.choice([-20, 2, 5])
    x[rng.random(x.shape) < 0.01] = np.nan
    whole, pieces = Jumps(3).push(x), Jumps(3)
    ends = np.unique(np.minimum(np.cumsum(sizes), 1500))
    found = np.concatenate([pieces.push(part) for part in np.split(x, ends, axis=1)], axis=1)
    assert np.array_equal(found, whole)
    jumps = np.abs(np.diff(x, axis=1, prepend=np.float32(np.nan))) > JUMP_MV
    for row in range(3):
        expected = np.zeros(1500, bool)
        for at in np.flatnonzero(jumps[row]):
            expected[at : at + SETTLING] = True
        assert np.array_equal(whole[row], expected)


def test_what_follows_a_gap_is_no_jump() -> None:
    jumps = Jumps(1)
    jumps.push(np.zeros((1, 10), np.float32))
    jumps.skip(5)
    assert not jumps.push(np.full((1, 10), 20, np.float32)).any()
    assert jumps.push(np.zeros((1, 10), np.float32)).all()
    jumps.skip(SETTLING - 15)
    assert jumps.push(np.zeros((1, 10), np.float32))[0].tolist() == 5 * [True] + 5 * [False]


@pytest.mark.data
def test_real_hearts_do_not_jump(data_dir: Path) -> None:
    headers = sorted((data_dir / "ptbxl" / "records500").glob("*/*.hea"))[::10]
    assert len(headers) > 30
    for header in headers:
        record = open_record(header)
        assert not Jumps(12).push(record.read(0, record.n_samples)).any(), header.stem
