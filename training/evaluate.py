"""Judging a model by the one protocol: offline and as streamed, beside the linear model, on recordings it never saw."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from safetensors.numpy import load_file

from engine import physics
from engine.errors import EcgStreamError, ModelError, SourceError, UsageError
from engine.leads import CHEST, INDEPENDENT, INDEPENDENT_ROWS, INDEX, LEADS, LIMB, RATE, Origin
from engine.model import Manifest, load, load_manifest
from engine.quality import LeadSignal
from engine.reconstruction import Engine
from stream.bed import OFFLINE_HOP, Bed, offline_bed, passed
from stream.items import Block, Chunk, Event, Item
from stream.resampler import Resampler
from stream.sources.record import open_record
from training.catalog import TEST_FOLD, ptbxl, segments
from training.pack import raise_to_500, read
from training.protocol import BANDS, DIAGNOSTIC, MONITOR, Band, Figures, compare
from training.results import BandResult, Exact, LeadResult, Results

DEVICE_CHUNK_S = 0.02
"""What a device sends at once."""
DEFECT = "this is a defect of ecgstream: report it with the record and the --leads"
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
                self.leave_out([lead])

    def leave_out(self, leads: Iterable[str]) -> None:
        """Count one recording in which these leads cannot be judged."""
        for lead in leads:
            self.left_out[lead] = self.left_out.get(lead, 0) + 1

    def summary(self) -> BandResult:
        """Means by lead, and the mean r over the chest leads."""
        leads = {lead: self._lead(lead) for lead in LEADS if lead in self.figures or lead in self.left_out}
        chest = [result.r for lead, result in leads.items() if lead in CHEST and result.r is not None]
        return BandResult(round(float(np.mean(chest)), 4) if chest else None, leads)

    def _lead(self, lead: str) -> LeadResult:
        rows, left_out = self.figures.get(lead, []), self.left_out.get(lead, 0)
        if not rows:
            return LeadResult(0, left_out)
        values = np.array(rows)
        means, quantiles = values.mean(axis=0), np.quantile(values[:, 0], [0.5, 0.1])
        return LeadResult(len(rows), left_out, *(round(float(figure), 4) for figure in (*means, *quantiles)))


@dataclass(frozen=True)
class Emitted:
    """What came out of a bed, side by side from index 0: (12, n) each, in mV; NaN and of no origin in gaps."""

    leads: NDArray[np.float32]
    interval: NDArray[np.float32]
    origin: NDArray[np.uint8]

    @property
    def end(self) -> int:
        """Sample index after the last column."""
        return int(self.origin.shape[1])


@dataclass
class Exactness:
    """How far measured and computed leads stray from what they must be, in mV."""

    measured: float = 0.0
    computed: float = 0.0

    def add(self, what: str, samples: NDArray[np.float32], leads_in: tuple[str, ...], emitted: Emitted) -> None:
        """Take one recording.

        Parameters
        ----------
        what : str
            The recording and the way it went, for the error.
        samples : ndarray, (12, n) float32, mV
            What was measured, at 500 Hz, of all that must come out.
        leads_in : tuple of str
            The leads that were given.
        emitted : Emitted
            What came out.

        Raises
        ------
        EcgStreamError
            If a sample is lost or is not of the origin that it must be of: it would stray from nothing.
        """
        kept, _ = LeadSignal(leads_in).push(samples)
        _, _, origin = physics.solve(kept)
        there = np.where(np.isnan(emitted.leads), np.uint8(Origin.NONE), emitted.origin)
        if wrong := first_difference(origin, there):
            raise EcgStreamError(f"{what}: {wrong}; {DEFECT}")
        strayed = np.abs(emitted.leads - kept)[origin == Origin.MEASURED]
        self.measured = max(self.measured, float(strayed.max(initial=0)))
        limb, computed = emitted.leads[: len(LIMB)], origin[: len(LIMB)] == Origin.COMPUTED
        strayed = np.abs(limb - physics.LIMB_MATRIX @ limb[:2].astype(np.float64))[computed]
        self.computed = max(self.computed, float(strayed.max(initial=0)))


class Judge:
    """Takes recordings one by one and keeps their figures.

    Parameters
    ----------
    engine : Engine
        With the model that is judged.
    linear : ndarray, (256, 8, 8)
        The least-squares matrices it is held against.
    leads_in, asked : tuple of str
        Leads given to the model; leads that are the network's.
    """

    def __init__(
        self, engine: Engine, linear: NDArray[np.float32], leads_in: tuple[str, ...], asked: tuple[str, ...]
    ) -> None:
        self.counts = {band.name: 0 for band in BANDS}
        self._engine = engine
        self._linear = linear
        self._leads_in = leads_in
        self._asked = asked
        self._tallies: dict[str, dict[str, Tally]] = {"offline": {}, "streamed": {}, "linear": {}}
        self._exactness = Exactness()
        self._hop_difference = 0.0

    def take(self, path: Path, band: Band) -> None:
        """Judge a recording in a band, if it holds what is needed.

        Raises
        ------
        SourceError
            If it cannot be read.
        EcgStreamError
            If a sample of it is lost.
        """
        own, rate = read(path)
        truth = raise_to_500(own, rate).astype(np.float32)
        samples = _given(truth, self._leads_in)
        held = [lead for lead in self._asked if not np.isnan(truth[INDEX[lead]]).any()]
        if not held or np.isnan(samples[_rows(self._leads_in)]).all(axis=1).any():
            return
        offline = self._offline(path, samples)
        streamed = self._streamed(path, _given(own, self._leads_in), rate, self.counts[band.name] < HOP_CHECKS)
        self.counts[band.name] += 1
        offline_tally, streamed_tally, linear_tally = (
            of.setdefault(band.name, Tally()) for of in self._tallies.values()
        )
        rows = _rows(held)
        whole = band.apply(truth[rows])
        offline_tally.add(held, compare(whole, band.apply(offline.leads[rows])))
        linear_tally.add(held, compare(whole, solve_linear(self._linear, band, samples)[rows]))
        if streamed.end < RATE:
            streamed_tally.leave_out(held)
        else:
            part = band.apply(truth[rows, : streamed.end])
            streamed_tally.add(held, compare(part, band.apply(streamed.leads[rows])))

    def results(self, manifest: Manifest) -> Results:
        """All figures so far, those of the model with this manifest."""
        return Results(
            model=manifest.name,
            model_sha256=manifest.files["onnx"].sha256,
            leads_in=self._leads_in,
            n_records=self.counts[MONITOR.name] or self.counts[DIAGNOSTIC.name],
            n_records_by_band=self.counts,
            look_ahead_ms=1000 * self._engine.look_ahead / RATE,
            ways={way: {band: tally.summary() for band, tally in of.items()} for way, of in self._tallies.items()},
            exact=Exact(self._exactness.measured, self._exactness.computed),
            hop_max_abs_mv=self._hop_difference,
        )

    def _offline(self, path: Path, samples: NDArray[np.float32]) -> Emitted:
        emitted = reconstruct(self._engine, samples, self._leads_in)
        self._exactness.add(f"{path}, offline", samples, self._leads_in, emitted)
        return emitted

    def _streamed(self, path: Path, samples: NDArray[np.float32], rate: float, check_hop: bool) -> Emitted:
        """From as few frames as can be; where the hop is checked, from each frame of the live path as well."""
        engine, leads_in = self._engine, self._leads_in
        arrived = resampled(samples, rate)
        received = arrived.shape[1]
        due = arrived[:, : max(0, received // engine.stride * engine.stride - engine.look_ahead)]
        emitted = live(engine, samples, rate, leads_in, longest_hop(received, engine.stride))
        self._exactness.add(f"{path}, as streamed", due, leads_in, emitted)
        if check_hop:
            steady = live(engine, samples, rate, leads_in)
            self._exactness.add(f"{path}, frame by frame", due, leads_in, steady)
            difference = np.abs(steady.leads - emitted.leads)[steady.origin != Origin.NONE]
            self._hop_difference = max(self._hop_difference, float(difference.max(initial=0)))
        return emitted


def evaluate(
    leads_in: tuple[str, ...],
    *,
    data: Path | None = None,
    records: Path | None = None,
    model: Path | None = None,
    threads: int = 1,
) -> Results:
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
    threads : int
        That the network runs on.

    Raises
    ------
    UsageError
        If neither or both folders are given, or no lead is left to estimate.
    SourceError
        If the folder holds no records that can be judged, or one that cannot be read.
    ModelError
        If there is no such model.
    EcgStreamError
        If a sample is lost on its way.
    """
    if (data is None) == (records is None):
        raise UsageError("give either --data (a PTB-XL folder) or --records (any folder of 12-lead WFDB records)")
    asked = estimated(leads_in)
    engine = load(model, threads=threads)
    manifest, linear = _linear(model)
    judge = Judge(engine, linear, leads_in, asked)
    in_folder = _folder_records(records) if records else []
    for band in BANDS:
        paths = _test_records(data, band) if data else [path for path, rate in in_folder if _suits(band, rate)]
        for path in track(paths, f"{band.name} Hz", console=Console(stderr=True)):
            judge.take(path, band)
    if not any(judge.counts.values()):
        raise SourceError(
            f"no record in {data or records} holds {', '.join(leads_in)} and one of {', '.join(asked)}; "
            "choose other --leads or another folder"
        )
    return judge.results(manifest)


