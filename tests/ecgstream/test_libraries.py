"""The system libraries Qt needs: what is missing is named once, by its package."""

import subprocess
import sys
from pathlib import Path

import pytest
from PyQt6 import QtCore

from ecgstream import libraries


def test_what_qt_is_linked_to_is_all_in_the_table() -> None:
    qt = Path(QtCore.__file__).parent / "Qt6"
    binaries = [qt / f"lib/libQt6{part}.so.6" for part in ("Gui", "Widgets", "Svg", "OpenGLWidgets", "XcbQpa")]
    linked: set[str] = set()
    for binary in [*binaries, qt / "plugins/platforms/libqxcb.so"]:
        said = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
        linked |= {line.split()[0] for line in said.splitlines() if "=> /" in line and str(qt) not in line}
    ours = {name for name in linked if name.startswith(("libxcb", "libxkb", "libEGL", "libGL.", "libdbus", "libX11"))}
    assert "libxcb-cursor.so.0" in ours
    assert ours <= set(libraries.PACKAGES)


def test_a_library_that_cannot_be_loaded_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.PACKAGES, "libnosuchthing.so.9", "libnosuchthing9")
    monkeypatch.setitem(libraries.PACKAGES, "libc.so.6", "libc6")
    assert libraries.missing_packages() == ["libnosuchthing9"]


def test_a_machine_without_fonts_is_given_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(libraries, "FONT_FOLDERS", (str(tmp_path),))
    assert libraries.missing_packages() == [libraries.FONT_PACKAGE]


def test_it_runs_alone_as_the_set_up_runs_it() -> None:
    done = subprocess.run([sys.executable, "-I", libraries.__file__], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_line_to_type() -> None:
    assert libraries.apt_line(["libegl1", "xvfb"]) == "sudo apt-get install libegl1 xvfb"
