"""ONNX Runtime's own part: how many cores it takes, and that their number changes no result."""

import numpy as np
import psutil
import pytest
import torch

from engine.backends import Array
from engine.backends.onnx import OnnxBackend
from engine.leads import INDEPENDENT
from engine.model import DEFAULT, MODELS, load

SHIPPED = MODELS / f"{DEFAULT}.onnx"


def some_frame() -> tuple[Array, Array]:
    """Two frames of 10 s, a few mV, some of their leads."""
    rng = np.random.default_rng(1)
    x = 0.05 * np.cumsum(rng.standard_normal((2, len(INDEPENDENT), 5000), np.float32), axis=2)
    mask = np.zeros_like(x)
    mask[0, [0, 1, 5]], mask[1, [0, 1, 3, 6]] = 1, 1
    return x * mask, mask


def test_the_number_of_threads_changes_no_result() -> None:
    one, two = (OnnxBackend(SHIPPED, threads).run(*some_frame()) for threads in (1, 2))
    for alone, together in zip(one, two, strict=True):
        assert np.abs(alone - together).max() <= 1e-6
    assert one[0].std() > 0.1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_it_takes_as_many_threads_as_it_is_given(threads: int) -> None:
    """The calling thread is one of them; whatever the machine has, the others are its own."""
    process = psutil.Process()
    before = process.num_threads()
    backend = OnnxBackend(SHIPPED, threads)
    backend.run(*some_frame())
    assert process.num_threads() - before == threads - 1


def test_an_engine_is_loaded_with_one_thread_unless_it_is_given_more() -> None:
    process = psutil.Process()
    before = process.num_threads()
    engines = [load()]
    assert process.num_threads() == before
    engines.append(load(threads=3))
    assert process.num_threads() == before + 2
    assert len({engine.name for engine in engines}) == 1


def test_torch_keeps_its_own_number_of_threads() -> None:
    before = torch.get_num_threads()
    load(backend="torch", threads=before + 1)
    assert torch.get_num_threads() == before
