"""The files of an export: which they will be, and that they may be."""

from collections.abc import Callable
from pathlib import Path

from ecgstream.commands.options import check_output
from ecgstream.exports.csv import write_csv
from ecgstream.exports.edf import write_edf
from ecgstream.exports.survey import Report, Whole, survey
from engine.errors import SourceError, UsageError
from stream.edf import EdfError


def export(whole: Whole, out: Path | None, to: str, *, force: bool, report: Report) -> list[Path]:
    """Write a recording as one CSV, or as EDF+ files, one for each stretch without a gap.

    Parameters
    ----------
    whole : Whole
        The recording.
    out : Path or None
        The file, or a folder for it; None is beside the recording.
    to : str
        ``edf`` or ``csv``.
    force : bool
        Whether what is there is replaced.
    report : callable
        Told the share that is done.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UsageError
        If a file is there already and `force` is not given, is what is read, or cannot be written.
    SourceError
        If the recording cannot be read to its end, or holds nothing that can be written.
    """
    target = _target(whole.record.path, out, to)
    check_output(target, force=force, inputs=whole.record.files)
    found = survey(whole.record, lambda share: report(share / 2))
    notes = whole.record.notes() if to == "edf" else []
    paths = [target] if to == "csv" else _numbered(target, len(found.stretches))
    for path in paths:
        check_output(path, force=force, inputs=whole.record.files)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {target.parent}: {error.strerror}; choose another --out") from error
    try:
        for part, path in enumerate(paths):
            if to == "csv":
                write_csv(path, whole, found, _half(report, part, len(paths)))
            else:
                write_edf(path, whole, found, part, notes, _half(report, part, len(paths)))
    except EdfError as error:
        raise SourceError(f"{whole.record.path}: {error} of an EDF file; choose --to csv") from error
    return paths


def _target(record: Path, out: Path | None, to: str) -> Path:
    """The one file, if it will be one."""
    if out is None:
        return record.with_suffix(f".{to}")
    return out if out.suffix.casefold() == f".{to}" and not out.is_dir() else out / f"{record.stem}.{to}"


def _numbered(target: Path, parts: int) -> list[Path]:
    """The one file, or as many, numbered from 1."""
    if parts == 1:
        return [target]
    digits = len(str(parts))
    return [target.with_stem(f"{target.stem}_{part:0{digits}}") for part in range(1, parts + 1)]


def _half(report: Report, part: int, parts: int) -> Callable[[float], object]:
    """What a part is of the second half of the work."""
    return lambda share: report(0.5 + (part + share) / parts / 2)
