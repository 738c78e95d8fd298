"""WFDB records for tests, written by wfdb itself."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wfdb


def write_record(
    path: Path,
    signals: np.ndarray,
    names: Sequence[str],
    *,
    rate: float = 500,
    units: str = "mV",
    gain: float = 1000,
    fmt: str = "16",
    comments: Sequence[str] = (),
) -> Path:
    """A record of these signals, (samples, signals) in the units given; its path without suffix."""
    n = len(names)
    wfdb.wrsamp(
        path.name,
        fs=rate,
        units=[units] * n,
        sig_name=list(names),
        p_signal=np.asarray(signals, np.float64),
        fmt=[fmt] * n,
        adc_gain=[gain] * n,
        baseline=[0] * n,
        comments=list(comments),
        write_dir=str(path.parent),
    )
    return path
