"""The paper: millimetres on this screen, where each cell lies, and the grid with all that is printed on it."""

from dataclasses import dataclass
from math import ceil

from PyQt6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF, QScreen

from engine.filters import BAND_LABEL
from engine.leads import INDEX, LEADS, RATE, Origin, label
from gui.history import CAPACITY
from gui.page import PageInfo, View
from gui.theme import PEN_WIDTHS, TRUTH_PEN_WIDTH, Theme, mixed

MM_PER_INCH = 25.4
USUAL_DPI = 96.0
"""Of a screen that does not say how large it is."""
PLAUSIBLE_DPI = (60.0, 400.0)

HEADER, FOOTER, MARGIN = 34, 30, 14
"""Heights above and below the grid, and the white around it, in logical pixels."""
PULSE_MARGIN_MM = 10.0
"""Left of the traces, where the calibration pulse stands."""
PULSE_WIDTH_MM = 5.0
NAME_COLUMN = 54
"""Left of the pulse where every lead has a row of its own, too low for a name above the trace; in logical pixels."""
BETWEEN_LANES_MM = 2.0
ERASE_MM = 6.0
"""What the sweep clears ahead of itself."""


@dataclass(frozen=True)
class Scale:
    """Device pixels in the units of an ECG.

    Attributes
    ----------
    px_per_mm : float
        Of the paper's millimetres.
    true_size : bool
        Whether these are real millimetres on this screen.
    ratio : float
        Device pixels in a logical one.
    speed, gain : float
        mm/s and mm/mV.
    """

    px_per_mm: float
    true_size: bool
    ratio: float
    speed: float
    gain: float

    @property
    def px_per_sample(self) -> float:
        """Device pixels between two samples."""
        return self.px_per_mm * self.speed / RATE

    @property
    def px_per_mv(self) -> float:
        """Device pixels in a millivolt."""
        return self.px_per_mm * self.gain

    def words(self) -> str:
        """The scale as it stands on the page; without a true size only the squares can be counted."""
        if self.true_size:
            return f"{self.speed:g} mm/s  {self.gain:g} mm/mV"
        return f"1 small square = {1000 / self.speed:g} ms, {1 / self.gain:g} mV"


@dataclass(frozen=True)
class Cell:
    """The place of one lead; all in device pixels of the page.

    Attributes
    ----------
    lead : str
        Its name.
    top, height : int
        Its share of the page.
    baseline : float
        Where 0 mV lies.
    """

    lead: str
    top: int
    height: int
    baseline: float

    @property
    def row(self) -> int:
        """The lead's row in an array of twelve."""
        return INDEX[self.lead]


@dataclass(frozen=True)
class Lane:
    """Cells above one another that sweep as one; a trace may reach into its neighbours, as on paper.

    Attributes
    ----------
    area : QRect
        Device pixels of the page.
    cells : tuple of Cell
        Top to bottom.
    span : int
        Samples from its left edge to its right one.
    """

    area: QRect
    cells: tuple[Cell, ...]
    span: int


@dataclass(frozen=True)
class Geometry:
    """Where everything lies on a page of `width` x `height` device pixels.

    Attributes
    ----------
    width, height : int
        Of the page.
    scale : Scale
        Its millimetres.
    grid : QRectF
        Where they are printed.
    lanes : tuple of Lane
        Left to right and top to bottom.
    names_beside : bool
        Whether names stand in a column at the left of the grid, instead of in the cells.
    """

    width: int
    height: int
    scale: Scale
    grid: QRectF
    lanes: tuple[Lane, ...]
    names_beside: bool

    @property
    def erase(self) -> int:
        """Columns that the sweep clears ahead of itself."""
        return round(ERASE_MM * self.scale.px_per_mm)


def px_per_mm(screen: QScreen | None) -> tuple[float, bool]:
    """Logical pixels in a millimetre of this screen, and whether it can be believed."""
    if screen is not None:
        across, down = screen.physicalDotsPerInchX(), screen.physicalDotsPerInchY()
        lowest, highest = PLAUSIBLE_DPI
        if lowest <= across <= highest and abs(across - down) < 0.1 * across:
            return (across + down) / 2 / MM_PER_INCH, True
    return USUAL_DPI / MM_PER_INCH, False


