"""A header is the old one or the new one, at any moment."""

import os
import re
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sinks import header
from stream.sinks.header import PAGE, HeaderFile

LINES = st.lists(st.text("abc", min_size=1, max_size=3), max_size=5)


@given(texts=st.lists(LINES, min_size=1, max_size=6))
def test_it_is_what_was_written_last(tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("header") / "r.hea"
    file = HeaderFile(path)
    for lines in texts:
        text = "".join(f"{line}\n" for line in lines)
        file.write(text)
        assert path.read_text() == text
        assert os.listdir(path.parent) == ["r.hea"]
        file.sync()


def test_figures_are_changed_in_place_and_all_else_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "r.hea"
    file = HeaderFile(path)
    file.write("r 12 500 100   \nmore\n")
    first = path.stat().st_ino
    file.write("r 12 500 100   \nmore\n")
    file.write("r 12 500 2000  \nless\n")
    assert path.stat().st_ino == first
    file.write("r 12 500 2000  10:00:00\nless\n")
    assert path.stat().st_ino != first
    assert path.read_text() == "r 12 500 2000  10:00:00\nless\n"
    file.write("r \u00b5\n")
    assert path.read_text() == "r ?\n"


@given(st.data())
def test_what_is_overwritten_lies_within_a_page_and_the_first_line_comes_last(data: st.DataObject) -> None:
    widths = data.draw(st.lists(st.integers(1, 1500), min_size=1, max_size=20))
    old = b"".join(b"a" * width + b"\n" for width in widths)
    changed = data.draw(st.lists(st.booleans(), min_size=len(widths), max_size=len(widths)))
    new = b"".join((b"b" if other else b"a") * width + b"\n" for other, width in zip(changed, widths, strict=True))
    if old == new:
        return
    spans = header._changed(old, new)
    content = bytearray(old)
    for start, stop in spans:
        assert start // PAGE == (stop - 1) // PAGE
        assert not changed[0] or content.startswith(b"a")  # until the last, the old count stands
        content[start:stop] = new[start:stop]
    straddles = any(
        at // PAGE != (at + width) // PAGE
        for at, width, other in zip([sum(widths[:n]) + n for n in range(len(widths))], widths, changed, strict=True)
        if other
    )
    assert (bytes(content) == new and bool(spans)) or (straddles and not spans)


def test_a_disk_that_is_full_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "r.hea"
    file = HeaderFile(path)
    file.write("old\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=re.escape("File too large")):
            file.write("new" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["r.hea"]
    file.write("new\n")
    assert path.read_text() == "new\n"
