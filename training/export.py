"""A fitted network made into a model that ships: ONNX, safetensors and the manifest that vouches for both."""

import datetime
import logging
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import onnx
import torch
from safetensors.torch import save_file

from engine.backends.network import Network, Shape
from engine.errors import UsageError
from engine.leads import INDEPENDENT, RATE
from engine.model import FORMAT, Manifest, ModelFile, sha256
from training.fit import Result


def export(run: Path, folder: Path, name: str) -> Path:
    """Write ``NAME.onnx``, ``NAME.safetensors`` and ``NAME.json`` into a folder, and return the manifest's path.

    Parameters
    ----------
    run : Path
        Folder of a fit that has ended.
    folder : Path
        Where the model goes.
    name : str
        The model's.

    Raises
    ------
    UsageError
        If there is no such run, or the folder is the run's own.
    """
    if not (run / "result.json").is_file():
        raise UsageError(f"{run} holds no run that has ended; fit a network first: ecgstream train --out {run}")
    if folder.resolve() == run.resolve():
        raise UsageError(f"{folder} is the run's own folder; choose another --out, for example {run / 'model'}")
    result = msgspec.json.decode((run / "result.json").read_bytes(), type=Result)
    network = Network(Shape.of(result.shape)).eval()
    network.load_state_dict(torch.load(run / "best.pt", weights_only=True))
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{name}-", dir=folder) as partial:
        files = _write(network, result, Path(partial), name)
        for file in files:
            file.replace(folder / file.name)
    return folder / files[-1].name


def _write(network: Network, result: Result, folder: Path, name: str) -> list[Path]:
    """Write the files of a model; the manifest is the last of them."""
    graph, tensors, path = (folder / f"{name}.{suffix}" for suffix in ("onnx", "safetensors", "json"))
    write_onnx(network, graph)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, tensors)
    tensors.chmod(graph.stat().st_mode)  # safetensors writes for the owner alone; an installed model is read by all
    shape = network.shape
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
        shape=result.shape,
        training=result.training,
        scores=result.scores,
        files={"onnx": ModelFile(graph.name, sha256(graph)), "safetensors": ModelFile(tensors.name, sha256(tensors))},
    )
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return [graph, tensors, path]


def write_onnx(network: Network, path: Path) -> None:
    """Write the whole graph, physics included, for any batch and any length that is a multiple of the stride."""
    stride = network.shape.stride
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, len(INDEPENDENT), 12 * stride), np.float32))
    batch, blocks = torch.export.Dim("batch", min=1), torch.export.Dim("blocks", min=2)
    dynamic = {0: batch, 2: stride * blocks}
    # The exporter tells its own maintainers of deprecations, and everybody that it found no torchvision.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
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
    assert program is not None  # only with a deprecated option it is
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]  # where in whose folders each line of Python stood
    onnx.save(model, path)
