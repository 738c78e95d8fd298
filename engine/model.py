"""A model on disk: its manifest, the check that its files are what the manifest says, and its way to an engine."""

import hashlib
from pathlib import Path

import msgspec

from engine.backends import BACKENDS, Backend
from engine.errors import ModelError, UsageError
from engine.leads import INDEPENDENT, RATE
from engine.reconstruction import Engine

MODELS = Path(__file__).parent / "models"
DEFAULT = "ecgstream-1"
"""The model that ships: named, not found, so that another beside it never takes its place."""
FORMAT = 1


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a model.

    Attributes
    ----------
    name : str
        File name, beside the manifest.
    sha256 : str
        Of its bytes.
    """

    name: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model says of itself.

    Attributes
    ----------
    format : int
        Of the manifest.
    name : str
        Shown on screen and written into recordings.
    made : str
        Date, ISO 8601.
    leads : tuple of str
        Rows of the input.
    rate, stride, look_ahead, left_context : int
        Hz; samples between the coarsest steps; later and earlier samples an estimate may see.
    parameters : int
        Weights that were fitted.
    shape : dict
        Sizes the network is built from.
    training : dict
        Data, folds and settings it was fitted with.
    scores : dict
        On fold 9, which it was chosen on.
    files : dict of str to ModelFile
        ``onnx`` and ``safetensors``.
    """

    format: int
    name: str
    made: str
    leads: tuple[str, ...]
    rate: int
    stride: int
    look_ahead: int
    left_context: int
    parameters: int
    shape: dict[str, int | list[int]]
    training: dict[str, object]
    scores: dict[str, object]
    files: dict[str, ModelFile]


def load_manifest(path: Path | None = None) -> tuple[Manifest, Path]:
    """A model's manifest, its files checked, and where it stands.

    Parameters
    ----------
    path : Path, optional
        The manifest (``.json``) or the folder that holds one; the shipped model if not given.

    Raises
    ------
    ModelError
        If there is none, it cannot be understood, or a file is missing or not what the manifest says.
    """
    path = MODELS / f"{DEFAULT}.json" if path is None else _manifest_path(path)
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ModelError(f"cannot read the manifest {path}: {error.strerror}; see ecgstream doctor") from error
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path} is no manifest of a model: {error}; train one with ecgstream train") from error
    if manifest.format != FORMAT or manifest.leads != INDEPENDENT or manifest.rate != RATE:
        raise ModelError(f"{path} is of another kind (format, leads or rate); this version reads format {FORMAT}")
    if manifest.stride < 1 or not 0 <= manifest.look_ahead <= 50 or manifest.left_context < 0:
        raise ModelError(f"{path} gives a stride, look-ahead or context that no model has; package the model anew")
    for file in manifest.files.values():
        _check_file(path.parent / file.name, file.sha256)
    return manifest, path


def load(path: Path | None = None, backend: str = "onnx", *, threads: int = 1) -> Engine:
    """An engine with a model.

    Parameters
    ----------
    path : Path, optional
        As for `load_manifest`.
    backend : str
        One of `engine.backends.BACKENDS`.
    threads : int
        Cores that one frame may use: more make it faster by less than they take from other beds. The torch backend
        leaves it to torch's own setting, which is the whole process's.

    Raises
    ------
    ModelError
        As for `load_manifest`, and if the backend cannot run the model.
    UsageError
        If the backend is unknown, or there are less than one thread.
    """
    if threads < 1:
        raise UsageError(f"--threads {threads}: the network needs at least one; give --threads 1 or more")
    if backend not in BACKENDS:
        raise UsageError(f"there is no backend '{backend}'; the backends are {', '.join(BACKENDS)}")
    manifest, path = load_manifest(path)
    kind, make = BACKENDS[backend]
    if kind not in manifest.files:
        raise ModelError(f"{path} names no {kind} file, which the {backend} backend needs; package the model anew")
    runs: Backend = make(path.parent / manifest.files[kind].name, manifest.shape, threads)
    return Engine(
        runs,
        name=manifest.name,
        stride=manifest.stride,
        look_ahead=manifest.look_ahead,
        left_context=manifest.left_context,
    )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest_path(path: Path) -> Path:
    if not path.is_dir():
        return path
    manifests = sorted(path.glob("*.json"))
    if len(manifests) != 1:
        raise ModelError(f"{path} holds {len(manifests)} manifests, not one; name the .json to use")
    return manifests[0]


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ModelError(f"the model file {path} is missing; install ecgstream anew or package the model again")
    if sha256(path) != expected:
        raise ModelError(f"the model file {path} is damaged: its hash is not its manifest's; install ecgstream anew")
