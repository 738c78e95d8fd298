"""Twelve leads back on the network: LSL streams of what has settled, stamped with when it was taken."""

import math
import socket
import statistics
import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import SinkError
from engine.leads import DISCLAIMER, LEADS, LIMB, RATE, Origin, label
from stream import LONGEST_WAIT_S, liblsl
from stream.items import Block, Event, Gap, Item, Kind

BUFFERED_S = 10
"""What LSL keeps for a receiver that does not take it."""
JUMP_S = 0.05
"""What is told of the time and lies so much later is believed at once; anything else is come up to within a second."""
SLOWEST = 0.9
"""Times the true pace: so slow do stamps go, and never back, where time was told too late before."""
TOLD = 16
"""So many tellings of the time, a second apart, say how fast samples come ..."""
FEWEST = 4
"""... once there are so many steps between them: at the start what is told is least sure."""
LARGEST_ERROR = 0.02
"""No device's rate is further off its own; what says so is a step of a clock."""
UNTOLD = (Kind.TIME, Kind.LATENCY)
"""What a receiver has no use for as a marker."""
ABSENT = (
    "NaN where nothing is known, and where a lead that is measured was off: no estimate stands under its name; "
    "what is a gap is not sent at all"
)


class Stamps:
    """When samples were taken, as a smooth line through what is told of it: it never goes back.

    Parameters
    ----------
    behind_s : float
        How long after it was taken a sample comes at least: so much earlier are samples stamped than they came, while
        nothing is told.
    """

    def __init__(self, behind_s: float = 0.0) -> None:
        self._behind_s = behind_s
        self._told: deque[tuple[int, float]] = deque(maxlen=TOLD)
        self._index = 0  # the line goes through this index at this time
        self._at = math.nan
        self._pace = 1 / RATE
        self._from = 0  # and what was stamped before this index lay off it by so much
        self._off = 0.0
        self._span = float(RATE)  # samples until it does no more
        self._next: int | None = None
        self._newest = -math.inf

    def tell(self, index: int, at: float) -> None:
        """The sample at `index` was taken at time `at`, s."""
        if not math.isfinite(at):
            return
        is_first = not self._told
        begin = index if self._next is None else self._next
        before = self.at(begin)
        self._told.append((index, at))
        self._pace = _pace(self._told)
        self._index, self._at = index, at
        self._from, self._off = begin, 0.0
        off = before - self._on_line(begin)
        if self._next is None or off < -JUMP_S:
            return  # nothing is stamped yet, or what is told lies far later
        if is_first and self._on_line(begin) > self._newest:
            return  # there was only a guess
        self._off = off
        self._span = max(RATE, off / (1 - SLOWEST) / self._pace)

    def of(self, start: int, length: int, now: float) -> NDArray[np.float64]:
        """The stamps of the next run of samples, s; it has come at `now`."""
        if math.isnan(self._at):
            self._index, self._at = start + length - 1, now - self._behind_s
        elif start != self._next and self._on_line(start) > self._newest:
            self._off = 0.0  # after a gap nobody sees a step
        stamps = self._of(np.arange(start, start + length))
        self._next, self._newest = start + length, float(stamps[-1])
        return stamps

    def at(self, index: int) -> float:
        """When one sample was taken, s; NaN while nothing is known of it."""
        return float(self._of(np.array([index]))[0])

    def _of(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        left = np.clip(1 - (indices - self._from) / self._span, 0, 1)
        return self._at + self._pace * (indices - self._index) + self._off * left

    def _on_line(self, index: int) -> float:
        return self._at + self._pace * (index - self._index)


def _pace(told: Sequence[tuple[int, float]]) -> float:
    """Seconds a sample: the median of what passed between two tellings, as clocks may step."""
    steps = [
        (at - at_before) / (index - before) for (before, at_before), (index, at) in pairwise(told) if index > before
    ]
    likely = [step for step in steps if abs(step * RATE - 1) <= LARGEST_ERROR]
    return statistics.median(likely) if len(likely) >= FEWEST else 1 / RATE


class Broadcast:
    """A sink that sends what has settled as three LSL streams, stamped in this host's LSL clock.

    ``NAME``: twelve channels in mV at 500 Hz in the order of `LEADS`; derived ones carry a ``d``, and where a lead that
    is measured was off its samples are NaN, so that what stands under its name was measured. ``NAME-half-widths``: the
    half-width of the 90 % interval around each of them, mV; 0 where it was measured or computed. ``NAME-events``: what
    happened, as text, a beat as ``beat``; a beat comes up to 4 s after events that were later.

    Times are what `Kind.TIME` says; before the first one, when blocks came. A gap is not sent: stamps go on after it.

    Parameters
    ----------
    name : str
        Of the streams.
    leads_in : tuple of str
        The leads that are measured.
    model : str
        What estimates.
    look_ahead_ms : float
        How many later ms an estimate waited for.
    source : str
        Where samples come from.
    synthetic : bool
        Whether the source is no patient.

    Raises
    ------
    SinkError
        If LSL cannot make the streams.
    UsageError
        If there is no LSL here.
    """

    def __init__(
        self, name: str, *, leads_in: tuple[str, ...], model: str, look_ahead_ms: float, source: str, synthetic: bool
    ) -> None:
        about = {
            "leads_in": ",".join(leads_in),
            "model": model,
            "look_ahead_ms": f"{look_ahead_ms:g}",
            "source": source,
            "synthetic": "true" if synthetic else "false",
            "absent": ABSENT,
            "disclaimer": DISCLAIMER,
        }
        origins = _origins(leads_in)
        labels = [label(lead, origin) for lead, origin in origins.items()]
        # The half-widths carry no lead's name: whoever looks for leads must not take them for some.
        widths = [f"{each} half-width" for each in labels]
        leads_info = _info(name, "ECG", labels, about, origins=list(origins.values()))
        widths_info = _info(f"{name}-half-widths", "HalfWidths", widths, about, origins=list(origins.values()))
        events_info = _info(f"{name}-events", "Markers", ["event"], about)
        try:
            outlets = [
                liblsl.load().StreamOutlet(info, max_buffered=BUFFERED_S)
                for info in (leads_info, widths_info, events_info)
            ]
        except RuntimeError as error:
            raise SinkError(f"cannot send to lsl://{name}: {error}") from error
        self._outlets: tuple[Any, ...] = tuple(outlets)
        self._local_clock = liblsl.load().local_clock
        self._is_measured = np.array([[lead in leads_in] for lead in LEADS])
        self._stamps = Stamps(look_ahead_ms / 1000)

    def push(self, item: Item) -> None:
        """Send the next item; a gap needs no sending."""
        if not self._outlets or isinstance(item, Gap):
            return
        leads, widths, events = self._outlets
        if isinstance(item, Block):
            stamps = self._stamps.of(item.start, item.end - item.start, self._local_clock())
            absent = (self._is_measured & (item.origin != Origin.MEASURED)) | ~np.isfinite(item.leads)
            leads.push_chunk(_columns(item.leads, absent), stamps)
            widths.push_chunk(_columns(item.interval, absent), stamps)
        elif item.kind is Kind.TIME and item.value is not None:
            self._stamps.tell(item.index, item.value + self._lsl_minus_unix())
        elif item.kind not in UNTOLD:
            at = self._stamps.at(item.index)
            events.push_sample([marker(item)], self._local_clock() if math.isnan(at) else at)

    def close(self) -> None:
        """Take the streams off the network, once whoever listens has had what was sent."""
        if any(outlet.have_consumers() for outlet in self._outlets):
            time.sleep(LONGEST_WAIT_S)  # LSL does not say when it has sent all, and drops what it has not
        self._outlets = ()

    def _lsl_minus_unix(self) -> float:
        """How far LSL's clock is from Unix time, s: by the closest of some looks, as each may be interrupted."""
        looks = []
        for _ in range(3):
            before, unix, after = self._local_clock(), time.time(), self._local_clock()
            looks.append((after - before, (before + after) / 2 - unix))
        return float(min(looks)[1])


def marker(event: Event) -> str:
    """An event as a line of text, as in ``lead off V4: stands still``; every beat is the same."""
    if event.kind is Kind.BEAT:
        return str(event.kind)
    text = event.text or ("nothing is wrong any more" if event.kind is Kind.NOTICE else "")
    head = f"{event.kind} {event.lead}".rstrip()
    return f"{head}: {text}" if text else head


def _origins(leads_in: tuple[str, ...]) -> dict[str, Origin]:
    """Where each lead comes from while none is off: of two limb leads the others follow."""
    limb_is_known = sum(lead in LIMB for lead in leads_in) >= 2
    return {
        lead: Origin.MEASURED
        if lead in leads_in
        else Origin.COMPUTED
        if lead in LIMB and limb_is_known
        else Origin.ESTIMATED
        for lead in LEADS
    }


def _info(name: str, kind: str, labels: list[str], about: dict[str, str], origins: list[Origin] | None = None) -> Any:
    """The description of a stream as receivers know it (https://github.com/sccn/xdf/wiki/Meta-Data): samples in mV, or
    where there are no origins, markers.
    """
    rate, form = (float(RATE), "float32") if origins else (0.0, "string")
    # The same after a restart, so that receivers take it up again; another one on another host.
    source_id = f"ecgstream:{socket.gethostname()}:{name}"
    info = liblsl.load().StreamInfo(name, kind, len(labels), rate, form, source_id)
    description = info.desc()
    description.append_child_value("manufacturer", "ecgstream")
    channels = description.append_child("channels")
    for row, text in enumerate(labels):
        channel = channels.append_child("channel")
        channel.append_child_value("label", text)
        if origins:
            channel.append_child_value("unit", "millivolts")
            channel.append_child_value("type", "ECG")  # half-widths too: for some receivers only an ECG has a unit
            channel.append_child_value("origin", origins[row].name.lower())
        else:
            channel.append_child_value("type", "Markers")
    own = description.append_child("ecgstream")
    for key, value in about.items():
        own.append_child_value(key, value)
    return info


def _columns(values: NDArray[np.float32], absent: NDArray[np.bool_]) -> NDArray[np.float32]:
    """As LSL takes them: a row a sample."""
    return np.ascontiguousarray(np.where(absent, np.float32(np.nan), values).T)
