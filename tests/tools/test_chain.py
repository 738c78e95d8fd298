"""How the chain's latency is told from what was received."""

from typing import Any

import numpy as np
import pytest

from engine.leads import INDEX, RATE
from tools import chain

BEGAN, FIRST = 1000.0, 29_000
LOOK_AHEAD_S, HOP = 0.1, 40


def received(count: int = 20 * RATE) -> dict[str, Any]:
    """Blocks of a hop, each 100 ms after its last sample was taken; what is sent begins anew within."""
    sent = chain._sent()
    indices = np.arange(FIRST, FIRST + count)
    samples = np.zeros((count, 12), np.float32)
    samples[:, [INDEX[lead] for lead in chain.SENT]] = sent[:, indices % sent.shape[1]].T
    taken = BEGAN + indices / RATE
    last_of_block = taken[HOP - 1 :: HOP].repeat(HOP)
    return {"samples": samples, "stamps": taken + 2e-3, "arrived": last_of_block + LOOK_AHEAD_S}


def test_every_sample_counts_from_when_it_was_taken() -> None:
    figures = chain._figures(received(), BEGAN)
    assert figures["newest_ms"] == {"p50": 100.0, "p99": 100.0}
    assert figures["latency_ms"] == {"p50": pytest.approx(139, abs=1), "p99": 178.0}
    assert figures["stamps_off_ms"] == 2.0


def test_a_lost_sample_is_no_figure() -> None:
    found = {name: np.delete(each, 3000, axis=0) for name, each in received().items()}
    with pytest.raises(SystemExit, match="lost samples"):
        chain._figures(found, BEGAN)


@pytest.mark.slow
def test_the_chain_holds() -> None:
    figures = chain.chain(seconds=5)
    assert figures["seconds"] == 5
    assert figures["stamps_off_ms"] < 1
    assert figures["latency_ms"]["p50"] < figures["allowed_ms"]
