"""Beats and events as a WFDB annotation file that can be read at any moment.

The format is that of https://physionet.org/physiotools/wag/annot-5.htm: a 16-bit word for each annotation (its code,
and the samples since the last), with escapes for long intervals and for text, and a zero word at the end.
"""

import heapq
import os
import struct
from io import FileIO
from pathlib import Path

from engine.leads import RATE
from stream.items import Event, Kind

BEAT, NOTE = 1, 22
"""Codes of a normal beat and of a comment, in wfdb's letters ``N`` and ``"``."""
SKIP, AUX = 59, 63
LONGEST_INTERVAL = 1023
LONGEST_TEXT = 254
LAG = 5 * RATE
"""Beats are told up to 4 s after they were: what is younger waits, so that the file is in order."""
PASSING = (Kind.LATENCY, Kind.RATE_LOST, Kind.TIME)
"""What matters to a screen and not to a recording."""


class Annotations:
    """Writes events in order of index beside a record; there is no file before the first.

    Parameters
    ----------
    path : Path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._end = 0
        self._synced = 0
        self._time = 0
        self._waiting: list[tuple[int, int, Event]] = []
        self._taken = 0

    def add(self, event: Event) -> None:
        """Take an event."""
        is_over = event.kind is Kind.NOTICE and not event.text  # nothing is wrong any more
        if event.kind not in PASSING and not is_over:
            self._taken += 1
            heapq.heappush(self._waiting, (event.index, self._taken, event))

    def write(self, start: int, until: int) -> None:
        """Append the events before index `until`; the record begins at index `start`.

        Raises
        ------
        OSError
            If they cannot be written; they then wait for the next time.
        """
        ready = []
        while self._waiting and self._waiting[0][0] < until:
            ready.append(heapq.heappop(self._waiting))
        data, time = b"", self._time
        for index, _, event in ready:
            sample = max(event.kind is not Kind.BEAT, index - start)  # wfdb drops a comment at sample 0
            data += _annotation(event, max(0, sample - time))
            time = max(time, sample)
        if not data:
            return
        try:
            self._append(data)
        except OSError:
            for each in ready:
                heapq.heappush(self._waiting, each)
            raise
        self._time = time

    def sync(self) -> None:
        """Return when what is written is on the disk.

        Raises
        ------
        OSError
            If it cannot be brought there.
        """
        if self._file is not None and not self._file.closed and self._end > self._synced:
            os.fsync(self._file.fileno())
            self._synced = self._end

    def close(self, start: int) -> None:
        """Append all that waits.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        try:
            if self._waiting:
                self.write(start, max(self._waiting)[0] + 1)
            self.sync()
        finally:
            if self._file is not None:
                self._file.close()

    def _append(self, data: bytes) -> None:
        """Write all of it in the place of the zero word at the end, and a new one; or leave the file as it was."""
        if self._file is None:
            self._file = self._path.open("wb", buffering=0)
        self._file.seek(self._end)
        rest = data + b"\0\0"
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._mend()
            raise
        self._end += len(data)

    def _mend(self) -> None:
        """Put the end back where it was: its place on the disk is there already."""
        assert self._file is not None
        self._file.truncate(self._end + 2 if self._end else 0)
        if self._end:
            self._file.seek(self._end)
            self._file.write(b"\0\0")


def _annotation(event: Event, interval: int) -> bytes:
    """The words of one annotation, so many samples after the last."""
    code = BEAT if event.kind is Kind.BEAT else NOTE
    skip = b""
    if interval > LONGEST_INTERVAL:
        skip = struct.pack("<HHH", SKIP << 10, interval >> 16 & 0xFFFF, interval & 0xFFFF)
        interval = 0
    words = skip + struct.pack("<H", code << 10 | interval)
    if code == BEAT:
        return words
    figure = "" if event.value is None or event.text else f"{event.value:g}"
    about = " ".join(part for part in (event.lead, event.text, figure) if part)
    words_for_people = f"{event.kind}: {about}" if about else str(event.kind)
    printable = "".join(letter if letter.isprintable() else " " for letter in words_for_people)
    text = printable.encode("ascii", "replace")[:LONGEST_TEXT]
    return words + struct.pack("<H", AUX << 10 | len(text)) + text + b"\0" * (len(text) % 2)
