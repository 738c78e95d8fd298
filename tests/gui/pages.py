"""Blocks, gaps and events made for the screen, the page that shows them, and what stands in its pixels."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPixmap

from engine.leads import LEADS, Origin
from gui.page import GAINS, LAYOUTS, SPEEDS, PageInfo, View, expected_origins
from gui.paper import Geometry, Scale, arrange, print_paper
from gui.theme import DARK, LIGHT, Theme
from stream.items import Block, Event, Gap, Kind, Tail

LEADS_IN = ("I", "II", "V4")
ORIGINS = expected_origins(LEADS_IN)
PX_PER_MM = 96 / 25.4

Pixels = NDArray[np.uint8]

views = st.builds(
    View,
    layout=st.sampled_from(LAYOUTS),
    gain=st.sampled_from(GAINS),
    speed=st.sampled_from(SPEEDS),
    dark=st.booleans(),
    truth=st.booleans(),
)


def info(**changes: object) -> PageInfo:
    usual = PageInfo(
        record="ward/0042",
        leads_in=LEADS_IN,
        model="unet-1M",
        backend="onnx",
        look_ahead_ms=100,
        filter="none",
        synthetic=False,
        show_truth=False,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def source(state: str) -> Event:
    return Event(0, Kind.SOURCE, text=state)


def beat(rate: float | None, why: str = "") -> Event:
    return Event(0, Kind.BEAT, lead="II", value=rate, text=why)


def twelve(seed: int, length: int, gaps: int = 0) -> Block:
    """Leads that wander with steep beats in between, estimated with an interval, and the recording's own.

    With gaps it is none of a bed's, until `stream` has made items of it.
    """
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(0, 0.02, (len(LEADS), length)), axis=1)
    truth[:, 30::100] += 1.2
    leads = truth + rng.normal(0, 0.03, truth.shape)
    origin = np.repeat(np.array(ORIGINS, np.uint8)[:, None], length, axis=1)
    for _ in range(gaps):
        start = int(rng.integers(0, length))
        origin[:, start : start + int(rng.integers(1, 150))] = Origin.NONE
    leads[origin == Origin.NONE] = np.nan
    interval = np.where(origin == Origin.ESTIMATED, rng.uniform(0.02, 0.3, truth.shape), 0)
    return Block(
        0, leads.astype(np.float32), interval.astype(np.float32), origin, truth.astype(np.float32), tail_after(length)
    )


def tail_after(index: int, length: int = 50) -> Tail:
    """What might be guessed after an index: never the same twice, never what comes, and now and then nothing more."""
    rng = np.random.default_rng(index)
    guess = rng.normal(0, 0.5, (len(LEADS), length)).astype(np.float32)
    origin = np.repeat(np.array(ORIGINS, np.uint8)[:, None], length, axis=1)
    known = int(rng.uniform(0.5, 1.5) * length)
    guess[:, known:], origin[:, known:] = np.nan, Origin.NONE
    return Tail(guess, np.where(origin == Origin.ESTIMATED, np.abs(guess), np.float32(0)), origin)


def level(mv: float, length: int, origins: tuple[Origin, ...] = ORIGINS, start: int = 0, half: float = 0) -> Block:
    """All leads at the same level."""
    origin = np.repeat(np.array(origins, np.uint8)[:, None], length, axis=1)
    leads = np.where(origin == Origin.NONE, np.nan, mv).astype(np.float32)
    interval = np.where(origin == Origin.ESTIMATED, half, 0).astype(np.float32)
    return Block(start, leads, interval, origin)


def cut(whole: Block, sizes: list[int]) -> list[Block]:
    """The same samples in blocks of these sizes, the last one longer; each but an empty one has a tail of guesses."""
    stops = [*np.cumsum(sizes, dtype=int).clip(max=whole.end).tolist(), whole.end]
    return [
        replace(part(whole, start, stop), tail=tail_after(stop) if stop > start or stop == whole.end else None)
        for start, stop in pairwise([0, *stops])
    ]


def stream(whole: Block, sizes: list[int]) -> Iterator[Block | Gap]:
    """The same as `cut`, as a bed has it: gaps where nothing was known."""
    known: NDArray[np.bool_] = np.any(whole.origin, axis=0)
    for block in cut(whole, sizes):
        edges = np.flatnonzero(np.diff(known[block.start : block.end])) + block.start + 1
        for start, stop in pairwise([block.start, *edges.tolist(), block.end]):
            if start < stop and not known[start]:
                yield Gap(start, stop - start)
            else:
                has_tail = stop == block.end and bool(known[max(stop - 1, 0)])
                yield replace(part(whole, start, stop), tail=block.tail if has_tail else None)


def part(whole: Block, start: int, stop: int) -> Block:
    """These columns of a block that starts at 0."""
    columns = slice(start, stop)
    truth = None if whole.truth is None else whole.truth[:, columns]
    return Block(start, whole.leads[:, columns], whole.interval[:, columns], whole.origin[:, columns], truth)


def geometry(view: View, width: int = 620, height: int = 420, ratio: float = 1.0) -> Geometry:
    return arrange(width, height, Scale(PX_PER_MM * ratio, True, ratio, view.speed, view.gain), view)


def theme(view: View) -> Theme:
    return DARK if view.dark else LIGHT


def paper(
    geometry: Geometry, view: View, origins: tuple[Origin, ...] = ORIGINS, leads_off: tuple[str, ...] = ()
) -> QPixmap:
    return print_paper(geometry, theme(view), info(), origins, leads_off, truth=view.truth)


def pixels(picture: QPixmap | QImage) -> Pixels:
    """Red, green and blue of each pixel, (height, width, 3)."""
    image = picture.toImage() if isinstance(picture, QPixmap) else picture
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    assert bits is not None
    stored = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(image.height(), image.width(), 4)
    return stored[:, :, 2::-1].copy()  # stored as blue, green, red


def rgb(colour: str | QColor) -> tuple[int, int, int]:
    red, green, blue, _ = QColor(colour).getRgb()
    assert red is not None
    assert green is not None
    assert blue is not None
    return red, green, blue


def inked(picture: Pixels, colour: str | QColor) -> NDArray[np.bool_]:
    """Where a picture has exactly this colour."""
    where: NDArray[np.bool_] = np.all(picture == rgb(colour), axis=-1)
    return where


def is_written(picture: Pixels, word: str, font: QFont, ink: str, ground: str) -> bool:
    """Whether a word of this ink stands somewhere in a picture, alone: neither part of a longer one nor overdrawn."""
    return any(_holds(picture, _printed(word, font, ink, ground, shift)) for shift in (0, 0.25, 0.5, 0.75))


def _printed(word: str, font: QFont, ink: str, ground: str, shift: float) -> Pixels:
    """A word with blank paper around it, at a fraction of a pixel."""
    metrics = QFontMetricsF(font)
    blank = QPixmap(ceil(metrics.horizontalAdvance(word)) + 8, ceil(metrics.height()))
    blank.fill(QColor(ground))
    painter = QPainter(blank)
    painter.setRenderHints(QPainter.RenderHint.TextAntialiasing | QPainter.RenderHint.Antialiasing)
    painter.setFont(font)
    painter.setPen(QColor(ink))
    painter.drawText(QPointF(4 + shift, metrics.ascent()), word)
    painter.end()
    return pixels(blank)


def _holds(picture: Pixels, wanted: Pixels) -> bool:
    """Whether a picture has another within it, but for the grid that shines through."""
    height, width = (of - part + 1 for of, part in zip(picture.shape[:2], wanted.shape[:2], strict=True))
    if height < 1 or width < 1:
        return False
    strongest = np.abs(wanted.astype(int) - wanted[0, 0]).sum(axis=2).argsort(axis=None)[::-1][:16]
    fits = np.ones((height, width), bool)
    for row, column in zip(*np.unravel_index(strongest, wanted.shape[:2]), strict=True):
        fits &= _alike(picture[row : row + height, column : column + width], wanted[row, column])
    rows, columns = wanted.shape[:2]
    return any(
        _alike(picture[top : top + rows, left : left + columns], wanted).all() for top, left in np.argwhere(fits)
    )


def _alike(picture: Pixels, other: Pixels) -> NDArray[np.bool_]:
    where: NDArray[np.bool_] = np.all(np.abs(picture.astype(int) - other) < 64, axis=-1)  # a bold line differs by 51
    return where
