"""A recording as one CSV: a row for each sample, its time in seconds, a column for each lead in mV."""

import math
from pathlib import Path

from ecgstream.exports.survey import Report, Survey, Whole, pieces
from engine.files import replacing
from engine.leads import DISCLAIMER, INDEX
from stream.sources.record import Record

MOST_DECIMALS = 6
"""Of a voltage in mV: a nanovolt."""


def write_csv(path: Path, whole: Whole, found: Survey, report: Report) -> None:
    """Write a recording.

    The cell of a sample that is missing is empty; in a gap of a second or more there are no rows. Where leads are
    derived, one more column is named by what that means; its cells are empty.

    Parameters
    ----------
    path : Path
        Where it goes, in the place of what is there.
    whole, found : Whole, Survey
        What is exported.
    report : callable
        Told the share that is done.

    Raises
    ------
    SourceError
        If the recording cannot be read to its end.
    """
    record = whole.record
    rows = [INDEX[lead] for lead in found.leads]
    names = ["time (s)", *(f"{whole.names[lead]} (mV)" for lead in found.leads)]
    template = ",".join([f"%.{_time_decimals(record)}f", *[f"%.{_decimals(record.gain)}f"] * len(rows)])
    if whole.has_derived:
        names.append(f'"{DISCLAIMER}"')
        template += ","
    template += "\n"
    with replacing(path) as written, written.open("x", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        for start, samples in pieces(record, found.stretches):
            lines = [
                template % (index / record.rate, *row) for index, row in enumerate(samples[rows].T.tolist(), start)
            ]
            file.write("".join(lines).replace("nan", ""))
            report((start + samples.shape[1]) / record.n_samples)


def _decimals(gain: float) -> int:
    """As many as a count of the recording needs."""
    if not 0 < gain < math.inf:
        return MOST_DECIMALS
    enough = max(1, math.ceil(math.log10(gain)) + 2)
    exact = (n for n in range(1, enough) if math.isclose(10**n / gain, round(10**n / gain), rel_tol=1e-9))
    return min(next(exact, enough), MOST_DECIMALS)


def _time_decimals(record: Record) -> int:
    """As many as tell the samples' times exactly, or to the microsecond."""
    exact = (n for n in range(1, 6) if math.isclose(10**n / record.rate, round(10**n / record.rate), rel_tol=1e-9))
    return next(exact, 6)
