"""The table of least-squares solutions: what `numpy.linalg.lstsq` gives, and numbered as the network reads it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.backends.network import Network, Shape
from engine.errors import SourceError
from engine.leads import INDEPENDENT
from training.linear import covariance, table
from training.pack import Pack

LEADS = len(INDEPENDENT)
sets = st.sets(st.integers(0, LEADS - 1), min_size=1, max_size=LEADS)


def leads(seed: int, length: int = 2000) -> NDArray[np.float64]:
    """Zero-mean leads of about 1 mV that tell of each other, (8, length)."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(LEADS) + 0.1 * rng.standard_normal((LEADS, LEADS))
    x = mixing @ rng.standard_normal((LEADS, length))
    return np.asarray(x - x.mean(axis=1, keepdims=True))


@given(seed=st.integers(0, 100), known=sets)
@settings(max_examples=30)
def test_each_set_is_least_squares(seed: int, known: set[int]) -> None:
    x = leads(seed)
    rows = sorted(known)
    matrix = table(x @ x.T / x.shape[1])[sum(2**row for row in rows)].astype(float)
    rest = [row for row in range(LEADS) if row not in known]
    best, *_ = np.linalg.lstsq(x[rows].T, x[rest].T, rcond=None)
    assert np.abs(matrix[np.ix_(rest, rows)] - best.T).max(initial=0) < 0.02  # the ridge's
    ridge = np.sqrt(1e-3 * np.mean(x**2) * x.shape[1]) * np.eye(len(rows))
    ridged = np.vstack([x[rows].T, ridge])
    best, *_ = np.linalg.lstsq(ridged, np.vstack([x[rest].T, np.zeros((len(rows), len(rest)))]))
    assert np.abs(matrix[np.ix_(rest, rows)] - best.T).max(initial=0) < 1e-5
    assert np.array_equal(matrix[np.ix_(rows, rows)], np.eye(len(rows)))
    assert not matrix[:, rest].any()


def test_nothing_known_gives_nothing() -> None:
    x = leads(1)
    assert not table(x @ x.T)[0].any()


@given(seed=st.integers(0, 100), known=sets)
@settings(max_examples=20)
def test_the_network_reads_the_set_it_is_given(seed: int, known: set[int]) -> None:
    x = leads(seed, 40)
    matrices = table(leads(seed) @ leads(seed).T / 2000)
    network = Network(Shape(widths=(2,)), matrices, np.ones(LEADS, np.float32))
    mask = torch.zeros(1, LEADS, x.shape[1])
    mask[:, sorted(known)] = 1
    level = torch.from_numpy(x[None].astype(np.float32)) * mask
    solved = network.solve_linear(level, mask)[0].numpy()
    expected = matrices[sum(1 << row for row in known)] @ level[0].numpy()
    assert np.allclose(solved, expected, atol=1e-5)
    assert np.allclose(solved[sorted(known)], x[sorted(known)], atol=1e-5)


def test_leads_that_repeat_each_other_do_no_harm() -> None:
    x = leads(2)
    x[3] = x[2]
    matrices = table(x @ x.T / x.shape[1])
    assert np.isfinite(matrices).all()
    assert np.abs(matrices).max() < 100


def packed(pieces: NDArray[np.int16]) -> Pack:
    return Pack(pieces, pieces, np.ones(pieces.shape[:2], bool))


def test_the_covariance_is_of_millivolts_without_artefact() -> None:
    pieces = np.random.default_rng(1).integers(-3000, 3000, (5, LEADS, 100)).astype(np.int16)
    spoilt = pieces.copy()
    spoilt[2, 4, 50] = -8001
    x, y = (
        np.concatenate(list(each), axis=1) / 1000 for each in (pieces.astype(float), pieces[[0, 1, 3, 4]].astype(float))
    )
    assert covariance(packed(pieces)) == pytest.approx(x @ x.T / x.shape[1])
    assert covariance(packed(spoilt)) == pytest.approx(y @ y.T / y.shape[1])


def test_the_covariance_takes_no_lead_that_is_not_there_for_zero() -> None:
    pieces = np.random.default_rng(2).integers(-3000, 3000, (3, LEADS, 100)).astype(np.int16)
    lacking = packed(np.concatenate([pieces, pieces]))
    lacking.target[3:, 5] = 0
    lacking.held[3:, 5] = False
    assert np.array_equal(covariance(lacking), covariance(packed(pieces)))
    with pytest.raises(SourceError, match="all eight independent leads; check --data"):
        covariance(Pack(lacking.signal[3:], lacking.target[3:], lacking.held[3:]))
