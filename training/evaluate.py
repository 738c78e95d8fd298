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
from engine.errors import SourceError, UsageError
from engine.leads import CHEST, INDEPENDENT, INDEX, LEADS, LIMB, RATE, Origin
from engine.model import load, load_manifest
from engine.reconstruction import Engine
from stream.bed import Bed
from stream.blocks import Block, Chunk
from stream.framer import FRAME
from training.catalog import TEST_FOLD, ptbxl
from training.pack import raise_to_500, read
from training.protocol import BANDS, DIAGNOSTIC, MONITOR, Band, Figures, compare

HOP_CHECKS = 10
"""Recordings on which the live path is run at its own hop too, to show that the hop changes nothing."""


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
        for lead, rows in sorted(self.figures.items(), key=lambda item: INDEX[item[0]]):
            values = np.array(rows)
            r, rmse, mae, snr = (round(float(mean), 4) for mean in values.mean(axis=0))
            median, low = (round(float(q), 4) for q in np.quantile(values[:, 0], [0.5, 0.1]))
            leads[lead] = {"r": r, "rmse_uv": rmse, "mae_uv": mae, "snr_db": snr, "r_median": median, "r_p10": low}
            leads[lead] |= {"n": len(rows), "left_out": self.left_out.get(lead, 0)}
        chest = [figures["r"] for lead, figures in leads.items() if lead in CHEST]
        return {"mean_r": round(float(np.mean(chest)), 4) if chest else None, "leads": leads}