def arrange(width: int, height: int, scale: Scale, view: View) -> Geometry:
    """Lay the cells of a layout on a page of `width` x `height` device pixels.

    Lanes start and baselines lie on lines of the grid; lanes of one row are equally wide, so that they sweep together.
    """
    mm = scale.px_per_mm
    margin = MARGIN * scale.ratio
    grid = QRectF(margin, HEADER * scale.ratio, width - 2 * margin, height - (HEADER + FOOTER) * scale.ratio)
    tops = [grid.top() + grid.height() * row / len(view.layout.rows) for row in range(len(view.layout.rows) + 1)]
    names_beside = all(len(row) == 1 for row in view.layout.rows)
    left = PULSE_MARGIN_MM + names_beside * ceil(NAME_COLUMN * scale.ratio / mm)
    lanes: list[Lane] = []
    first = 0
    while first < len(view.layout.rows):
        columns = len(view.layout.rows[first])
        last = first
        while last < len(view.layout.rows) and len(view.layout.rows[last]) == columns:
            last += 1
        stride = (grid.width() / mm - left) / columns
        stride = stride if columns == 1 else stride // 1
        lane_width = int(min((stride - BETWEEN_LANES_MM) * mm, CAPACITY * scale.px_per_sample))
        for column in range(columns):
            area = QRect(
                round(grid.left() + (left + column * stride) * mm),
                round(tops[first]),
                lane_width,
                round(tops[last]) - round(tops[first]),
            )
            cells = tuple(_cell(view.layout.rows[row][column], tops, row, grid, mm) for row in range(first, last))
            lanes.append(Lane(area, cells, int(lane_width / scale.px_per_sample)))
        first = last
    return Geometry(width, height, scale, grid, tuple(lanes), names_beside)


def _cell(lead: str, tops: list[float], row: int, grid: QRectF, mm: float) -> Cell:
    middle = (tops[row] + tops[row + 1]) / 2
    on_line = round((middle - grid.top()) / mm) * mm
    return Cell(lead, round(tops[row]), round(tops[row + 1]) - round(tops[row]), _crisp(grid.top() + on_line))


def _crisp(position: float) -> float:
    """The middle of the nearest pixel, where a line of one pixel is sharp."""
    return int(position) + 0.5


def print_paper(
    geometry: Geometry,
    theme: Theme,
    info: PageInfo,
    origins: tuple[Origin, ...],
    leads_off: tuple[str, ...],
    *,
    truth: bool,
    has_begun: bool = True,
) -> QPixmap:
    """Everything on the page but the traces.

    Parameters
    ----------
    geometry : Geometry
        Of the page.
    theme : Theme
        Its colours.
    info : PageInfo
        The run, for the words.
    origins : tuple of Origin
        Where each of the twelve leads comes from, for its name and tone.
    leads_off : tuple of str
        Leads whose cell says that they are off.
    truth : bool
        Whether the recording's own leads are shown, for the legend.
    has_begun : bool
        Whether anything has come; until then leads are only expected.
    """
    pixmap = QPixmap(geometry.width, geometry.height)
    pixmap.fill(QColor(theme.paper))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    _draw_grid(painter, geometry, theme)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _draw_pulses(painter, geometry, theme)
    for lane in geometry.lanes if info.is_found else ():
        for cell in lane.cells:
            _draw_name(painter, geometry, theme, lane, cell, origins[cell.row], cell.lead in leads_off)
    _draw_header(painter, geometry, theme, info, _leads_in_words(info, origins, leads_off, has_begun))
    _draw_footer(painter, geometry, theme, info, origins, truth)
    painter.end()
    return pixmap


def _leads_in_words(info: PageInfo, origins: tuple[Origin, ...], leads_off: tuple[str, ...], has_begun: bool) -> str:
    """What is measured now, or what is expected to be."""
    if not has_begun:
        return f"expected {' '.join(info.leads_in)}" if info.is_found else ""
    of = zip(LEADS, origins, strict=True)
    measured = [lead for lead, origin in of if origin is Origin.MEASURED and lead not in leads_off]
    return f"measured {' '.join(measured)}" if measured else "nothing measured"


