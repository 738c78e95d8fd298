"""What is wrong with a network or a device is said within three seconds: two namespaces, a cable, and a firewall."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.ecgstream.command import COMMAND

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="network namespaces need Linux and root"),
    pytest.mark.skipif(
        not (shutil.which("ip") and shutil.which("iptables")), reason="ip and iptables are not installed"
    ),
]

SAID_S = 3.0
PATIENCE_S = 40.0
SETTINGS = """[multicast]
AddressesOverride = {224.0.0.183}
TTLOverride = 1
[ports]
IPv6 = disable
[lab]
SessionID = network
[log]
level = -3
"""


@dataclass
class Process:
    """A command in a namespace, and when it said what."""

    process: subprocess.Popen[str]
    lines: list[tuple[float, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def said(self, text: str, after: float = 0.0) -> float:
        """When it first said something with this text in it; waits for it."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._found(text, after), PATIENCE_S), f"never '{text}': {self.lines}"
            return self._found(text, after)

    def _found(self, text: str, after: float) -> float:
        return next((when for when, line in self.lines if when > after and text in line), 0.0)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.changed:
                self.lines.append((time.monotonic(), line.strip()))
                self.changed.notify_all()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


class Network:
    """A device's machine and ours, and the cable between them."""

    def __init__(self, folder: Path) -> None:
        self.device, self.here = f"ecg-device-{os.getpid()}", f"ecg-here-{os.getpid()}"
        self._environment = {**os.environ, "LSLAPICFG": str(folder / "lsl_api.cfg")}
        (folder / "lsl_api.cfg").write_text(SETTINGS)
        self._started: list[Process] = []
        for name in (self.device, self.here):
            _type("ip", "netns", "add", name)
        _type("ip", "link", "add", "d0", "netns", self.device, "type", "veth", "peer", "name", "h0", "netns", self.here)
        for name, link, address in ((self.device, "d0", "10.77.0.1"), (self.here, "h0", "10.77.0.2")):
            self.type(name, "ip", "addr", "add", f"{address}/24", "dev", link)
            self.type(name, "ip", "link", "set", link, "up")
            self.type(name, "ip", "link", "set", "lo", "up")
            self.type(name, "ip", "route", "add", "default", "dev", link)

    def type(self, namespace: str, *words: str) -> None:
        _type("ip", "netns", "exec", namespace, *words)

    def drop(self, protocol: str) -> float:
        """From now on nothing of a protocol comes through; when that was."""
        for chain in ("INPUT", "OUTPUT"):
            link = ("-i" if chain == "INPUT" else "-o", "h0")
            self.type(self.here, "iptables", "-A", chain, *link, "-p", protocol, "-j", "DROP")
        return time.monotonic()

    def pass_all(self) -> float:
        self.type(self.here, "iptables", "-F")
        return time.monotonic()

    def start(self, namespace: str, *words: object) -> Process:
        command = ["ip", "netns", "exec", namespace, *COMMAND, *map(str, words)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self._environment
        )
        self._started.append(Process(process))
        return self._started[-1]

    def close(self) -> None:
        for each in self._started:
            each.end()
        for name in (self.device, self.here):
            _type("ip", "netns", "del", name)


def _type(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    if subprocess.run(["ip", "netns", "add", f"ecg-try-{os.getpid()}"], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces cannot be made here")
    _type("ip", "netns", "del", f"ecg-try-{os.getpid()}")
    network = Network(tmp_path)
    try:
        yield network
    finally:
        network.close()


def live(network: Network, *options: object) -> tuple[Process, Process]:
    """A device on the other machine, and an engine here that derives it."""
    device = network.start(network.device, "simulate", "--out", "lsl://patch", *options)
    device.said("sending")
    here = network.start(network.here, "serve", "lsl://patch")
    here.said("s: live")
    return device, here


def test_what_is_wrong_is_said_within_three_seconds(network: Network) -> None:
    _, here = live(network)
    here.said("found patch")
    time.sleep(6)  # the device's clock has been asked some times
    fell = network.drop("udp")
    assert here.said("is UDP blocked?", fell) - fell < SAID_S
    network.pass_all()
    fell = network.drop("tcp")
    assert here.said("sends nothing", fell) - fell < SAID_S
    assert here.said("stale", fell) - fell < SAID_S
    up = network.pass_all()
    here.said("s: live", up)
    fell = network.drop("all")
    assert here.said("stale", fell) - fell < SAID_S
    here.said("no longer announced", fell)  # some seconds later: an answer may only have been lost
    up = network.pass_all()
    here.said("s: live", up)


def test_a_clock_that_jumps_is_said_within_three_seconds(network: Network) -> None:
    _, here = live(network, "--wait", "--clock-reset", "4s")
    assert here.said("clock") - here.said("s: live") - 4 < SAID_S


def test_with_udp_blocked_from_the_start_it_says_what_to_look_at(network: Network) -> None:
    device = network.start(network.device, "simulate", "--out", "lsl://patch")
    device.said("sending")
    network.drop("udp")
    began = time.monotonic()
    here = network.start(network.here, "serve", "lsl://patch")
    assert here.said("UDP port 16571") - began < 2 * SAID_S  # Python takes its time to start
    up = network.pass_all()
    here.said("s: live", up)
