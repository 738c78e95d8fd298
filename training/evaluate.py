"""Judging a model by the one protocol: offline and as streamed, beside the linear model, on recordings it never saw."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from safetensors.numpy import load_file

from engine import physics
from engine.errors import ModelError, SourceError, UsageError
from engine.leads import CHEST, INDEPENDENT, INDEPENDENT_ROWS, INDEX, LEADS, LIMB, RATE, Origin
from engine.model import load, load_manifest
from engine.reconstruction import Engine
from stream.bed import OFFLINE_HOP, Bed, offline_bed
from stream.items import Block, Chunk
from stream.sources.record import open_record
from training.catalog import TEST_FOLD, ptbxl
from training.pack import raise_to_500, read
from training.protocol import BANDS, DIAGNOSTIC, MONITOR, Band, Figures, compare

HOP_CHECKS = 10
"""Recordings of a band on which every frame of the live path is run, to show that their number changes nothing."""


@dataclass
class Tally:
    """Figures of many recordings, by lead."""

    figures: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, leads: Iterable[str], figures: Figures) -> None:
        """Take one recording: a row of figures for each lead."""
        for row, lead in enumerate(leads):
            if figures.counted[row]:
                values = (figures.r[row], figures.rmse_uv[row], figures.mae_uv[row], figures.snr_db[row])
                self.figures.setdefault(lead, []).append(values)
            else:
                self.left_out[lead] = self.left_out.get(lead, 0) + 1

    def summary(self) -> dict[str, object]:
        """Means by lead, and the mean r over the chest leads."""
        leads: dict[str, dict[str, float | int]] = {}
        for lead in sorted(self.figures.keys() | self.left_out.keys(), key=INDEX.__getitem__):
            rows = self.figures.get(lead, [])
            leads[lead] = {"n": len(rows), "left_out": self.left_out.get(lead, 0)}
            if not rows:
                continue
            values = np.array(rows)
            r, rmse, mae, snr = (round(float(mean), 4) for mean in values.mean(axis=0))
            median, low = (round(float(q), 4) for q in np.quantile(values[:, 0], [0.5, 0.1]))
            leads[lead] |= {"r": r, "rmse_uv": rmse, "mae_uv": mae, "snr_db": snr, "r_median": median, "r_p10": low}
        chest = [figures["r"] for lead, figures in leads.items() if lead in CHEST and figures["n"]]
        return {"mean_r": round(float(np.mean(chest)), 4) if chest else None, "leads": leads}


@dataclass
class Exactness:
    """How far measured and computed leads stray from what they must be, in mV."""

    measured: float = 0.0
    computed: float = 0.0

    def add(self, samples: NDArray[np.float32], block: Block) -> None:
        """Take one recording: what was measured and what came out."""
        measured = block.origin == Origin.MEASURED
        strayed = np.abs(block.leads - samples[:, block.start : block.end])[measured]
        self.measured = max(self.measured, float(strayed.max(initial=0)))
        limb, computed = block.leads[: len(LIMB)], block.origin[: len(LIMB)] == Origin.COMPUTED
        strayed = np.abs(limb - physics.LIMB_MATRIX @ limb[:2].astype(np.float64))[computed]
        self.computed = max(self.computed, float(strayed.max(initial=0)))


def evaluate(
    leads_in: tuple[str, ...], *, data: Path | None = None, records: Path | None = None, model: Path | None = None
) -> dict[str, object]:
    """Figures of a model for one set of leads.

    Parameters
    ----------
    leads_in : tuple of str
        Leads given to the model.
    data : Path, optional
        A folder with PTB-XL: its fold 10 is judged.
    records : Path, optional
        Instead of `data`, any folder of 12-lead WFDB records. A record that lacks a lead of `leads_in` is left out, and
        so is each lead that a record lacks or holds with a gap.
    model : Path, optional
        Manifest; the shipped model if not given.

    Raises
    ------
    UsageError
        If neither or both folders are given, or no lead is left to estimate.
    SourceError
        If the folder holds no records that can be judged, or one that cannot be read.
    ModelError
        If there is no such model.
    """
    if (data is None) == (records is None):
        raise UsageError("give either --data (a PTB-XL folder) or --records (any folder of 12-lead WFDB records)")
    asked = _estimated(leads_in)
    engine = load(model)
    name, linear = _linear(model)
    in_folder = _folder_records(records) if records else []
    ways: dict[str, dict[str, Tally]] = {"offline": {}, "streamed": {}, "linear": {}}
    counts, exactness, hop_difference = {}, Exactness(), 0.0
    for band in BANDS:
        paths = _test_records(data, band) if data else [path for path, rate in in_folder if _suits(band, rate)]
        tallies = {way: Tally() for way in ways}
        judged = 0
        for record in track(paths, f"{band.name} Hz", console=Console(stderr=True)):
            truth = twelve(record)
            samples = _given(truth, leads_in)
            held = [lead for lead in asked if not np.isnan(truth[INDEX[lead]]).any()]
            if not held or np.isnan(samples[_rows(leads_in)]).all(axis=1).any():
                continue
            offline, streamed = reconstruct(engine, samples), live(engine, samples, hurried=True)
            exactness.add(samples, offline)
            exactness.add(samples, streamed)
            if judged < HOP_CHECKS:
                difference = np.abs(live(engine, samples).leads - streamed.leads)
                hop_difference = max(hop_difference, float(np.nanmax(difference, initial=0)))
            judged += 1
            rows, shown = _rows(held), slice(streamed.start, streamed.end)
            whole = band.apply(truth[rows])
            tallies["offline"].add(held, compare(whole, band.apply(offline.leads[rows])))
            tallies["linear"].add(held, compare(whole, solve_linear(linear, band, samples)[rows]))
            if streamed.end - streamed.start >= RATE:
                part = band.apply(truth[rows, shown])
                tallies["streamed"].add(held, compare(part, band.apply(streamed.leads[rows])))
        counts[band.name] = judged
        for way, tally in tallies.items():
            ways[way][band.name] = tally
    if not any(counts.values()):
        raise SourceError(
            f"no record in {data or records} holds {', '.join(leads_in)} and one of {', '.join(asked)}; "
            "choose other --leads or another folder"
        )
    summaries = {way: {band: tally.summary() for band, tally in of.items() if counts[band]} for way, of in ways.items()}
    return {
        "model": name,
        "leads_in": list(leads_in),
        "n_records": counts[MONITOR.name] or counts[DIAGNOSTIC.name],
        "n_records_by_band": counts,
        "look_ahead_ms": 1000 * engine.look_ahead / RATE,
        **summaries,
        "exact": {"measured_max_abs_mv": exactness.measured, "computed_max_abs_mv": exactness.computed},
        "hop_max_abs_mv": hop_difference,
    }


def twelve(record: Path) -> NDArray[np.float32]:
    """All twelve leads of a recording at 500 Hz, (12, n) in mV; limb leads by physics, NaN where it holds none."""
    leads, rate = read(record)
    return raise_to_500(leads, rate).astype(np.float32)


def reconstruct(engine: Engine, samples: NDArray[np.float32]) -> Block:
    """A whole recording in stretches as long as can be, as it is converted: (12, n) in mV, NaN where unmeasured."""
    bed = offline_bed(engine, RATE, hop=min(samples.shape[1] + 1, OFFLINE_HOP))
    return _joined([*bed.push(Chunk(0, samples)), *bed.finish()])


def live(engine: Engine, samples: NDArray[np.float32], hurried: bool = False) -> Block:
    """What the live path had settled of a recording when its last sample had come.

    Hurried, it computes only the frames that it cannot do without.
    """
    return _joined(Bed(engine, RATE).push(Chunk(0, samples), late=hurried))


def solve_linear(linear: NDArray[np.float32], band: Band, samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The linear model on what the physics knows, (12, n) in mV, in the band it is judged in."""
    known, mask, _ = physics.solve(samples)
    number = int((mask.all(axis=1) * 2 ** np.arange(len(INDEPENDENT))).sum())
    eight = band.apply(np.nan_to_num(known[list(INDEPENDENT_ROWS)]))
    twelve: NDArray[np.float64] = physics.MATRIX @ (linear[number].astype(np.float64) @ eight)
    return twelve


