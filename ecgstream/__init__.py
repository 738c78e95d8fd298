"""Three ECG leads in, twelve out, live: the parts to build one's own monitor from.

Names are imported when they are first used, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.leads import INDEPENDENT, LEADS, RATE, Origin
    from engine.model import load
    from engine.reconstruction import Engine, Reconstruction
    from stream.bed import Bed
    from stream.blocks import Block, Chunk
    from stream.record import Record, open_record
    from stream.recorder import Recorder
    from stream.replay import Replay
    from stream.sinks import Mailbox, Sink

_HOMES = {
    "INDEPENDENT": "engine.leads",
    "LEADS": "engine.leads",
    "RATE": "engine.leads",
    "Bed": "stream.bed",
    "Block": "stream.blocks",
    "Chunk": "stream.blocks",
    "Engine": "engine.reconstruction",
    "Mailbox": "stream.sinks",
    "Origin": "engine.leads",
    "Reconstruction": "engine.reconstruction",
    "Record": "stream.record",
    "Recorder": "stream.recorder",
    "Replay": "stream.replay",
    "Sink": "stream.sinks",
    "load": "engine.model",
    "open_record": "stream.record",
}

__all__ = [
    "INDEPENDENT",
    "LEADS",
    "RATE",
    "Bed",
    "Block",
    "Chunk",
    "Engine",
    "Mailbox",
    "Origin",
    "Reconstruction",
    "Record",
    "Recorder",
    "Replay",
    "Sink",
    "load",
    "open_record",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(_HOMES[name]), name)
