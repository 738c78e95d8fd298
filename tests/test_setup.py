"""Setting up: what `make` and `tools/setup` do, as far as it shows without a bare machine."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with no Python and no apt."""
    for tool in ("bash", "env", "dirname", "id"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run in the checkout with nothing in the environment but what is given."""
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_without_python_it_says_what_to_type(bare_path: Path) -> None:
    done = run(["tools/setup", "run"], PATH=str(bare_path))
    assert done.returncode == 2
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_a_python_out_of_range_is_none(bare_path: Path) -> None:
    for name in ("python3", "python3.13"):
        old = bare_path / name
        old.write_text("#!/bin/bash\nexit 1\n")  # what the question for the version answers
        old.chmod(0o755)
    done = run(["tools/setup", "run"], PATH=str(bare_path))
    assert done.returncode == 2
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_an_unknown_purpose_is_refused(bare_path: Path) -> None:
    done = run(["tools/setup", "party"], PATH=str(bare_path))
    assert done.returncode == 2
    assert done.stderr == "setup: usage: tools/setup run|test\n"


def test_run_opens_a_window_where_there_is_a_display_and_paints_offscreen_where_there_is_none() -> None:
    path = "/usr/bin:/bin"
    window = run(["make", "-n", "run"], PATH=path, DISPLAY=":0").stdout.splitlines()[-1]
    wayland = run(["make", "-n", "run"], PATH=path, WAYLAND_DISPLAY="wayland-0").stdout.splitlines()[-1]
    offscreen = run(["make", "-n", "run"], PATH=path).stdout.splitlines()[-1]
    assert window == wayland == ".venv/bin/ecgstream replay"
    assert (
        offscreen
        == "QT_QPA_PLATFORM=offscreen .venv/bin/ecgstream replay --speed 8 --snapshot build/monitor.png --force"
    )


def test_help_is_the_default_and_names_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    listed = [line.split()[0] for line in run(["make"], PATH="/usr/bin:/bin").stdout.splitlines()]
    assert listed == targets


def test_torch_is_not_among_what_the_monitor_needs() -> None:
    needed = [line for line in requires("ecgstream") or [] if "extra ==" not in line]
    assert any(line.startswith("onnxruntime") for line in needed)
    assert not any(line.startswith("torch") for line in needed)


def test_the_command_line_starts_without_torch_and_without_qt() -> None:
    code = "import sys, ecgstream.commands.main; print(*{'torch', 'PyQt6', 'wfdb'} & set(sys.modules))"
    done = run([sys.executable, "-c", code], PATH="/usr/bin:/bin")
    assert (done.stdout.strip(), done.stderr) == ("", "")