def _estimated(leads_in: tuple[str, ...]) -> list[str]:
    """The leads that are the network's where these are given."""
    _, _, origin = physics.solve(_given(np.zeros((len(LEADS), 1), np.float32), leads_in))
    asked = [lead for lead, of in zip(LEADS, origin[:, 0], strict=True) if of == Origin.ESTIMATED]
    if not asked:
        raise UsageError(f"nothing is left to estimate from {', '.join(leads_in)}; give fewer --leads")
    return asked


def _given(truth: NDArray[np.float32], leads_in: tuple[str, ...]) -> NDArray[np.float32]:
    """What a model is given of a recording."""
    samples = np.full_like(truth, np.nan)
    samples[_rows(leads_in)] = truth[_rows(leads_in)]
    return samples


def _rows(leads: Iterable[str]) -> list[int]:
    return [INDEX[lead] for lead in leads]


def _joined(blocks: list[Block]) -> Block:
    nothing: NDArray[np.float32] = np.empty((len(LEADS), 0), np.float32)
    leads, interval = (
        np.concatenate([nothing, *(getattr(block, name) for block in blocks)], axis=1) for name in ("leads", "interval")
    )
    origin = np.concatenate([nothing.astype(np.uint8), *(block.origin for block in blocks)], axis=1)
    return Block(0, leads, interval, origin)


def _linear(model: Path | None) -> tuple[str, NDArray[np.float32]]:
    """A model's name and its least-squares matrices, (256, 8, 8)."""
    manifest, path = load_manifest(model)
    if "safetensors" not in manifest.files:
        raise ModelError(f"{path} names no safetensors file, which holds the linear model; export the model anew")
    return manifest.name, load_file(path.parent / manifest.files["safetensors"].name)["linear"]


def _test_records(data: Path, band: Band) -> list[Path]:
    return [entry.path for entry in ptbxl(data, frozenset({TEST_FOLD}), band.rate)]


def _folder_records(folder: Path) -> list[tuple[Path, float]]:
    """The records of a folder and their rates; the segments of a record are none of their own."""
    headers = sorted(folder.rglob("*.hea"))
    segments = {segment for header in headers for segment in _segments(header)}
    records = [(header.with_suffix(""), open_record(header).rate) for header in headers if header not in segments]
    if not records:
        raise SourceError(f"{folder} holds no WFDB records (.hea); give --records a folder of twelve-lead records")
    return records


def _segments(header: Path) -> list[Path]:
    """The headers that a header names as its segments."""
    lines = [line.split() for line in header.read_text("latin-1").splitlines() if line.strip() and line[0] != "#"]
    if not lines or "/" not in lines[0][0]:
        return []
    return [header.with_name(f"{words[0]}.hea") for words in lines[1:]]


def _suits(band: Band, rate: float) -> bool:
    """Whether records of a rate can be judged in a band: all at 0.5-40 Hz, from 500 Hz up at 0.05-150 Hz."""
    return band is MONITOR or rate >= RATE
