"""ONNX Runtime on the CPU: the default backend."""

from pathlib import Path

import onnxruntime

from engine.backends import Array
from engine.errors import ModelError
from engine.leads import INDEPENDENT, LEADS


class OnnxBackend:
    """Runs an exported graph with ONNX Runtime.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.
    threads : int
        Cores that one run may use.

    Raises
    ------
    ModelError
        If the file is no graph of ours.
    """

    name = "onnx"

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1  # the graph is one chain: there is nothing to run beside
        # Threads that spin between frames would take the cores from the screen.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base but this
            reason = str(error).splitlines()[0]
            raise ModelError(f"ONNX Runtime cannot load {path}: {reason}; package the model anew") from error
        rows = [[value.name, value.shape[1]] for value in (*self._session.get_inputs(), *self._session.get_outputs())]
        eight, twelve = len(INDEPENDENT), len(LEADS)
        if rows != [["x", eight], ["mask", eight], ["leads", twelve], ["interval", twelve]]:
            raise ModelError(f"{path} does not take {eight} leads and give {twelve}; package the model anew")

    def run(self, x: Array, mask: Array) -> tuple[Array, Array]:
        """See `Backend.run`."""
        leads, interval = self._session.run(None, {"x": x, "mask": mask})
        return leads, interval