def _draw_grid(painter: QPainter, geometry: Geometry, theme: Theme) -> None:
    grid, mm = geometry.grid, geometry.scale.px_per_mm
    for colour, every in ((theme.fine, 1), (theme.bold, 5)):
        painter.setPen(QPen(QColor(colour), max(1.0, round(geometry.scale.ratio))))
        for step in range(0, int(grid.width() / mm) + 1, every):
            x = _crisp(grid.left() + step * mm)
            painter.drawLine(QPointF(x, grid.top()), QPointF(x, grid.bottom()))
        for step in range(0, int(grid.height() / mm) + 1, every):
            y = _crisp(grid.top() + step * mm)
            painter.drawLine(QPointF(grid.left(), y), QPointF(grid.right(), y))


def _draw_pulses(painter: QPainter, geometry: Geometry, theme: Theme) -> None:
    """A 1 mV pulse before each row, or where that is too tight, before the last alone."""
    scale = geometry.scale
    painter.setPen(QPen(QColor(theme.measured), 1.2 * scale.ratio, Qt.PenStyle.SolidLine))
    left = geometry.lanes[0].area.left()
    start = left - (PULSE_MARGIN_MM - 2.5) * scale.px_per_mm
    cells = [cell for lane in geometry.lanes for cell in lane.cells if lane.area.left() == left]
    fits = all(cell.baseline - scale.px_per_mv > cell.top for cell in cells)
    for cell in cells if fits else cells[-1:]:
        foot, top = cell.baseline, cell.baseline - scale.px_per_mv
        rise, fall = start + scale.px_per_mm, start + (1 + PULSE_WIDTH_MM) * scale.px_per_mm
        end = fall + scale.px_per_mm
        corners = [(start, foot), (rise, foot), (rise, top), (fall, top), (fall, foot), (end, foot)]
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in corners]))


def _draw_name(
    painter: QPainter, geometry: Geometry, theme: Theme, lane: Lane, cell: Cell, origin: Origin, off: bool
) -> None:
    ratio = geometry.scale.ratio
    font = page_font(14, ratio, QFont.Weight.Bold if origin is Origin.MEASURED else QFont.Weight.Normal)
    corner = QPointF(lane.area.left(), cell.top) + QPointF(3, 3) * ratio
    if geometry.names_beside:
        corner = QPointF(geometry.grid.left() + 3 * ratio, cell.baseline - QFontMetricsF(font).height() / 2)
    patch = _draw_word(painter, theme, font, QColor(theme.ink(origin)), label(cell.lead, origin), corner)
    if off:
        font = page_font(11 if geometry.names_beside else 13, ratio, QFont.Weight.Bold)
        after = patch.bottomLeft() if geometry.names_beside else patch.topRight() + QPointF(6, 0) * ratio
        words, end = "lead off", lane.area.right() + BETWEEN_LANES_MM * geometry.scale.px_per_mm
        if origin in (Origin.COMPUTED, Origin.ESTIMATED) and not geometry.names_beside:
            longer = f"{words}, {origin.name.lower()}"
            words = longer if after.x() + QFontMetricsF(font).horizontalAdvance(longer) < end else words
        _draw_word(painter, theme, font, QColor(theme.warning), words, after)


def _draw_word(painter: QPainter, theme: Theme, font: QFont, colour: QColor, word: str, corner: QPointF) -> QRectF:
    """Write on a patch of blank paper, and return where."""
    metrics = QFontMetricsF(font)
    patch = QRectF(corner, QSizeF(metrics.horizontalAdvance(word), metrics.height()))
    blank = QColor(theme.paper)
    blank.setAlphaF(0.8)
    painter.fillRect(patch.adjusted(-2, 0, 2, 0), blank)
    painter.setFont(font)
    painter.setPen(colour)
    painter.drawText(corner + QPointF(0, metrics.ascent()), word)
    return patch


