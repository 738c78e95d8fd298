"""The documents say what the files say."""

import pytest

from tools.tables import DOCUMENTS, ROOT, fill


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_figure_in_the_docs_is_in_its_file(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- /" in text
    assert fill(text) == text, "type: make tables"
