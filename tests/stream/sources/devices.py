"""LSL devices and inlets for tests: a device in a process of its own, an inlet in a thread, waits for what happens."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.leads import INDEX
from stream.address import LslAddress
from stream.channels import parse_map
from stream.items import Arrival, Notice
from stream.sources.announced import ANNOUNCED, Search
from stream.sources.lsl import Inlet, find

SCRIPT = Path(__file__).with_name("lsl_device.py")
LONGEST_S = 20.0

Spec = dict[str, Any]


def patch(name: str = "Patch", **words: Any) -> Spec:
    """The description of a device that can be used as it is."""
    return {"name": name, "channels": [{"label": lead, "unit": "uV"} for lead in ("I", "II", "V4")], **words}


class Device:
    """Devices in one process: they are announced when this has been made.

    Attributes
    ----------
    up : float
        When they were, s of the monotonic clock.
    uids : list of str
        Theirs.
    """

    def __init__(self, env: dict[str, str], *specs: Spec) -> None:
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, json.dumps(specs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        assert self.process.stdout is not None
        _, up, *self.uids = self.process.stdout.readline().split()
        self.up = float(up)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def say(self, word: str) -> None:
        """``pause`` or ``go``."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def freeze(self) -> None:
        """It does nothing more, as a host that has lost its power, but its connections stay."""
        self.process.send_signal(signal.SIGSTOP)
        threads = [psutil.Process(thread.id) for thread in psutil.Process(self.process.pid).threads()]
        while any(thread.status() != psutil.STATUS_STOPPED for thread in threads):
            time.sleep(0.001)

    def thaw(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """It is gone."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def hurried(**seconds: float) -> Iterator[None]:
    """Times of `stream.sources.lsl` that are shorter meanwhile."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in seconds.items():
            patched.setattr(f"stream.sources.lsl.{name}", value)
        yield


def found(address: LslAddress, *maps: str, wanted: tuple[str, ...] | None = None) -> Inlet:
    """The inlet that is found; nobody waits long for a second one, as on this machine all answer at once."""
    with hurried(FOUND_S=0.1):
        inlet = find(address, parse_map(maps), wanted, threading.Event(), lambda text: None)
    assert inlet is not None
    return inlet


def refusal(address: LslAddress, found_s: float = 0.1) -> str:
    """Why there is no inlet."""
    with hurried(FOUND_S=found_s), pytest.raises(SourceError) as caught:
        find(address, (), None, threading.Event(), lambda text: None)
    return str(caught.value)


def infos(*names: str) -> dict[str, Any]:
    """Streams of these names, to connect to, once all are announced."""
    search, until = Search(), time.monotonic() + LONGEST_S
    with ANNOUNCED.looking():
        while True:
            search.look()
            by_name = {info.name(): info for info in search.infos.values()}
            if by_name.keys() >= set(names):
                return by_name
            assert time.monotonic() < until, f"only {list(by_name)} of {names} were announced"
            time.sleep(0.02)


class Taking:
    """What an inlet gives, taken in a thread as `Intake` does."""

    def __init__(self, inlet: Inlet) -> None:
        self.inlet = inlet
        self.items: list[Arrival | Notice] = []
        self.error: Exception | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> float:
        """Stop; how long that took, s."""
        began = time.monotonic()
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error
        return time.monotonic() - began

    def _take(self) -> None:
        try:
            for item in self.inlet.arrivals(self._stop):
                with self._changed:
                    self.items.append(item)
                    self._changed.notify_all()
        except Exception as error:
            self.error = error

    @property
    def arrivals(self) -> list[Arrival]:
        """The samples that came."""
        return [item for item in self.items if isinstance(item, Arrival)]

    @property
    def notices(self) -> list[str]:
        """What was said."""
        return [item.text for item in self.items if isinstance(item, Notice)]

    def wait(self, until: Callable[[], object], seconds: float = LONGEST_S) -> None:
        """Wait until something is so; it is looked at whenever something has come."""
        with self._changed:
            assert self._changed.wait_for(until, seconds), f"not so after {seconds} s; notices: {self.notices}"

    def wait_for_samples(self, after: float = 0.0, count: int = 1) -> Arrival:
        """The first arrival received after a time; once so many samples have come since then."""
        self.wait(lambda: sum(each.samples.shape[1] for each in self.arrivals if each.received > after) >= count)
        return next(each for each in self.arrivals if each.received > after)

    def wait_for_notice(self, words: str) -> None:
        """Wait until something with these words was the last that was said."""
        self.wait(lambda: self.notices and words in self.notices[-1])

    def numbers(self, lead: str = "II", session: int | None = None, scale: float = 1e-3) -> NDArray[np.float64]:
        """The number of each sample, as the device counted."""
        parts = [each.samples[INDEX[lead]] for each in self.arrivals if session in (None, each.session)]
        return np.rint(np.concatenate(parts).astype(np.float64) / scale)
