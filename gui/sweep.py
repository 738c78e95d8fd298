"""The sweep: paints what is new onto the page, column by column: it costs what is new and not what is visible."""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QPainter, QPen, QPixmap

from engine.leads import Origin
from gui.history import History, Stretch
from gui.paper import Geometry, Lane
from gui.theme import PEN_WIDTHS, TRUTH_PEN_WIDTH, Theme

PIECE = 160
"""Columns painted at once: the cost of a stroke grows faster than its length."""
DRAWN = (Origin.ESTIMATED, Origin.COMPUTED, Origin.MEASURED)
"""In this order, so that the strongest ink lies on top."""


class Sweep:
    """The traces on a page.

    What a pixel shows depends on the samples around it and on nothing else: the page is painted in whole columns, each
    clipped, so a column painted as it came and one painted from history are the same.

    Parameters
    ----------
    paper : QPixmap
        The page without traces, in device pixels.
    geometry : Geometry
        Where the lanes lie.
    theme : Theme
        The inks.
    truth, intervals : bool
        Whether the recording's own leads, and the 90 % intervals, stand behind the estimates.

    Attributes
    ----------
    pixmap : QPixmap
        The page.
    """

    def __init__(self, paper: QPixmap, geometry: Geometry, theme: Theme, *, truth: bool, intervals: bool) -> None:
        self.pixmap = QPixmap(paper)
        self._paper = paper
        self._geometry = geometry
        self._theme = theme
        self._truth = truth
        self._intervals = intervals
        self._painted = 0
        self._px_per_sample = geometry.scale.px_per_sample
        self._group = max(1, int(1 / self._px_per_sample))
        self._reach = 3 + int(np.ceil(self._px_per_sample))  # columns that a sample's stroke can touch

    def repaint(self, history: History) -> None:
        """Paint all that is visible."""
        self._paint(history, everything=True)

    def advance(self, history: History) -> list[QRect]:
        """Paint what came since the last time; returns the areas that changed."""
        if history.head == self._painted:
            return []
        return self._paint(history, everything=False)

    def _paint(self, history: History, everything: bool) -> list[QRect]:
        changed = []
        painter = QPainter(self.pixmap)
        for lane in self._geometry.lanes:
            end = self._column(lane, history.front) + self._geometry.erase
            settled = self._column(lane, history.head) - self._reach
            oldest = max(end - lane.area.width(), 0)  # before the stream's start there is nothing
            begin = oldest if everything else max(oldest, self._column(lane, self._painted) - self._reach)
            for first, last in ((begin, settled), (max(begin, settled), end)):
                for left, right in self._pieces(lane, first, last):
                    changed.append(self._paint_piece(painter, lane, history, left, right, last == end))
        painter.end()
        self._painted = history.head
        return changed

    def _column(self, lane: Lane, index: int) -> int:
        """The column of a sample, counted on from turn to turn."""
        turn, place = divmod(index, lane.span)
        return turn * lane.area.width() + int(place * self._px_per_sample)

    def _pieces(self, lane: Lane, first: int, last: int) -> list[tuple[int, int]]:
        """Cut columns at the lane's right edge and into pieces of bounded width."""
        pieces = []
        while first < last:
            place = first % lane.area.width()
            stop = min(last, first + lane.area.width() - place, first + PIECE - place % PIECE)
            pieces.append((first, stop))
            first = stop
        return pieces

    def _paint_piece(
        self, painter: QPainter, lane: Lane, history: History, first: int, last: int, provisional: bool
    ) -> QRect:
        turn, left = divmod(first, lane.area.width())
        area = QRect(lane.area.left() + left, lane.area.top(), last - first, lane.area.height())
        painter.setClipRect(area)
        painter.drawPixmap(area, self._paper, area)

        reach = int(self._reach / self._px_per_sample) + self._group
        start = int(left / self._px_per_sample) - reach
        start -= start % self._group
        stop = int((left + last - first) / self._px_per_sample) + reach
        stop += -(stop - start) % self._group
        at_left_edge = turn * lane.span
        stretch = history.between(at_left_edge + start, at_left_edge + stop)
        x = lane.area.left() + np.arange(start, stop) * self._px_per_sample
        self._draw(painter, lane, stretch, x, provisional)
        return area

    def _draw(
        self, painter: QPainter, lane: Lane, stretch: Stretch, x: NDArray[np.floating], provisional: bool
    ) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rows = [cell.row for cell in lane.cells]
        baselines = np.array([[cell.baseline] for cell in lane.cells])
        per_mv = self._geometry.scale.px_per_mv
        origin, y = stretch.origin[rows], baselines - per_mv * stretch.leads[rows]
        estimated = origin == Origin.ESTIMATED
        if self._intervals and estimated.any():
            half = per_mv * stretch.interval[rows]
            self._draw_intervals(painter, x, np.where(estimated, y, np.nan), half, provisional)
        if self._truth and estimated.any():
            truth = np.where(estimated, baselines - per_mv * stretch.truth[rows], np.nan)
            self._draw_lines(painter, x, truth, self._pen(self._theme.truth, TRUTH_PEN_WIDTH, provisional))
        for kind in DRAWN:
            of_kind = origin == kind
            drawn = of_kind.any(axis=1)
            if drawn.any():
                pen = self._pen(self._theme.ink(kind), PEN_WIDTHS[kind], provisional)
                self._draw_lines(painter, x, np.where(of_kind, y, np.nan)[drawn], pen)

    def _pen(self, ink: str, width: float, provisional: bool) -> QPen:
        colour = self._theme.dim(ink) if provisional else QColor(ink)
        pen = QPen(colour, width * self._geometry.scale.ratio)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        return pen

    def _draw_lines(self, painter: QPainter, x: NDArray[np.floating], y: NDArray[np.floating], pen: QPen) -> None:
        """One path for all rows of `y`: what a call costs is paid once."""
        x, y = thin(np.broadcast_to(x, y.shape), y, self._group)
        break_after = ((0, 0), (0, 1))
        x, y = np.pad(x, break_after), np.pad(y, break_after, constant_values=np.nan)
        painter.setPen(pen)
        painter.drawPath(pg.arrayToQPath(x.ravel(), y.ravel(), connect="finite"))

    def _draw_intervals(
        self,
        painter: QPainter,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        half: NDArray[np.floating],
        provisional: bool,
    ) -> None:
        known = np.isfinite(y)
        folded = (len(y), -1, self._group)
        top = np.where(known, y - half, np.inf).reshape(folded).min(axis=2)
        bottom = np.where(known, y + half, -np.inf).reshape(folded).max(axis=2)
        x = x.reshape(-1, self._group).mean(axis=1)
        colour = QColor(self._theme.estimated)
        colour.setAlphaF(self._theme.interval * (0.5 if provisional else 1.0))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for row in range(len(y)):
            for run in runs(np.isfinite(top[row])):
                outline_x = np.concatenate([x[run], x[run][::-1]])
                outline_y = np.concatenate([top[row][run], bottom[row][run][::-1]])
                painter.drawPath(pg.arrayToQPath(outline_x, outline_y))
        painter.setBrush(Qt.BrushStyle.NoBrush)


def thin(
    x: NDArray[np.floating], values: NDArray[np.floating], group: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Of each `group` samples that share a pixel keep the lowest and the highest, in their order.

    Parameters
    ----------
    x, values : ndarray, (rows, n)
        Places and samples; NaN where there is none. n is a multiple of `group`.
    group : int
        Samples in a pixel; up to 2 there is nothing to leave out.
    """
    if group <= 2:
        return x, values
    folded = values.reshape(len(values), -1, group)
    none = np.isnan(folded)
    lowest = np.where(none, np.inf, folded).argmin(axis=2)
    highest = np.where(none, -np.inf, folded).argmax(axis=2)
    first = group * np.arange(folded.shape[1])
    kept = np.stack([first + np.minimum(lowest, highest), first + np.maximum(lowest, highest)], axis=2)
    kept = kept.reshape(len(values), -1)
    return np.take_along_axis(x, kept, 1), np.take_along_axis(values, kept, 1)


def runs(mask: NDArray[np.bool_]) -> list[slice]:
    """The stretches where a mask holds."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return [slice(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
