"""What works on this machine, what does not, and what to type to mend it."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ecgstream.libraries import apt_line, missing_packages
from engine.errors import ModelError

PROBE_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool
        False if something needed does not work; an optional thing that is missing is no failure.
    detail : str
        What was found.
    remedy : str
        What to type; empty where there is nothing to mend or to add.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A line of Python that prints what it found, or fails.

    It runs in a process of its own: a native library that aborts, as Qt does without a screen, takes only that along.
    """

    name: str
    code: str
    remedy: str
    optional: bool = False


LSL_IS_BUNDLED = sys.platform in ("win32", "darwin") or (sys.platform == "linux" and platform.machine() == "x86_64")
"""Whether pylsl brings its library along on this machine."""
LSL_LIBRARY = (
    "install liblsl (conda install -c conda-forge liblsl, or a package from github.com/sccn/liblsl/releases), "
    "then: export PYLSL_LIB=/path/to/liblsl.so"
)

PROBES = (
    Probe("numpy", "import numpy; print(numpy.__version__)", "pip install --force-reinstall numpy"),
    Probe("scipy", "import scipy.signal; print(scipy.__version__)", "pip install --force-reinstall scipy"),
    Probe("wfdb", "import wfdb; print(wfdb.__version__)", "pip install --force-reinstall wfdb"),
    Probe(
        "LSL",
        "import pylsl; print('liblsl {}.{}'.format(*divmod(pylsl.library_version(), 100)))",
        "pip install --force-reinstall pylsl" if LSL_IS_BUNDLED else LSL_LIBRARY,
    ),
    Probe(
        "ZeroMQ",
        "import zmq; print('libzmq', zmq.zmq_version(), 'with CURVE' if zmq.has('curve') else 'without CURVE')",
        "pip install --force-reinstall pyzmq",
    ),
    Probe(
        "backend onnx",
        "import onnxruntime as ort; print('ONNX Runtime', ort.__version__, *ort.get_available_providers())",
        "pip install --force-reinstall onnxruntime",
    ),
    Probe(
        "backend torch",
        "import torch; print('torch', torch.__version__, 'with CUDA' if torch.cuda.is_available() else 'on the CPU')",
        "pip install '.[train]'  (in the checkout; only to train, evaluate and export)",
        optional=True,
    ),
)

QT_CODE = (
    "from PyQt6.QtCore import QT_VERSION_STR; from PyQt6.QtGui import QGuiApplication; "
    "application = QGuiApplication([]); print('Qt', QT_VERSION_STR, 'on', application.platformName())"
)


def examine() -> list[Finding]:
    """Look at everything the program runs on."""
    # Two at a time: each probe mostly waits for its own imports.
    with ThreadPoolExecutor(max_workers=2) as pool:
        probed = list(pool.map(probe, PROBES))
    return [examine_python(), examine_package(), *probed, examine_qt(), examine_display(), examine_model()]


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if everything needed works, else 1."""
    return 0 if all(finding.ok for finding in findings) else 1


def show(findings: Iterable[Finding], console: Console | None = None) -> None:
    """Print the findings as a table, each with what to type."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "to mend or to add it, type"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        mark = "[red]✗[/]" if not finding.ok else "[yellow]–[/]" if finding.remedy else "[green]✓[/]"
        table.add_row(mark, finding.name, escape(finding.detail), escape(finding.remedy))
    (console or Console()).print(table)


def examine_python() -> Finding:
    """Whether this Python is one the package is tested with."""
    found = "{}.{}.{}".format(*sys.version_info)
    ok = (3, 11) <= sys.version_info < (3, 14)
    return Finding("Python", ok, found, "" if ok else "install Python 3.11, 3.12 or 3.13, then: make clean run")


def examine_package() -> Finding:
    """Whether the package itself is installed, and which version."""
    try:
        return Finding("ecgstream", True, version("ecgstream"))
    except PackageNotFoundError:
        return Finding("ecgstream", False, "not installed", "pip install --editable .  (in the checkout)")


def probe(what: Probe) -> Finding:
    """Run one probe; a missing optional thing is found, not failed."""
    works, said = _ask(what.code)
    if works:
        return Finding(what.name, True, said)
    return Finding(what.name, what.optional, f"{'not usable' if what.optional else 'broken'}: {said}", what.remedy)


def examine_qt() -> Finding:
    """Whether Qt can start: on the display, or offscreen where there is none."""
    environment = dict(os.environ)
    if not _display():
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    works, said = _ask(QT_CODE, environment)
    packages = missing_packages()
    if packages:
        return Finding("Qt", works, f"{said}; system packages are missing", apt_line(packages))
    return Finding(
        "Qt", works, said, "" if works else "unset QT_QPA_PLATFORM, or set DISPLAY to a display that is there"
    )


def examine_display() -> Finding:
    """Where a window would open; having none is no failure."""
    display = _display()
    if display:
        return Finding("display", True, display)
    return Finding(
        "display", True, "none: no window can open", "ecgstream replay --headless, or QT_QPA_PLATFORM=offscreen"
    )


def examine_model() -> Finding:
    """Whether the shipped model is there and is what its manifest says."""
    try:
        from engine.model import load_manifest  # late: a broken install must still get its table

        manifest, path = load_manifest()
    except (ModelError, ImportError) as error:
        return Finding("model", False, str(error), "git checkout -- engine/models  (in the checkout), or install anew")
    hashes = ", ".join(f"{kind} sha256 {file.sha256[:12]}" for kind, file in manifest.files.items())
    return Finding("model", True, f"{manifest.name} as {path.name} says: {hashes}")


def _display() -> str:
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""


def _ask(code: str, environment: dict[str, str] | None = None) -> tuple[bool, str]:
    """Whether the code ran to its end, and the line that says what it found or why it failed."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {PROBE_TIMEOUT_S} s"
    if done.returncode == 0:
        return True, done.stdout.strip()
    lines = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
    # Python's reason stands last, under its traceback; Qt's stands first, above its advice.
    return False, lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]
