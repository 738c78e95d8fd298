"""What runs the network: one protocol, and the backends by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Sizes = Mapping[str, int | list[int]]


class Backend(Protocol):
    """Runs the exported graph: mV of known leads in, twelve leads and half-widths in mV out."""

    name: str

    def run(self, x: Array, mask: Array) -> tuple[Array, Array]:
        """Twelve leads and the half-widths of their 90 % intervals, each (batch, 12, n) in mV.

        Parameters
        ----------
        x : ndarray, (batch, 8, n) float32, mV
            Independent leads, zero where unknown; n a multiple of the model's stride.
        mask : ndarray, (batch, 8, n) float32
            1 where known, else 0.
        """


def _onnx(path: Path, sizes: Sizes, threads: int) -> Backend:
    from engine.backends.onnx import OnnxBackend

    return OnnxBackend(path, threads)


def _torch(path: Path, sizes: Sizes, threads: int) -> Backend:
    from engine.errors import ModelError

    try:
        from engine.backends.torch import TorchBackend
    except ImportError as error:
        missing = "the torch backend needs torch and safetensors; in the checkout type: pip install '.[train]'"
        raise ModelError(missing) from error
    return TorchBackend(path, sizes)


BACKENDS: dict[str, tuple[str, Callable[[Path, Sizes, int], Backend]]] = {
    "onnx": ("onnx", _onnx),
    "torch": ("safetensors", _torch),
}
"""Name to the kind of file it runs and its maker, given file, shape and threads; imported only when it is asked for."""
