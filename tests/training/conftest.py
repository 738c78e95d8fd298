"""A network of a few hundred weights, fitted for six steps on a small PTB-XL and made into a model, once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.backends.network import Shape
from tests.training.recordings import write_ptbxl
from training.export import export
from training.fit import Settings, fit

TINY = Shape(widths=(4, 6), kernel=3, dilations=(1, 2), decimation=5, stem_kernel=9, baseline_steps=40, delay=7)
SIX_STEPS = Settings(steps=6, batch=2, check_every=2, check_records=8)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose more to threads that wait for each other than they win."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def ptbxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five records at 100 Hz to learn from, two to choose on, and one of the test fold that holds no samples."""
    root = write_ptbxl(tmp_path_factory.mktemp("data") / "ptbxl", [1, 2, 3, 8, 8, 9, 9, 10])
    (root / "records100" / "00000" / "00008_lr.dat").unlink()
    return root


@pytest.fixture(scope="session")
def fitted(ptbxl_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that went through unbroken."""
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    fit(ptbxl_folder, out, SIX_STEPS, TINY)
    return out


@pytest.fixture(scope="session")
def exported(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of the model made of that run."""
    return export(fitted, tmp_path_factory.mktemp("models"), "tiny")
