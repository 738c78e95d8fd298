"""The records that come with the program."""

from pathlib import Path

BUNDLED = Path(__file__).parent / "synthetic.hea"
"""Synthetic: nobody was recorded. What is replayed where no record is named."""
