"""PyTorch on the CPU: the reference the other backends are held against."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from engine.backends import Array, Sizes
from engine.backends.network import Network, Shape
from engine.errors import ModelError


class TorchBackend:
    """Runs the network as it was fitted.

    Parameters
    ----------
    path : Path
        The ``.safetensors`` file.
    sizes : mapping
        The manifest's shape.

    Raises
    ------
    ModelError
        If weights and shape do not belong together.
    """

    name = "torch"

    def __init__(self, path: Path, sizes: Sizes) -> None:
        try:
            self._network = Network(Shape.of(sizes)).eval()
            self._network.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{path} does not fit its manifest: {reason}; package the model anew") from error

    @torch.inference_mode()
    def run(self, x: Array, mask: Array) -> tuple[Array, Array]:
        """See `Backend.run`."""
        leads, interval = self._network(torch.from_numpy(x), torch.from_numpy(mask))
        return leads.numpy(), interval.numpy()
