"""A fitted network made into a model that ships: ONNX, safetensors and the manifest that vouches for both."""

import dataclasses
import datetime
import warnings
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file

from engine.errors import UsageError
from engine.leads import INDEPENDENT, RATE
from engine.model import FORMAT, Manifest, ModelFile, sha256
from engine.network import Network, Shape


def export(
    weights: Path, folder: Path, name: str, training: dict[str, object], scores: dict[str, object], shape: Shape
) -> Path:
    """Write ``NAME.onnx``, ``NAME.safetensors`` and ``NAME.json`` into a folder, and return the manifest's path.

    Parameters
    ----------
    weights : Path
        ``best.pt`` of a fit.
    folder : Path
        Where the model goes.
    name : str
        The model's.
    training, scores : dict
        What the manifest says of the data and of fold 9.
    shape : Shape
        The sizes it was fitted with.

    Raises
    ------
    UsageError
        If there are no such weights.
    """
    if not weights.is_file():
        raise UsageError(f"there are no weights at {weights}; fit a network first with ecgstream train")
    network = Network(shape).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    folder.mkdir(parents=True, exist_ok=True)
    onnx, tensors = folder / f"{name}.onnx", folder / f"{name}.safetensors"
    write_onnx(network, onnx)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, tensors)
    tensors.chmod(onnx.stat().st_mode)  # safetensors writes for the owner alone; an installed model is read by all
    sizes = {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(shape).items()}
    manifest = Manifest(
        format=FORMAT,
        name=name,
        made=datetime.date.today().isoformat(),
        leads=INDEPENDENT,
        rate=RATE,
        stride=shape.stride,
        look_ahead=shape.look_ahead,
        left_context=shape.left_context,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        shape=sizes,
        training=training,
        scores=scores,
        files={"onnx": ModelFile(onnx.name, sha256(onnx)), "safetensors": ModelFile(tensors.name, sha256(tensors))},
    )
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return path


def write_onnx(network: Network, path: Path) -> None:
    """Write the whole graph, physics included, for any batch and any length that is a multiple of the stride."""
    stride = network.shape.stride
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, len(INDEPENDENT), 12 * stride), np.float32))
    batch, blocks = torch.export.Dim("batch", min=1), torch.export.Dim("blocks", min=2)
    dynamic = {0: batch, 2: stride * blocks}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (x, torch.ones_like(x)),
            dynamo=True,
            dynamic_shapes={"x": dynamic, "mask": dynamic},
            input_names=["x", "mask"],
            output_names=["leads", "interval"],
            verbose=False,
        )
    program.save(path, external_data=False)