@dataclass
class Exactness:
    """How far measured and computed leads stray from what they must be, in mV."""

    measured: float = 0.0
    computed: float = 0.0

    def add(self, samples: NDArray[np.float32], leads: NDArray[np.float32], origin: NDArray[np.uint8]) -> None:
        """Take one recording: what was measured, what came out, and the origins."""
        measured = origin == Origin.MEASURED
        self.measured = max(self.measured, float(np.abs(leads[measured] - samples[measured]).max(initial=0)))
        first_two = leads[:2].astype(np.float64)
        expected = physics.LIMB_MATRIX @ first_two
        computed = origin[: len(LIMB)] == Origin.COMPUTED
        self.computed = max(self.computed, float(np.abs(leads[: len(LIMB)] - expected)[computed].max(initial=0)))


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
        Instead of `data`, any folder of 12-lead WFDB records.
    model : Path, optional
        Manifest; the shipped model if not given.

    Raises
    ------
    UsageError
        If neither or both folders are given, or no lead is left to estimate.
    SourceError
        If the folder holds no records that can be judged.
    """
    if (data is None) == (records is None):
        raise UsageError("give either --data (a PTB-XL folder) or --records (any folder of 12-lead WFDB records)")
    engine = load(model)
    manifest, path = load_manifest(model)
    linear = load_file(path.parent / manifest.files["safetensors"].name)["linear"]
    result: dict[str, object] = {"model": manifest.name, "leads_in": list(leads_in)}
    ways: dict[str, dict[str, Tally]] = {"offline": {}, "streamed": {}, "linear": {}}
    counts, exactness, hop_difference = {}, Exactness(), 0.0
    for band in BANDS:
        paths = _test_records(data, band) if data else _folder_records(records, band)
        counts[band.name] = len(paths)
        for way in ways.values():
            way[band.name] = Tally()
        for number, record in enumerate(track(paths, f"{band.name} Hz", console=Console(stderr=True))):
            truth = _twelve(record)
            samples = np.full_like(truth, np.nan)
            rows = [INDEX[lead] for lead in leads_in]
            samples[rows] = truth[rows]
            offline = reconstruct(engine, samples)
            exactness.add(samples, offline.leads, offline.origin)
            streamed = live(engine, samples, _widest_hop(engine))
            if number < HOP_CHECKS:
                own = live(engine, samples, engine.stride)
                shared = min(own.end, streamed.end)
                difference = np.abs(own.leads[:, :shared] - streamed.leads[:, :shared])
                hop_difference = max(hop_difference, float(np.nanmax(difference, initial=0)))
            asked = [lead for lead in LEADS if _is_estimated(offline.origin[INDEX[lead]])]
            _judge(ways["offline"][band.name], asked, band, truth, offline)
            _judge(ways["streamed"][band.name], asked, band, truth, streamed)
            _judge_linear(ways["linear"][band.name], asked, band, truth, leads_in, linear)
    if not any(counts.values()):
        raise SourceError(f"{data or records} holds no records to judge; see ecgstream evaluate --help")
    result["n_records"] = counts[MONITOR.name] or counts[DIAGNOSTIC.name]
    result["n_records_by_band"] = counts
    result["look_ahead_ms"] = 1000 * engine.look_ahead / RATE
    for name, tallies in ways.items():
        result[name] = {band: tally.summary() for band, tally in tallies.items() if counts[band]}
    result["exact"] = {"measured_max_abs_mv": exactness.measured, "computed_max_abs_mv": exactness.computed}
    result["hop_max_abs_mv"] = hop_difference
    return result


def reconstruct(engine: Engine, samples: NDArray[np.float32]) -> Block:
    """A whole recording at once: (12, n) in mV, NaN where nothing was measured."""
    length = samples.shape[1]
    fill = np.full((len(LEADS), -length % engine.stride), np.nan, np.float32)
    whole = engine.estimate(np.concatenate([samples, fill], axis=1), length + fill.shape[1])
    return Block(0, whole.leads[:, :length], whole.interval[:, :length], whole.origin[:, :length])


def live(engine: Engine, samples: NDArray[np.float32], hop: int) -> Block:
    """What the live path had settled of a recording when its last sample had come."""
    blocks = Bed(engine, RATE, hop=hop).push(Chunk(0, samples))
    if not blocks:
        empty = np.zeros((len(LEADS), 0), np.float32)
        return Block(0, empty, empty, empty.astype(np.uint8))
    leads, interval, origin = (
        np.concatenate([getattr(block, name) for block in blocks], axis=1) for name in ("leads", "interval", "origin")
    )
    return Block(blocks[0].start, leads, interval, origin)


def _widest_hop(engine: Engine) -> int:
    """The longest hop whose context fits a frame: the fewest frames for the same numbers."""
    return (FRAME - engine.left_context - engine.look_ahead) // engine.stride * engine.stride


def _judge(tally: Tally, asked: list[str], band: Band, truth: NDArray[np.float32], block: Block) -> None:
    rows = [INDEX[lead] for lead in asked]
    shown = slice(block.start, block.end)
    known = [row for row in rows if not np.isnan(truth[row]).any()]
    if known and block.end - block.start > RATE:
        figures = compare(band.apply(truth[known, shown]), band.apply(block.leads[known]))
        tally.add([LEADS[row] for row in known], figures)


def _judge_linear(
    tally: Tally,
    asked: list[str],
    band: Band,
    truth: NDArray[np.float32],
    leads_in: tuple[str, ...],
    linear: NDArray[np.float32],
) -> None:
    """The linear model on what the physics knows, in the band it is judged in."""
    samples = np.full_like(truth, np.nan)
    rows = [INDEX[lead] for lead in leads_in]
    samples[rows] = truth[rows]
    known, mask, _ = physics.solve(samples)
    number = int((mask[:, 0] * 2 ** np.arange(len(INDEPENDENT))).sum())
    eight = np.nan_to_num(known[[INDEX[lead] for lead in INDEPENDENT]])
    estimate = physics.MATRIX @ (linear[number].astype(np.float64) @ band.apply(eight))
    rows = [INDEX[lead] for lead in asked if not np.isnan(truth[INDEX[lead]]).any()]
    if rows:
        tally.add([LEADS[row] for row in rows], compare(band.apply(truth[rows]), estimate[rows]))


def _is_estimated(origin: NDArray[np.uint8]) -> bool:
    return bool((origin == Origin.ESTIMATED).any())


def _test_records(data: Path, band: Band) -> list[Path]:
    return [entry.path for entry in ptbxl(data, frozenset({TEST_FOLD}), band.rate)]


def _folder_records(folder: Path | None, band: Band) -> list[Path]:
    """The records of a folder that a band can be judged on: all at 0.5-40 Hz, from 500 Hz up at 0.05-150 Hz."""
    import wfdb

    headers = sorted(Path(folder or ".").rglob("*.hea"))
    least = RATE if band is DIAGNOSTIC else 0
    return [path.with_suffix("") for path in headers if wfdb.rdheader(str(path.with_suffix(""))).fs >= least]


def _twelve(record: Path) -> NDArray[np.float32]:
    """All twelve leads of a recording at 500 Hz, (12, n) in mV; limb leads by physics, NaN where it holds none."""
    leads, rate = read(record)
    eight = raise_to_500(np.nan_to_num(leads), rate)
    eight[np.isnan(leads).all(axis=1)] = np.nan
    twelve: NDArray[np.float32] = np.full((len(LEADS), eight.shape[1]), np.nan, np.float32)
    twelve[[INDEX[lead] for lead in INDEPENDENT]] = eight
    return physics.solve(twelve)[0]
