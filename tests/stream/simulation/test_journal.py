"""The journal of what was sent: whole at every moment, and read again number for number."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SinkError, SourceError
from stream.simulation import journal
from stream.simulation.device import Device, Faults, Format, Stamping
from stream.simulation.faults import Delivery, Fate, deliveries
from stream.simulation.journal import Journal, header_of
from stream.simulation.packets import packets
from stream.simulation.signal import Signal
from tests.stream.simulation.signals import Tones

DEVICE = Device("device", ("I", "II", "V4"), packet=10, format=Format.INT16, counter=True)


def write(path: Path, device: Device = DEVICE, *, with_samples: bool = True, n_samples: int = 995) -> list[Delivery]:
    made = packets(Signal(Tones(), device.leads, 500), device, n_samples=n_samples)
    found = list(deliveries(made, device, Faults(loss=0.2, duplicate=0.2, reorder=0.2), epoch=7.0))
    writing = Journal(path)
    header = header_of(
        device, to="lsl://device", record="tones", seed=0, has_samples=with_samples, began=100, unix=1e9, epoch=7.0
    )
    try:
        writing.begin(header)
        for each in found:
            writing.write(each, None if each.is_gone else 100 + each.due + 0.001)
    finally:
        writing.close()
    return found


@pytest.mark.parametrize("with_samples", [True, False])
@pytest.mark.parametrize("format", [Format.INT16, Format.FLOAT32, Format.DOUBLE64, Format.STRING])
def test_what_was_written_is_read(tmp_path: Path, format: Format, with_samples: bool) -> None:
    device = Device("device", DEVICE.leads, packet=10, format=format, counter=True)
    found = write(tmp_path / "a.sent", device, with_samples=with_samples)
    sent = journal.read(tmp_path / "a.sent")
    assert (sent.header.rate, sent.header.channels, sent.header.packet) == (500, (*DEVICE.leads, "counter"), 10)
    assert (sent.header.began, sent.header.epoch, sent.header.counter_modulus) == (100, 7, device.counter_modulus)
    assert sent.entries["number"].tolist() == [each.packet.number for each in found]
    assert sent.entries["fate"].tolist() == [int(each.fate) for each in found]
    assert sent.entries["due"].tolist() == [100 + each.due for each in found]
    assert np.array_equal(np.isnan(sent.entries["sent"]), [each.is_gone for each in found])
    went = [each for each in found if not each.is_gone]
    expected = np.concatenate([np.arange(each.packet.index, each.packet.end) for each in went])
    assert np.array_equal(journal.numbers(sent.that_went()), expected)
    assert journal.stamps(sent.that_went()) == pytest.approx(7 + expected / 500)
    assert len(sent.that_were(Fate.DUPLICATE | Fate.LOST)) == sum(
        bool(each.fate & (Fate.DUPLICATE | Fate.LOST)) for each in found
    )
    if with_samples:
        values = journal.values(sent.that_went())
        assert values.dtype == format.dtype
        assert np.array_equal(values, np.concatenate([each.packet.values for each in went]))
        assert np.array_equal(values[:, 3], expected)


def test_without_stamps_there_are_none(tmp_path: Path) -> None:
    write(tmp_path / "a.sent", Device("device", DEVICE.leads, stamping=Stamping.NONE))
    assert np.isnan(journal.read(tmp_path / "a.sent").entries["stamps"]).all()


def test_every_moment_of_it_can_be_read(tmp_path: Path) -> None:
    write(tmp_path / "a.sent")
    data, whole = (tmp_path / "a.sent").read_bytes(), journal.read(tmp_path / "a.sent")
    top, size = data.index(b"\n") + 1, whole.header.entry.itemsize
    for length in (top, top + 1, top + size - 1, top + size, top + 5 * size + 3):
        (tmp_path / "cut.sent").write_bytes(data[:length])
        cut = journal.read(tmp_path / "cut.sent")
        count = (length - top) // size
        assert cut.entries["number"].tolist() == whole.entries["number"][:count].tolist()


@pytest.mark.parametrize("data", [b"", b"{", b"{}\n", b"\x00" * 100, b'{"layout": 2}\n'])
def test_what_is_no_journal_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.sent").write_bytes(data)
    with pytest.raises(SourceError, match="is no journal of ecgstream simulate"):
        journal.read(tmp_path / "a.sent")
    with pytest.raises(SourceError, match="is no journal"):
        journal.read(tmp_path / "none.sent")


def test_a_disk_without_room_is_said(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("a file where a folder should be")
    with pytest.raises(SinkError, match=r"cannot write .*a\.sent: .*; name another file"):
        write(tmp_path / "none" / "a.sent")
    full = Path("/dev/full")
    if full.exists():
        with pytest.raises(SinkError, match="cannot write /dev/full: No space left on device"):
            write(full)


@given(
    steps=st.lists(st.integers(-60, 63), max_size=60),
    first=st.integers(0, 10**9),
    modulus=st.sampled_from([2**7, 2**20]),
)
def test_a_counter_that_began_anew_is_unwrapped(steps: list[int], first: int, modulus: int) -> None:
    numbers = first + np.cumsum([0, *steps])
    shown = (numbers % modulus).astype(np.float32)
    assert np.array_equal(journal.unwrapped(shown, modulus, first), numbers)
