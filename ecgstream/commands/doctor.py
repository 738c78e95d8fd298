"""``ecgstream doctor``: what works on this machine."""

import typer

EXAMPLE = "Example: ecgstream doctor"


def doctor() -> None:
    """Tell what works on this machine, what does not, and what to type to mend it."""
    from ecgstream.doctor import examine, exit_code, show

    findings = examine()
    show(findings)
    raise typer.Exit(exit_code(findings))