def estimated(leads_in: tuple[str, ...]) -> tuple[str, ...]:
    """The leads that are the network's where these are given.

    Raises
    ------
    UsageError
        If there are none.
    """
    _, _, origin = physics.solve(_given(np.zeros((len(LEADS), 1), np.float32), leads_in))
    asked = tuple(lead for lead, of in zip(LEADS, origin[:, 0], strict=True) if of == Origin.ESTIMATED)
    if not asked:
        raise UsageError(f"nothing is left to estimate from {', '.join(leads_in)}; give fewer --leads")
    return asked


def twelve(record: Path) -> NDArray[np.float32]:
    """All twelve leads of a recording at 500 Hz, (12, n) in mV; limb leads by physics, NaN where it holds none."""
    leads, rate = read(record)
    return raise_to_500(leads, rate).astype(np.float32)


def reconstruct(engine: Engine, samples: NDArray[np.float32], leads_in: tuple[str, ...]) -> Emitted:
    """A whole recording at 500 Hz in stretches as long as can be, as it is converted.

    Parameters
    ----------
    engine : Engine
        With the model.
    samples : ndarray, (12, n) float32, mV
        NaN where nothing was measured.
    leads_in : tuple of str
        The leads that were measured.
    """
    bed = offline_bed(engine, RATE, leads_in, hop=min(samples.shape[1] + 1, OFFLINE_HOP))
    return side_by_side(passed(engine, bed, _chunks(samples, OFFLINE_HOP)))


