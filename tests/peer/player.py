"""Plays a record as an LSL device that is not ours: mne-lsl's player, in V, in double precision.

    .venv-peer/bin/python player.py STREAM FILE

FILE (npz): `leads` (names), `samples` (leads, n) in mV, `rate`. Prints ``ready`` when it plays, and ends when its
standard input does.
"""

import sys

import mne
import numpy as np
from mne_lsl.player import PlayerLSL

CHUNK = 10


def main() -> None:
    """Play until nobody wants it any more."""
    stream, path = sys.argv[1:]
    with np.load(path) as record:
        names = [str(name) for name in record["leads"]]
        volts = record["samples"].astype(np.float64) * 1e-3
        info = mne.create_info(names, float(record["rate"]), "ecg")
    player = PlayerLSL(mne.io.RawArray(volts, info, verbose="error"), chunk_size=CHUNK, name=stream, source_id=stream)
    player.start()
    print("ready", flush=True)
    sys.stdin.read()
    player.stop()


if __name__ == "__main__":
    main()