def _draw_header(painter: QPainter, geometry: Geometry, theme: Theme, info: PageInfo, leads: str) -> None:
    ratio, grid = geometry.scale.ratio, geometry.grid
    line = QRectF(grid.left(), 0, grid.width(), grid.top())
    left, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
    if info.synthetic:
        font = page_font(12, ratio, QFont.Weight.Bold, spacing=1.5)
        word = "SYNTHETIC"
        width = QFontMetricsF(font).horizontalAdvance(word) + 16 * ratio
        height = 20 * ratio
        tag = QRectF(line.right() - width, line.center().y() - height / 2, width, height)
        painter.setPen(QPen(QColor(theme.warning), 1.2 * ratio))
        painter.drawRoundedRect(tag, 3 * ratio, 3 * ratio)
        painter.setFont(font)
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, word)
        line.setRight(tag.left() - 14 * ratio)
    small, large = page_font(12, ratio), page_font(15, ratio, QFont.Weight.DemiBold)
    of_small, of_large = QFontMetricsF(small), QFontMetricsF(large)
    painter.setFont(small)
    painter.setPen(QColor(theme.quiet))
    painter.drawText(line, right, leads)
    line.setRight(line.right() - of_small.horizontalAdvance(leads) - 24 * ratio)
    apart = 10 * ratio
    remote = f"from {info.remote}" if info.remote else ""
    room = line.width() - (of_small.horizontalAdvance(remote) + apart if remote else 0)
    name = of_large.elidedText(info.record, Qt.TextElideMode.ElideMiddle, room)
    baseline = line.center().y() + (of_large.ascent() - of_large.descent()) / 2
    painter.drawText(QPointF(line.left() + of_large.horizontalAdvance(name) + apart, baseline), remote)
    painter.setFont(large)
    painter.setPen(QColor(theme.text))
    painter.drawText(line, left, name)


def _draw_footer(
    painter: QPainter, geometry: Geometry, theme: Theme, info: PageInfo, origins: tuple[Origin, ...], truth: bool
) -> None:
    """The scale at the left, and at the right what each ink means."""
    ratio, grid = geometry.scale.ratio, geometry.grid
    line = QRectF(grid.left(), grid.bottom(), grid.width(), geometry.height - grid.bottom())
    painter.setFont(page_font(13, ratio, QFont.Weight.DemiBold))
    painter.setPen(QColor(theme.text))
    painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, f"{geometry.scale.words()}  {BAND_LABEL[info.filter]}")

    font = page_font(12, ratio)
    metrics = QFontMetricsF(font)
    entries: list[tuple[Origin, str]] = [
        (origin, origin.name.lower()) for origin in (Origin.MEASURED, Origin.COMPUTED) if origin in origins
    ]
    if Origin.ESTIMATED in origins:
        entries.append((Origin.ESTIMATED, "estimated, with 90 % interval" if info.shows_intervals else "estimated"))
    if truth:
        entries.append((Origin.NONE, "recorded"))
    x, middle, stroke = line.right(), _crisp(line.center().y()), 22 * ratio
    painter.setFont(font)
    for origin, words in reversed(entries):
        x -= metrics.horizontalAdvance(words)
        painter.setPen(QColor(theme.quiet))
        painter.drawText(QPointF(x, middle + metrics.capHeight() / 2), words)
        x -= stroke + 6 * ratio
        if origin is Origin.ESTIMATED and info.shows_intervals:
            soft = mixed(theme.estimated, theme.paper, theme.interval)
            painter.fillRect(QRectF(x, middle - 5 * ratio, stroke, 10 * ratio), soft)
        ink, width = (
            (theme.truth, TRUTH_PEN_WIDTH) if origin is Origin.NONE else (theme.ink(origin), PEN_WIDTHS[origin])
        )
        painter.setPen(QPen(QColor(ink), width * ratio))
        painter.drawLine(QPointF(x, middle), QPointF(x + stroke, middle))
        x -= 20 * ratio


def page_font(pixels: float, ratio: float, weight: QFont.Weight = QFont.Weight.Normal, spacing: float = 0.0) -> QFont:
    """The page's typeface at a height in logical pixels."""
    font = QFont()
    font.setPixelSize(round(pixels * ratio))
    font.setWeight(weight)
    font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, spacing * ratio)
    return font
