"""A simulated device on LSL: an outlet with a full description."""

from typing import TYPE_CHECKING, Any

from engine.errors import SinkError
from stream import liblsl
from stream.simulation.device import COUNTER, Device, Format, Unit
from stream.simulation.faults import Delivery

if TYPE_CHECKING:
    import pylsl

TYPE = "ECG"
MANUFACTURER = "ecgstream"
MODEL = "simulated device"


class Outlet:
    """See `Sender`: each time it is opened it is another outlet, of the same name and source id.

    Parameters
    ----------
    device : Device
        What is sent.
    synthetic : bool
        Whether nobody was recorded.

    Raises
    ------
    UsageError
        If there is no LSL on this machine.
    """

    def __init__(self, device: Device, *, synthetic: bool) -> None:
        self._lsl = liblsl.load()
        self._device = device
        self._synthetic = synthetic
        self._outlet: pylsl.StreamOutlet | None = None

    def open(self) -> None:
        """See `Sender.open`."""
        try:
            self._outlet = self._lsl.StreamOutlet(self._info())
        except RuntimeError as error:
            raise SinkError(f"cannot make the LSL stream {self._device.name}: {error}; look at the network") from error

    def close(self) -> None:
        """See `Sender.close`; LSL has sent what it could."""
        self._outlet = None

    def clock(self) -> float:
        """See `Sender.clock`."""
        return float(self._lsl.local_clock())

    def is_heard(self) -> bool:
        """See `Sender.is_heard`."""
        return self._outlet is not None and bool(self._outlet.have_consumers())

    def has_room(self) -> bool:
        """See `Sender.has_room`: LSL takes everything."""
        return True

    def send(self, delivery: Delivery) -> None:
        """See `Sender.send`."""
        if self._outlet is None:
            raise RuntimeError("the outlet is not open")
        values: Any = delivery.packet.values
        if self._device.format is Format.STRING:
            values = [[f"{value:.9g}" for value in sample] for sample in values.tolist()]
        if delivery.stamps is None:
            self._outlet.push_chunk(values)
        else:
            self._outlet.push_chunk(values, delivery.stamps.tolist())

    def _info(self) -> "pylsl.StreamInfo":
        device = self._device
        info = self._lsl.StreamInfo(
            device.name,
            TYPE,
            len(device.channels),
            device.rate,
            device.format.value,
            f"{MANUFACTURER}-{device.name}",
        )
        description = info.desc()
        channels = description.append_child("channels")
        for label in device.channels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            if device.unit is not Unit.NONE and label != COUNTER:
                channel.append_child_value("unit", device.unit.value)
            channel.append_child_value("type", TYPE if label != COUNTER else "counter")
        acquisition = description.append_child("acquisition")
        acquisition.append_child_value("manufacturer", MANUFACTURER)
        acquisition.append_child_value("model", MODEL)
        description.append_child_value("simulated", "true")
        description.append_child_value("synthetic", "true" if self._synthetic else "false")
        return info
