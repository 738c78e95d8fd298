"""A small text file that is whole at any moment: replaced, or where only figures in it are others, changed in place."""

import os
from itertools import accumulate
from pathlib import Path

from engine.files import replacing

PAGE = 4096
"""Bytes that a system writes at once or not at all."""


class HeaderFile:
    """Writes a file again and again.

    Where its lines keep their lengths, those that are others are overwritten in place, the last one first: so a first
    line never counts what the others do not name yet. A write within one page is never seen half done, not even after
    the process was killed. Anything else is written beside it, brought onto the disk and renamed, so that after a power
    cut there is the one or the other.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content: bytes | None = None
        self._synced = True

    def write(self, text: str) -> None:
        """Bring the file to this text; what is no ASCII becomes ``?``.

        Raises
        ------
        OSError
            If it cannot be written; the file then is as it was, or the text.
        """
        content = text.encode("ascii", "replace")
        if content == self._content:
            return
        spans = [] if self._content is None else _changed(self._content, content)
        if not spans:
            self._replace(content)
            return
        try:
            with self.path.open("r+b", buffering=0) as file:
                for start, stop in spans:
                    file.seek(start)
                    file.write(content[start:stop])
        except OSError:
            self._content = None
            raise
        self._content = content
        self._synced = False

    def sync(self) -> None:
        """Return when what was changed in place is on the disk.

        Raises
        ------
        OSError
            If it cannot be brought there.
        """
        if not self._synced:
            with self.path.open("r+b") as file:
                os.fsync(file.fileno())
            self._synced = True

    def _replace(self, content: bytes) -> None:
        with replacing(self.path) as part, part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._content = content
        self._synced = True


def _changed(old: bytes, new: bytes) -> list[tuple[int, int]]:
    """What has to be overwritten, each within a page, in this order; nothing if that cannot be done."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if [len(line) for line in before] != [len(line) for line in after]:
        return []
    starts = list(accumulate((len(line) for line in after), initial=0))
    spans = [
        (start, start + len(line)) for start, line, other in zip(starts, after, before, strict=False) if line != other
    ]
    if _lies_within_a_page(spans[0][0], spans[-1][1]):
        return [(spans[0][0], spans[-1][1])]
    return spans[::-1] if all(_lies_within_a_page(*span) for span in spans) else []


def _lies_within_a_page(start: int, stop: int) -> bool:
    return start // PAGE == (stop - 1) // PAGE
