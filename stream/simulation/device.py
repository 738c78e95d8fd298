"""What a simulated device is, and what is the matter with it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.leads import INDEX

COUNTER = "counter"
"""The label of the channel that counts."""
COUNTER_MODULUS = 1 << 20
"""Where the counter begins anew (35 minutes at 500 Hz): a number in uV then survives being made float32 millivolts."""
COUNT_UV = 0.806
"""A count of a device that names no unit."""
RAIL_MV = 20.0
"""Where the amplifier ends: what a lead that is off stands at."""


class Unit(StrEnum):
    """What a value counts."""

    V = "V"
    MV = "mV"
    UV = "uV"
    NONE = "none"
    """Raw counts of `COUNT_UV`; the stream names no unit."""

    @property
    def per_mv(self) -> float:
        """How many of it are a millivolt."""
        return {Unit.V: 1e-3, Unit.MV: 1.0, Unit.UV: 1e3, Unit.NONE: 1e3 / COUNT_UV}[self]


class Format(StrEnum):
    """How LSL carries a value."""

    FLOAT32 = "float32"
    DOUBLE64 = "double64"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    STRING = "string"
    """Each value written out."""

    @property
    def dtype(self) -> np.dtype:
        """In which it is computed; what is written out is computed in float32."""
        names = {Format.DOUBLE64: "float64", Format.STRING: "float32"}
        return np.dtype(names.get(self, self.value))

    @property
    def limits(self) -> tuple[int, int] | None:
        """The least and the greatest whole number it holds; None where it holds fractions."""
        if self.dtype.kind != "i":
            return None
        limits = np.iinfo(self.dtype)
        return int(limits.min), int(limits.max)


class Stamping(StrEnum):
    """What the stamps of the samples are."""

    OWN = "own"
    """Each sample has the time at which it was taken, by the device's clock."""
    BURST = "burst"
    """All samples of a packet have the time at which it was sent, by the device's clock."""
    NONE = "none"
    """The device gives none."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time of the device's own timeline.

    Attributes
    ----------
    at, length : float
        From the first sample on, s; and how long, s.
    """

    at: float
    length: float

    def samples(self, rate: float) -> tuple[int, int]:
        """The first sample within, and the first one after it; there is one within, however short it is."""
        first = round(self.at * rate)
        return first, max(first + 1, round((self.at + self.length) * rate))


@dataclass(frozen=True, slots=True)
class LeadOff:
    """An electrode that comes off for a while."""

    lead: str
    span: Span


@dataclass(frozen=True, slots=True)
class Device:
    """What a simulated device measures, and how it sends it.

    Attributes
    ----------
    name : str
        Of the device: its LSL stream, or its bed on the wire.
    leads : tuple of str
        What it measures, in the order of `engine.leads.LEADS`.
    rate : float
        Nominal samples per second.
    packet : int
        Samples that it sends at once.
    unit : Unit
        What its values count.
    format : Format
        How it carries them.
    counter : bool
        Whether one more channel, the last, holds the sample number, modulo `counter_modulus`.
    stamping : Stamping
        What its stamps are.
    noise_uv : float
        Root mean square of the white noise that it adds.
    lead_off : tuple of LeadOff
        When which lead stands at the rail.
    drift_ppm : float
        How much faster than this host's its clock runs, and with it its sampling.
    clock_resets : tuple of float
        When its clock begins anew, in s of its own timeline, ascending.
    speed : float
        Times real time, the clock included.
    """

    name: str
    leads: tuple[str, ...]
    rate: float = 500.0
    packet: int = 10
    unit: Unit = Unit.UV
    format: Format = Format.FLOAT32
    counter: bool = False
    stamping: Stamping = Stamping.OWN
    noise_uv: float = 0.0
    lead_off: tuple[LeadOff, ...] = ()
    drift_ppm: float = 0.0
    clock_resets: tuple[float, ...] = ()
    speed: float = 1.0

    def __post_init__(self) -> None:
        if list(self.leads) != sorted(self.leads, key=INDEX.__getitem__):
            raise ValueError(f"{self.leads} are not in the order of the leads")
        if unknown := [off.lead for off in self.lead_off if off.lead not in self.leads]:
            raise UsageError(f"--lead-off {unknown[0]}: this device sends {', '.join(self.leads)}; name one of these")
        if self.format.limits and self.unit in (Unit.V, Unit.MV):
            raise UsageError(
                f"--format {self.format} holds whole {self.unit} only; choose --unit uV or none, or float32"
            )

    @property
    def channels(self) -> tuple[str, ...]:
        """The labels of its channels."""
        return (*self.leads, COUNTER) if self.counter else self.leads

    @property
    def counter_modulus(self) -> int:
        """Where its counter begins anew: at `COUNTER_MODULUS`, or where its format ends."""
        limits = self.format.limits
        return min(COUNTER_MODULUS, limits[1] + 1) if limits else COUNTER_MODULUS

    @property
    def pace(self) -> float:
        """Seconds of its own timeline in a second of this host."""
        return self.speed * (1 + self.drift_ppm * 1e-6)

    def clock(self, time: NDArray[np.float64], epoch: float) -> NDArray[np.float64]:
        """What its clock shows at times of its own timeline.

        Parameters
        ----------
        time : ndarray of float64
            Seconds since its first sample.
        epoch : float
            What the clock showed then, s.

        Returns
        -------
        ndarray of float64, s
            After a reset it counts from 0, which the first sample follows: to LSL a stamp of 0 is none.
        """
        shown = epoch + time
        for reset in self.clock_resets:
            shown = np.where(time >= reset, time - reset + 1 / self.rate, shown)
        return shown


@dataclass(frozen=True, slots=True)
class Burst:
    """A disturbance that comes back: everything within it is lost.

    Attributes
    ----------
    length, every : float
        How long, and how often, s. The first begins when `every` has passed.
    """

    length: float
    every: float


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to the packets of a device on their way.

    Attributes
    ----------
    loss, duplicate, reorder : float
        Probability that a packet is lost, is sent twice, changes places with the next.
    burst : Burst or None
        When all are lost.
    unplugs : tuple of Span
        When the device is unplugged: nothing is sent, and then it is there as a new one of the same name. Ascending.
    jitter_s : float
        The longest time for which sending is delayed; the order stays.
    seed : int
        Of all that is random.
    """

    loss: float = 0.0
    burst: Burst | None = None
    unplugs: tuple[Span, ...] = ()
    duplicate: float = 0.0
    reorder: float = 0.0
    jitter_s: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for before, after in zip(self.unplugs, self.unplugs[1:], strict=False):
            if after.at <= before.at + before.length:
                raise UsageError(
                    f"--unplug: at {after.at:g} s it is still unplugged since {before.at:g} s; let one end first"
                )
