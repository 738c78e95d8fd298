"""A simulated device in a process of its own, as a user starts it."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.simulation import journal
from stream.simulation.journal import Sent
from tests.ecgstream.command import COMMAND

LONGEST_S = 30.0
"""Until what is waited for must have happened, on a machine that is busy."""


class Simulated:
    """A device that runs.

    Attributes
    ----------
    process : Popen
        Its process.
    journal_path : Path
        Where it writes what it sends.
    """

    def __init__(self, process: subprocess.Popen[str], journal_path: Path) -> None:
        self.process = process
        self.journal_path = journal_path
        self._lines: list[str] = []
        self._ended = False
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="what a device says")
        self._reader.start()

    def wait_for(self, text: str) -> str:
        """The first line that it has said or will say with this text in it; fails if none comes."""
        with self._heard:
            self._heard.wait_for(lambda: self._ended or self._found(text), LONGEST_S)
            found = self._found(text)
        assert found, f"the device never said '{text}', but: {self.said}"
        return found

    @property
    def said(self) -> str:
        """All that it has said on the standard error."""
        return "".join(self._lines)

    def journal(self) -> Sent:
        """What it has sent so far."""
        return journal.read(self.journal_path)

    def end(self) -> int:
        """Ask it to end, unless it has, and wait; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for its own end; its exit code."""
        try:
            return self.process.wait(LONGEST_S)
        finally:
            self._join()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.kill()
        self.process.wait()
        self._join()

    def _join(self) -> None:
        self._reader.join()

    def _found(self, text: str) -> str:
        return next((line for line in self._lines if text in line), "")

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._heard:
                    self._lines.append(line)
                    self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()


@contextmanager
def simulated(out: str, *options: object, journal: Path) -> Iterator[Simulated]:
    """A device that is announced: ``ecgstream simulate --out OUT OPTIONS``; killed at the end.

    The process has this one's environment: with the fixture `lsl` it stays on this machine.

    Parameters
    ----------
    out : str
        Where it sends to.
    *options
        More words of the command line.
    journal : Path
        Where it writes what it sends.
    """
    words = ["simulate", "--out", out, "--journal", str(journal), *map(str, options)]
    process = subprocess.Popen(
        [*COMMAND, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    device = Simulated(process, journal)
    try:
        device.wait_for("ecgstream: sending")
        yield device
    finally:
        device.kill()
