"""Three ECG leads in, twelve out, live: the parts to build one's own monitor from.

Names are imported when they are first used, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.frame import Estimate, Frame
    from engine.leads import INDEPENDENT, LEADS, RATE, Origin
    from engine.model import load
    from engine.reconstruction import Engine
    from stream.bed import Bed, passed
    from stream.items import Arrival, Block, Chunk, Event, Gap, Kind
    from stream.sinks import Sink
    from stream.sinks.mailbox import Mailbox
    from stream.sinks.outbox import Direct, Outbox
    from stream.sinks.recorder import Recorder
    from stream.sources import Source
    from stream.sources.record import Record, open_record
    from stream.sources.replay import Replay
    from stream.ward import Ward

_HOMES = {
    "Arrival": "stream.items",
    "Bed": "stream.bed",
    "Block": "stream.items",
    "Chunk": "stream.items",
    "Direct": "stream.sinks.outbox",
    "Engine": "engine.reconstruction",
    "Estimate": "engine.frame",
    "Event": "stream.items",
    "Frame": "engine.frame",
    "Gap": "stream.items",
    "INDEPENDENT": "engine.leads",
    "Kind": "stream.items",
    "LEADS": "engine.leads",
    "Mailbox": "stream.sinks.mailbox",
    "Origin": "engine.leads",
    "Outbox": "stream.sinks.outbox",
    "RATE": "engine.leads",
    "Record": "stream.sources.record",
    "Recorder": "stream.sinks.recorder",
    "Replay": "stream.sources.replay",
    "Sink": "stream.sinks",
    "Source": "stream.sources",
    "Ward": "stream.ward",
    "load": "engine.model",
    "open_record": "stream.sources.record",
    "passed": "stream.bed",
}

__all__ = [
    "INDEPENDENT",
    "LEADS",
    "RATE",
    "Arrival",
    "Bed",
    "Block",
    "Chunk",
    "Direct",
    "Engine",
    "Estimate",
    "Event",
    "Frame",
    "Gap",
    "Kind",
    "Mailbox",
    "Origin",
    "Outbox",
    "Record",
    "Recorder",
    "Replay",
    "Sink",
    "Source",
    "Ward",
    "load",
    "open_record",
    "passed",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(_HOMES[name]), name)
