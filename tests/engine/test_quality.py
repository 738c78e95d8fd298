"""Leads that fell off: found within a second, back at once, and real leads left alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.leads import INDEX, LEADS, RATE
from engine.quality import AWAY, STILL_MV, WINDOW, LeadSignal
from stream.sources.record import open_record


def three_leads(seconds: float, seed: int = 0) -> np.ndarray:
    """I, II and V4 with a signal, the others not measured."""
    x = np.full((len(LEADS), int(seconds * RATE)), np.nan, np.float32)
    rows = [INDEX[lead] for lead in ("I", "II", "V4")]
    x[rows] = np.random.default_rng(seed).normal(0, 0.2, (3, x.shape[1]))
    return x


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 700), max_size=8))
def test_any_chunking_equals_whole(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x = three_leads(4, seed)
    for _ in range(6):
        row, start = rng.choice([0, 1, 9]), rng.integers(0, x.shape[1])
        x[row, start : start + rng.integers(1, 1200)] = rng.choice([np.nan, 0, 2.5])
    ends = np.minimum(np.cumsum(sizes, dtype=int), x.shape[1])
    whole, chunked = LeadSignal(), LeadSignal()
    kept = whole.push(x)
    assert np.array_equal(
        np.concatenate([chunked.push(part) for part in np.split(x, ends, axis=1)], axis=1), kept, equal_nan=True
    )
    assert chunked.leads_off == whole.leads_off
    passed = ~np.isnan(kept)
    assert np.array_equal(kept[passed], x[passed])
    until = int(rng.integers(0, x.shape[1]))
    assert np.array_equal(LeadSignal().push(x[:, :until]), kept[:, :until], equal_nan=True)  # causal


@pytest.mark.parametrize("level", [0.0, -5.0, 327.67])
def test_a_lead_that_stands_still_is_off_within_a_second_and_back_at_once(level: float) -> None:
    x = three_leads(6)
    fell, returned = 2 * RATE, 5 * RATE
    x[INDEX["II"], fell:returned] = level
    lead_signal = LeadSignal()
    kept = lead_signal.push(x[:, :returned])
    assert lead_signal.leads_off == ("II",)
    found = np.flatnonzero(np.isnan(kept[INDEX["II"]]))
    assert found[0] == fell + WINDOW - 1
    assert len(found) == returned - found[0]
    after = lead_signal.push(x[:, returned:])
    assert lead_signal.leads_off == ()
    assert np.array_equal(after, x[:, returned:], equal_nan=True)


def test_a_lead_that_stays_away_is_off_and_back_with_its_first_sample() -> None:
    x = three_leads(3)
    lead_signal = LeadSignal()
    lead_signal.push(x)
    x[INDEX["V4"]] = np.nan
    lead_signal.push(x[:, : AWAY - 1])
    assert lead_signal.leads_off == ()
    lead_signal.push(x[:, :1])
    assert lead_signal.leads_off == ("V4",)
    lead_signal.push(three_leads(0.002))
    assert lead_signal.leads_off == ()


def test_gaps_do_not_hide_a_dead_lead() -> None:
    x = three_leads(4)
    x[INDEX["I"]] = 0
    x[:, ::10] = np.nan
    lead_signal = LeadSignal()
    lead_signal.push(x)
    assert lead_signal.leads_off == ("I",)


def test_noise_of_a_converter_is_still_and_a_small_lead_is_not() -> None:
    x = three_leads(3)
    rng = np.random.default_rng(1)
    x[INDEX["I"]] = rng.uniform(0, 0.9 * STILL_MV, x.shape[1])
    x[INDEX["II"]] = 0.01 * np.sin(2 * np.pi * np.arange(x.shape[1]) / RATE)  # 20 uV peak to peak
    lead_signal = LeadSignal()
    lead_signal.push(x)
    assert lead_signal.leads_off == ("I",)


@pytest.mark.data
def test_real_leads_are_never_called_off(data_dir: Path) -> None:
    headers = sorted((data_dir / "ptbxl" / "records500").glob("*/*.hea"))[::10]
    headers += sorted((data_dir / "ludb" / "data").glob("*.hea"))[::5]
    assert len(headers) > 90
    for header in headers:
        record = open_record(header)
        x = record.read(0, record.n_samples)
        assert np.array_equal(LeadSignal().push(x), x, equal_nan=True), header.stem
