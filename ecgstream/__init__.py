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
    from stream.items import Block, Chunk
    from stream.sinks.mailbox import Mailbox, Sink
    from stream.sinks.recorder import Recorder
    from stream.sources.record import Record, open_record
    from stream.sources.replay import Replay

_HOMES = {
    "INDEPENDENT": "engine.leads",
    "LEADS": "engine.leads",
    "RATE": "engine.leads",
    "Bed": "stream.bed",
    "Block": "stream.items",
    "Chunk": "stream.items",
    "Engine": "engine.reconstruction",
    "Mailbox": "stream.sinks.mailbox",
    "Origin": "engine.leads",
    "Reconstruction": "engine.reconstruction",
    "Record": "stream.sources.record",
    "Recorder": "stream.sinks.recorder",
    "Replay": "stream.sources.replay",
    "Sink": "stream.sinks.mailbox",
    "load": "engine.model",
    "open_record": "stream.sources.record",
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
