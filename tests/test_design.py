"""The design names what is there, and what is there is named: rooms, modules and what travels between them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
FOLDERS = ("stream", "stream/sources", "stream/sinks", "engine", "engine/backends")


def drawing(heading: str) -> str:
    """The first drawing under a heading."""
    return DESIGN.split(f"## {heading}")[1].split("```")[1]


def test_every_module_that_is_drawn_is_there() -> None:
    drawn = set(re.findall(r"\b([a-z_]+\.py)\b", drawing("3. Rooms")))
    there = {path.name for room in ("ecgstream", "stream", "engine") for path in (ROOT / room).rglob("*.py")}
    assert drawn
    assert drawn <= there


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_that_is_there_is_drawn(folder: str) -> None:
    there = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py"}
    assert there
    assert there <= set(re.findall(r"[a-z_]+\.py", drawing("3. Rooms")))


def test_the_way_of_a_sample_is_that_of_the_code() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for room in ("stream", "engine") for path in (ROOT / room).rglob("*.py")
    )
    way = drawing("4. The way of a sample")
    names = set(re.findall(r"\b[A-Z][A-Za-z]+\b", way))
    assert {"Source", "Arrival", "Intake", "Timeline", "Chunk", "Bed", "Frame", "Engine", "Estimate", "Ward"} <= names
    assert {name for name in names if not re.search(rf"^class {name}\b", source, re.MULTILINE)} == set()
    methods = set(re.findall(r"\b[A-Z][A-Za-z]+\.([a-z]+)\b", way))
    assert {"estimate", "settle", "items", "tick"} <= methods
    assert {name for name in methods if not re.search(rf"^    def {name}\(", source, re.MULTILINE)} == set()
