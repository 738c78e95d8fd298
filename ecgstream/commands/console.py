"""What commands show: how far they are, and what it came to."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from ecgstream.summary import Summary


def say(message: str) -> None:
    """One line for people on the standard error."""
    print(f"ecgstream: {message}", file=sys.stderr)


def progress_bar() -> "Progress":
    """A bar where a person looks on, and never in what another program reads."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def print_summary(summary: "Summary", *, as_json: bool) -> None:
    """For people, or as one JSON object."""
    from rich.console import Console

    from ecgstream.summary import as_json as to_json
    from ecgstream.summary import show

    if as_json:
        print(to_json(summary))
    else:
        show(summary, Console())
