"""LSL devices in a process of their own, each with exactly the description it is given.

    python lsl_device.py '[{"name": ..., "channels": [{"label": "II", "unit": "uV"}, ...]}, ...]'

Says ``up TIME UID...`` once all are announced (TIME by the monotonic clock), sends the number of each sample in every
channel, and ends with its input. A line ``pause`` or ``go`` there stops and goes on.
"""

import json
import sys
import threading
import time
from typing import Any

import numpy as np
import pylsl

TYPES = {"float32": "f4", "double64": "f8", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8"}


def info(spec: dict[str, Any]) -> pylsl.StreamInfo:
    """The description, tag by tag as the device gives it."""
    count = spec.get("count", len(spec.get("channels", ())))
    made = pylsl.StreamInfo(
        spec["name"],
        spec.get("type", "ECG"),
        count,
        spec.get("rate", 250),
        spec.get("format", "float32"),
        spec.get("source_id", f"id of {spec['name']}"),
    )
    for tag, text in spec.get("desc", {}).items():
        made.desc().append_child_value(tag, text)
    if spec.get("channels"):
        channels = made.desc().append_child("channels")
        for each in spec["channels"]:
            channel = channels.append_child("channel")
            for tag, text in each.items():
                channel.append_child_value(tag, text)
    return made


class Device:
    """One outlet; what it sends counts from 0."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.outlet = pylsl.StreamOutlet(info(spec))
        self.count = self.outlet.channel_count
        self.sent = 0
        self.began = time.monotonic()

    def send(self) -> None:
        """What is due by now: whole bursts only, where it sends in bursts."""
        spec, rate = self.spec, self.spec.get("rate", 250)
        burst = spec.get("burst", 1)
        due = int((time.monotonic() - self.began) * (rate or 10)) // burst * burst - self.sent
        if due <= 0:
            return
        if spec.get("format") == "string":
            self.outlet.push_chunk([[str(self.sent + n)] * self.count for n in range(due)])
        else:
            numbers = np.arange(self.sent, self.sent + due)
            values = np.repeat(numbers[:, None], self.count, axis=1).astype(TYPES[spec.get("format", "float32")])
            self.outlet.push_chunk(np.ascontiguousarray(values))
        self.sent += due


def main() -> None:
    """See the module."""
    going, ended = threading.Event(), threading.Event()
    going.set()

    def listen() -> None:
        for line in sys.stdin:
            (going.clear if line.strip() == "pause" else going.set)()
        ended.set()

    devices = [Device(spec) for spec in json.loads(sys.argv[1])]
    up = time.monotonic()
    threading.Thread(target=listen, daemon=True).start()
    print("up", up, *(device.outlet.get_info().uid() for device in devices), flush=True)
    while not ended.wait(0.02):
        for device in devices:
            if going.is_set():
                device.send()


if __name__ == "__main__":
    main()
