"""What every test gets: a screen of its own, the real recordings, and a watch on threads left behind."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ecgstream.libraries import apt_line

ROOT = Path(__file__).resolve().parent.parent
THREAD_GRACE_S = 2.0

# Before numpy or torch is imported by any test: tests share the machine.
os.environ.setdefault("OMP_NUM_THREADS", "2")

settings.register_profile(
    "ecgstream",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ecgstream")


LSL_ALONE = """[multicast]
AddressesOverride = {{224.0.0.183}}
Interfaces = {{127.0.0.1}}
TTLOverride = 0
[ports]
IPv6 = disable
[lab]
SessionID = {session}
[log]
level = -3
"""
"""LSL on loopback by multicast: by unicast, as ResolveScope = machine has it, each query reaches only one process."""


def pytest_configure(config: pytest.Config) -> None:
    """Give the session an LSL of its own, which liblsl reads once a process, and a screen."""
    folder = tempfile.TemporaryDirectory(prefix="lsl-")
    config.add_cleanup(folder.cleanup)
    settings_of_lsl = Path(folder.name) / "lsl_api.cfg"
    settings_of_lsl.write_text(LSL_ALONE.format(session=uuid.uuid4().hex))
    os.environ["LSLAPICFG"] = str(settings_of_lsl)
    give_screen(config)


def give_screen(config: pytest.Config) -> None:
    """The user's screen, or an Xvfb of its own; a real one, never Qt's offscreen."""
    os.environ.pop("QT_QPA_PLATFORM", None)
    if "DISPLAY" not in os.environ:
        os.environ.pop("WAYLAND_DISPLAY", None)
        server, display = start_xvfb()
        config.add_cleanup(lambda: stop(server))
        os.environ["DISPLAY"] = display


def start_xvfb() -> tuple[subprocess.Popen[bytes], str]:
    """An X server on a display number that it found free itself."""
    if shutil.which("Xvfb") is None:
        raise pytest.UsageError(f"no DISPLAY and no Xvfb to make one; type: {apt_line(['xvfb'])}")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x900x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()  # empty if the server ended without one
    if not number:
        raise pytest.UsageError(f"Xvfb ended with code {server.wait()}; run Xvfb -displayfd 1 to see why")
    return server, f":{number}"


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and wait for it."""
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="session")
def lsl() -> dict[str, str]:
    """The environment of a process that shall meet the LSL streams of these tests, and no others."""
    return dict(os.environ)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings."""
    folder = Path(os.environ.get("ECGSTREAM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no recordings at {folder}; set ECGSTREAM_DATA to their folder"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends the threads it started."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + THREAD_GRACE_S
    while left := [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left running: {', '.join(thread.name for thread in left)}")
        time.sleep(0.01)
