"""The doctor: it survives what it examines, and says what to type."""

import subprocess
import sys

import pytest
from rich.console import Console

from ecgstream import doctor, libraries
from ecgstream.doctor import Finding, Probe


def test_everything_needed_works_where_the_tests_run() -> None:
    findings = doctor.examine()
    assert [finding for finding in findings if not finding.ok] == []
    assert doctor.exit_code(findings) == 0
    names = {finding.name for finding in findings}
    assert {"Python", "numpy", "LSL", "ZeroMQ", "backend onnx", "Qt", "display", "model"} <= names


def test_a_qt_that_aborts_is_a_finding_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "nonsense")
    finding = doctor.examine_qt()
    assert not finding.ok
    assert "nonsense" in finding.detail
    assert "QT_QPA_PLATFORM" in finding.remedy


def test_a_display_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":9999")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    finding = doctor.examine_qt()
    assert not finding.ok
    assert ":9999" in finding.detail


def test_without_a_display_qt_works_offscreen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    finding = doctor.examine_qt()
    assert finding.ok
    assert finding.detail.endswith("on offscreen")
    assert doctor.examine_display().ok
    assert "--headless" in doctor.examine_display().remedy


def test_missing_system_libraries_come_with_the_apt_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.PACKAGES, "libnosuchthing.so.9", "libnosuchthing9")
    assert doctor.examine_qt().remedy == "sudo apt-get install libnosuchthing9"


@pytest.mark.parametrize("optional", [True, False])
def test_only_a_needed_thing_that_is_missing_is_a_failure(optional: bool) -> None:
    finding = doctor.probe(Probe("thing", "import no_such_module", "pip install thing", optional))
    assert finding.ok is optional
    assert "no_such_module" in finding.detail
    assert finding.remedy == "pip install thing"
    assert doctor.exit_code([Finding("Python", True, "3.11"), finding]) == (0 if optional else 1)


def test_where_pylsl_brings_no_library_it_says_which_to_install() -> None:
    """As on an ARM board, in a process that believes to run there."""
    code = (
        "import platform; platform.machine = lambda: 'aarch64'; import sys; sys.platform = 'linux'; "
        "from ecgstream import doctor; print(next(p.remedy for p in doctor.PROBES if p.name == 'LSL'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "liblsl" in said
    assert "export PYLSL_LIB=" in said


def test_a_probe_that_kills_its_process_is_a_finding() -> None:
    finding = doctor.probe(Probe("thing", "import os; os.abort()", "pip install thing"))
    assert not finding.ok
    assert "code -6" in finding.detail


def test_the_table_shows_every_finding_and_remedy() -> None:
    console = Console(width=160, record=True, quiet=False, file=None)
    with console.capture() as captured:
        doctor.show([Finding("model", False, "hash [x] differs", "fetch it"), Finding("LSL", True, "1.18")], console)
    page = captured.get()
    for words in ("✗", "model", "hash [x] differs", "fetch it", "✓", "LSL", "1.18"):
        assert words in page
