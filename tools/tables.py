"""Puts measured figures into the docs: every number in a marked table comes from a file that a command wrote.

    python tools/tables.py

Accuracy comes from docs/results/*.json (`ecgstream evaluate --json`), speed from docs/performance.json
(`make bench`). A table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.files import replacing
from engine.leads import CHEST
from training.results import LeadResult, Results
from training.tables import WAYS, read

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
DOCUMENTS = ("README.md", "docs/results.md", "docs/performance.md")
MAIN = "I,II,V4"


def main() -> None:
    """Fill every document."""
    for name in DOCUMENTS:
        path = ROOT / name
        filled = fill(path.read_text(encoding="utf-8"))
        with replacing(path) as part:
            part.write_text(filled, encoding="utf-8")


def fill(text: str) -> str:
    """The text with all its tables as the files have them.

    Raises
    ------
    KeyError
        If it has a table of a name that nothing makes.
    """
    tables = all_tables()

    def put(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{tables[match[1]]}\n<!-- /{match[1]} -->"

    return re.sub(r"<!-- ([A-Z-]+) -->\n.*?<!-- /\1 -->", put, text, flags=re.DOTALL)


def all_tables() -> dict[str, str]:
    """Every table by its name."""
    results = all_results()
    speed = json.loads((ROOT / "docs" / "performance.json").read_text(encoding="utf-8"))
    return {
        "ACCURACY": accuracy(results[MAIN]),
        "SETS": sets(results),
        "ERRORS": errors(results[MAIN]),
        "EXACTNESS": exactness(results[MAIN]),
        "SPEED": performance(speed),
        "PAIRED": paired(speed["paired"]),
    }


def all_results() -> dict[str, Results]:
    """What was measured, by the leads that were given."""
    return {path.stem: read(path) for path in sorted(RESULTS.glob("*.json"))}


def accuracy(results: Results) -> str:
    """Mean r by band and way, how many records it rests on, and r of every estimated chest lead."""
    leads = [lead for lead in CHEST if lead not in results.leads_in]
    rows = []
    for band in results.ways["offline"]:
        for way, words in WAYS.items():
            found = results.ways[way][band]
            count = str(results.n_records_by_band[band])
            rows.append([f"{band} Hz", count, words, r(found.mean_r), *(r(found.leads[lead].r) for lead in leads)])
    return table(["band", "records", "way", "mean r", *leads], rows)


def sets(results: dict[str, Results]) -> str:
    """Mean r over the missing chest leads for every set of leads in, network beside linear model."""
    rows = []
    for name, of_set in results.items():
        band = "0.5-40"
        leads = of_set.ways["streamed"][band].leads
        rows.append(
            [
                name.replace(",", ", "),
                *(r(of_set.ways[way][band].mean_r) for way in WAYS),
                *(r(leads[lead].r) if lead in leads else "in" for lead in CHEST),
            ]
        )
    return table(["leads in", *WAYS.values(), *CHEST], rows)


def errors(results: Results) -> str:
    """All figures of every estimated lead as streamed."""
    bands = results.ways["streamed"].items()
    rows = [[f"{band} Hz", lead, *_errors(each)] for band, found in bands for lead, each in found.leads.items()]
    heads = [
        "band",
        "lead",
        "r",
        "median",
        "10th percentile",
        "RMSE (uV)",
        "MAE (uV)",
        "SNR (dB)",
        "records",
        "left out",
    ]
    return table(heads, rows)


def _errors(lead: LeadResult) -> list[str]:
    correlations = (r(value) for value in (lead.r, lead.r_median, lead.r_p10))
    sizes = ("" if value is None else f"{value:.0f}" for value in (lead.rmse_uv, lead.mae_uv))
    snr = "" if lead.snr_db is None else f"{lead.snr_db:.1f}"
    return [*correlations, *sizes, snr, str(lead.n), str(lead.left_out)]


def exactness(results: Results) -> str:
    """What must be exact."""
    exact = results.exact
    return table(
        ["what", "largest difference (mV)"],
        [
            ["measured leads, out against in", f"{exact.measured_max_abs_mv:g}"],
            ["computed leads, against I and II", f"{exact.computed_max_abs_mv:.1e}"],
            ["hop of the live path against the longest hop", f"{results.hop_max_abs_mv:.1e}"],
        ],
    )


def performance(speed: dict[str, Any]) -> str:
    """Speed and memory."""
    latency, convert, frame = speed["replay"]["latency_ms"], speed["convert"], speed["frame"]
    chain = speed["chain"]
    return table(
        ["what", f"measured on {speed['machine']['cores']} cores"],
        [
            [f"`convert`, {convert['hours']:g} h at 500 Hz: times real time", str(convert["times_real_time"])],
            [f"`convert`, {convert['hours']:g} h at 500 Hz: peak memory", f"{convert['peak_mb']} MB"],
            [
                f"`replay` at speed 1: arrival of a sample to its estimate, p50 / p99 "
                f"(of it {speed['replay']['look_ahead_ms']:g} ms look-ahead)",
                f"{latency['p50']:.0f} ms / {latency['p99']:.0f} ms",
            ],
            [
                f"device, LSL, `serve`, LSL, receiver: a sample to its twelve leads, p50 / p99 "
                f"(allowed: look-ahead, a hop and 30 ms, {chain['allowed_ms']:g} ms)",
                f"{chain['latency_ms']['p50']:.0f} ms / {chain['latency_ms']['p99']:.0f} ms",
            ],
            ["one live frame (I, II, V4 in), median / p99", f"{frame['median_ms']:g} ms / {frame['p99_ms']:g} ms"],
            ["`ecgstream --help`", f"{speed['start']['help_s']:g} s"],
        ],
    )


def paired(found: dict[str, Any]) -> str:
    """What changed since an older commit, measured in turn with it."""
    rows = [[what, f"{ratio:.3f}"] for what, ratio in found["ratios"].items()]
    return table(["what", f"time over that of {found['against']}, median of {found['pairs']} pairs"], rows)


def r(value: float | None) -> str:
    """A correlation as it is printed."""
    return "" if value is None else f"{value:.3f}".removeprefix("0")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