def live(
    engine: Engine, samples: NDArray[np.float32], rate: float, leads_in: tuple[str, ...], hop: int | None = None
) -> Emitted:
    """What the live path has emitted of a recording when its last sample has come, sent as a device sends it.

    Parameters
    ----------
    engine : Engine
        With the model.
    samples : ndarray, (12, n) float32, mV
        NaN where nothing was measured.
    rate : float
        Of the samples, Hz.
    leads_in : tuple of str
        The leads that were measured.
    hop : int, optional
        Samples (500 Hz) between frames; the live path's if not given.
    """
    bed = Bed(engine, rate, leads_in) if hop is None else offline_bed(engine, rate, leads_in, hop=hop)
    chunks = _chunks(samples, max(1, round(rate * DEVICE_CHUNK_S)))
    return side_by_side(passed(engine, bed, chunks, finish=False))


def resampled(samples: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """What has come out of the live path's resampler with the last sample of a recording, (12, n) in mV at 500 Hz."""
    nothing: NDArray[np.float32] = np.empty((len(LEADS), 0), np.float32)
    return np.concatenate([nothing, *(made.samples for made in Resampler(rate).push(Chunk(0, samples)))], axis=1)


def longest_hop(received: int, stride: int) -> int:
    """The longest hop, up to the offline one, with which of so many samples exactly as much settles as live."""
    blocks = max(1, received // stride)
    return stride * max(n for n in range(1, OFFLINE_HOP // stride + 1) if blocks % n == 0)


def side_by_side(items: Iterable[Item]) -> Emitted:
    """What blocks and gaps hold, each in its place.

    Raises
    ------
    EcgStreamError
        If they do not follow one another.
    """
    pieces = [item for item in items if not isinstance(item, Event)]
    end = pieces[-1].end if pieces else 0
    leads = np.full((len(LEADS), end), np.nan, np.float32)
    emitted = Emitted(leads, np.zeros_like(leads), np.full(leads.shape, Origin.NONE, np.uint8))
    last = 0
    for piece in pieces:
        if piece.start != last:
            raise EcgStreamError(f"index {piece.start} came out after {last}; {DEFECT}")
        last = piece.end
        if isinstance(piece, Block):
            for name in ("leads", "interval", "origin"):
                getattr(emitted, name)[:, piece.start : piece.end] = getattr(piece, name)
    return emitted


def first_difference(expected: NDArray[np.uint8], emitted: NDArray[np.uint8]) -> str:
    """In words, the first sample that is not of the `Origin` that it must be of, (12, n) each; empty if all are."""
    if expected.shape != emitted.shape:
        return f"{emitted.shape[1]} samples came out where {expected.shape[1]} must"
    if (expected == emitted).all():
        return ""
    index, row = np.argwhere((expected != emitted).T)[0]
    is_now, must_be = (Origin(of[row, index]).name.lower() for of in (emitted, expected))
    return f"{LEADS[row]} at {index / RATE:g} s is {is_now} where it must be {must_be}"


def solve_linear(linear: NDArray[np.float32], band: Band, samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The linear model on what the physics knows, (12, n) in mV, in the band it is judged in."""
    known, mask, _ = physics.solve(samples)
    number = int((mask.all(axis=1) * 2 ** np.arange(len(INDEPENDENT))).sum())
    eight = band.apply(np.nan_to_num(known[list(INDEPENDENT_ROWS)]))
    twelve: NDArray[np.float64] = physics.MATRIX @ (linear[number].astype(np.float64) @ eight)
    return twelve


def _given(truth: NDArray[np.float32], leads_in: tuple[str, ...]) -> NDArray[np.float32]:
    """What a model is given of a recording."""
    samples = np.full_like(truth, np.nan)
    samples[_rows(leads_in)] = truth[_rows(leads_in)]
    return samples


def _rows(leads: Iterable[str]) -> list[int]:
    return [INDEX[lead] for lead in leads]


def _chunks(samples: NDArray[np.float32], length: int) -> Iterator[Chunk]:
    for start in range(0, samples.shape[1], length):
        yield Chunk(start, samples[:, start : start + length])


def _linear(model: Path | None) -> tuple[Manifest, NDArray[np.float32]]:
    """A model's manifest and its least-squares matrices, (256, 8, 8)."""
    manifest, path = load_manifest(model)
    if "safetensors" not in manifest.files:
        raise ModelError(f"{path} names no safetensors file, which holds the linear model; package the model anew")
    return manifest, load_file(path.parent / manifest.files["safetensors"].name)["linear"]


def _test_records(data: Path, band: Band) -> list[Path]:
    return [entry.path for entry in ptbxl(data, frozenset({TEST_FOLD}), band.rate)]


def _folder_records(folder: Path) -> list[tuple[Path, float]]:
    """The records of a folder and their rates; the segments of a record are none of their own."""
    headers = sorted(path for path in folder.rglob("*.hea") if path.is_file())
    inner = {segment for header in headers for segment in segments(header)}
    records = [(header.with_suffix(""), open_record(header).rate) for header in headers if header not in inner]
    if not records:
        raise SourceError(f"{folder} holds no WFDB records (.hea); give --records a folder of twelve-lead records")
    return records


def _suits(band: Band, rate: float) -> bool:
    """Whether records of a rate can be judged in a band: all at 0.5-40 Hz, from 500 Hz up at 0.05-150 Hz."""
    return band is MONITOR or rate >= RATE
