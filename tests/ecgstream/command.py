"""The command line as a user starts it: in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from engine.leads import LEADS

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "ecgstream"]
BUNDLED = ROOT / "ecgstream" / "records" / "synthetic"


def ecgstream(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    options = {"capture_output": True, "text": True, "timeout": 100, "stdin": subprocess.DEVNULL, **settings}
    return subprocess.run([*COMMAND, *map(str, arguments)], **options)  # type: ignore[call-overload, no-any-return]


def write_record(
    folder: Path,
    name: str,
    samples: np.ndarray,
    rate: float = 500,
    leads: tuple[str, ...] = LEADS,
    unit: str = "mV",
) -> Path:
    """A record in format 16 of (leads, n) mV, 1000 counts/mV, written by hand so that faults can be written too."""
    counts = np.where(np.isnan(samples), -32768, np.rint(np.nan_to_num(samples) * 1000)).astype("<i2")
    (folder / f"{name}.dat").write_bytes(np.ascontiguousarray(counts.T).tobytes())
    lines = [f"{name} {len(leads)} {rate:g} {samples.shape[1]}"]
    lines += [f"{name}.dat 16 1000(0)/{unit} 16 0 {counts[row, 0]} 0 0 {lead}" for row, lead in enumerate(leads)]
    (folder / f"{name}.hea").write_text("\n".join([*lines, ""]))
    return folder / name
