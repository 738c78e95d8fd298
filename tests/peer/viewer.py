"""Reads a broadcast, and the stream it was made from, as mne-lsl does: a stream object each, and an inlet for markers.

    .venv-peer/bin/python viewer.py NAME PLAYED COUNT OUT

Ends after COUNT samples of each. OUT (npz): for each stream the names, types, units, rate, samples as they came, and
stamps; of the markers the texts and stamps.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mne_lsl.lsl import StreamInlet, resolve_streams
from mne_lsl.stream import StreamLSL

BUFFER_S = 60
OPENING_S = 60.0
READING_S = 60.0


def main() -> None:
    """Read, and write what was read."""
    name, played, count, out = sys.argv[1:]
    names = {"played": played, "leads": name, "widths": f"{name}-half-widths"}
    streams = {each: StreamLSL(BUFFER_S, name=which) for each, which in names.items()}
    for stream in streams.values():
        stream.connect(acquisition_delay=None, timeout=OPENING_S)
    (marker_info,) = resolve_streams(OPENING_S, f"{name}-events")
    markers = StreamInlet(marker_info)
    markers.open_stream(OPENING_S)
    deadline = time.monotonic() + READING_S
    texts: list[str] = []
    times: list[float] = []
    while any(stream.n_new_samples < int(count) for stream in streams.values()) and time.monotonic() < deadline:
        for stream in streams.values():
            stream.acquire()
        some, stamps = markers.pull_chunk(timeout=0.05)
        texts += [text for (text,) in some]
        times += list(stamps)
    found: dict[str, Any] = {"marker_texts": np.array(texts, np.str_), "marker_stamps": np.array(times)}
    for each, stream in streams.items():
        new = stream.n_new_samples
        data, stamps = stream.get_data()
        found |= {
            f"{each}_names": np.array(stream.ch_names),
            f"{each}_types": np.array(stream.get_channel_types()),
            # FIFF's code of the unit, and the power of ten before it.
            f"{each}_units": np.array([[int(unit), int(power)] for unit, power in stream.get_channel_units()]),
            f"{each}_rate": np.array(stream.info["sfreq"]),
            f"{each}_samples": data[:, data.shape[1] - new :],
            f"{each}_stamps": stamps[len(stamps) - new :],
        }
        stream.disconnect()
    with Path(out).open("wb") as file:
        np.savez(file, **found)


if __name__ == "__main__":
    main()
