"""A receiver in a process of its own: takes all that the streams of a broadcast send, until they go away.

    python lsl_reader.py NAME OUT

Prints ``ready`` when it listens, and writes what it got to OUT (npz): samples, stamps and description of each stream.
"""

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

STREAMS = {"leads": "", "widths": "-half-widths", "events": "-events"}
OPENING_S = 20.0


def main() -> None:
    name, out = sys.argv[1:]
    inlets = {each: _opened(name + ending) for each, ending in STREAMS.items()}
    print("ready", flush=True)
    found: dict[str, Any] = {f"{each}_about": inlet.info(OPENING_S).as_xml() for each, inlet in inlets.items()}
    threads = [threading.Thread(target=_take, args=(each, inlet, found)) for each, inlet in inlets.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Path(out).open("wb") as file:
        np.savez(file, **found)


def _opened(name: str) -> pylsl.StreamInlet:
    (info,) = pylsl.resolve_byprop("name", name, minimum=1, timeout=OPENING_S)
    inlet = pylsl.StreamInlet(info, recover=False)
    inlet.open_stream(OPENING_S)
    return inlet


def _take(each: str, inlet: pylsl.StreamInlet, found: dict[str, Any]) -> None:
    samples: list[list[float]] = []
    stamps: list[float] = []
    while True:
        try:
            some, times = inlet.pull_chunk(timeout=0.2, max_samples=4096, min_samples=1)
        except pylsl.util.LostError:
            break
        if times:
            samples += some
            stamps += times
    found[f"{each}_stamps"] = np.array(stamps)
    found[each] = np.array(samples)


if __name__ == "__main__":
    main()
