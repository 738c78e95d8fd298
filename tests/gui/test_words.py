"""Words of others: whole where there is room, and never wider or longer than that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtGui import QFont, QFontMetricsF
from PyQt6.QtWidgets import QApplication

from gui.words import Room, fitted

NARROW = Room(width=188, font=15, characters=60)
BREAK = "\N{ZERO WIDTH SPACE}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Polar H10 is announced but sends nothing: connecting anew",
        "the device's clock cannot be asked (is UDP blocked?)",
        "<b>patch</b> & {more}",
        "zmq+tcp://10.0.0.7",
    ],
)
def test_what_has_room_stands_as_it_is(qapp: QApplication, text: str) -> None:
    assert fitted(text, NARROW) == text


@given(text=st.text(max_size=300), lines=st.integers(1, 4))
def test_nothing_is_wider_or_longer_than_its_room(qapp: QApplication, text: str, lines: int) -> None:
    room = Room(width=188, font=15, characters=60, lines=lines)
    font = QFont()
    font.setPixelSize(15)
    metrics = QFontMetricsF(font)
    shown = fitted(text, room)
    assert len(shown.replace(BREAK, "")) <= 60
    assert len(shown.split("\n")) <= lines
    for piece in shown.replace(BREAK, " ").split():
        assert len(piece) == 1 or metrics.horizontalAdvance(piece) <= 188


@pytest.mark.parametrize(
    ("address", "pieces"),
    [
        ("zmq+tcp://192.168.10.207:5556", ["zmq+tcp://", "192.168.10.207:5556"]),
        ("lsl://?type=ECG&name=Polar-patch", ["lsl://?type=ECG&name=", "Polar-patch"]),
    ],
)
def test_an_address_is_cut_where_it_can_be(qapp: QApplication, address: str, pieces: list[str]) -> None:
    assert fitted(f"looking for {address} now", NARROW) == f"looking for {BREAK.join(pieces)} now"


def test_what_is_too_long_says_so(qapp: QApplication) -> None:
    assert fitted("a word " * 30, NARROW) == ("a word " * 30)[:59].rstrip() + "…"
    assert fitted("x" * 10**7, NARROW).replace(BREAK, "") == "x" * 59 + "…"
    assert fitted("\n" * 100 + "late", NARROW) == "late"


def test_lines_stay_where_there_is_room_for_them(qapp: QApplication) -> None:
    assert fitted("one\n two\n\nthree\nfour", Room(188, 15, 60, lines=4)) == "one\ntwo\n\nthree"
    assert fitted("one\n two\n\nthree\nfour", NARROW) == "one two three four"
