"""Words that others wrote, as they fit beside the page: a device can be named anything."""

import re
from dataclasses import dataclass

from PyQt6.QtGui import QFont, QFontMetricsF

LONGEST = 10_000
"""Characters that are looked at."""
PARTS = re.compile(r"[^/?&=,;_-]*[/?&=,;_-]+|[^/?&=,;_-]+")


@dataclass(frozen=True)
class Room:
    """The room there is for words.

    Attributes
    ----------
    width : int
        Of a line, in logical pixels.
    font : int
        Height of the typeface, in logical pixels.
    characters, lines : int
        So many at most.
    """

    width: int
    font: int
    characters: int
    lines: int = 1


def fitted(text: str, room: Room) -> str:
    """The text with places to break its lines at, and shortened where it is longer than there is room for."""
    text = text[:LONGEST]
    lines = text.splitlines()[: room.lines] if room.lines > 1 else [text]
    kept = "\n".join(" ".join(line.split()) for line in lines)
    if len(kept) > room.characters:
        kept = f"{kept[: room.characters - 1].rstrip()}…"
    font = QFont()
    font.setPixelSize(room.font)
    metrics = QFontMetricsF(font)
    return "\n".join(
        " ".join(_breakable(word, metrics, room.width) for word in line.split(" ")) for line in kept.split("\n")
    )


def _breakable(word: str, metrics: QFontMetricsF, width: int) -> str:
    """A word that is wider than a line, in pieces with zero-width spaces between, as an address is cut if it can be."""
    if metrics.horizontalAdvance(word) <= width:
        return word
    pieces = [""]
    for part in PARTS.findall(word):
        for letters in (part,) if metrics.horizontalAdvance(part) <= width else part:
            if metrics.horizontalAdvance(pieces[-1] + letters) > width:
                pieces.append("")
            pieces[-1] += letters
    return "\N{ZERO WIDTH SPACE}".join(piece for piece in pieces if piece)
