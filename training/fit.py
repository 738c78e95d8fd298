"""Fitting: one loop that reads top to bottom, resumes where it stopped, and keeps what was best on fold 9."""

import json
import math
import time
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.backends.network import Network, Shape
from engine.errors import UsageError
from engine.files import replacing
from engine.leads import CHEST, INDEPENDENT, parse
from training import linear
from training.augment import augment
from training.calibration import interval_scale
from training.catalog import TRAIN_FOLDS, VALIDATION_FOLD, ptbxl, training_entries
from training.loss import loss
from training.pack import Pack, fingerprint, pack
from training.protocol import MONITOR, compare


class Settings(msgspec.Struct, frozen=True):
    """How the network is fitted.

    Attributes
    ----------
    steps : int
        Batches in all.
    batch : int
        Recordings of 10 s in a batch.
    peak_rate, weight_decay : float
        Of AdamW; the rate rises for a twentieth of the steps and falls as a cosine.
    averaging : float
        Decay of the running average of the weights, which is what is kept.
    seed : int
        Of everything that is drawn.
    check_every : int
        Steps between looks at fold 9 and checkpoints.
    check_records : int
        Recordings of fold 9 looked at.
    check_leads : tuple of str
        The leads known in those looks.
    """

    steps: int = 10_000
    batch: int = 32
    peak_rate: float = 2e-3
    weight_decay: float = 0.02
    averaging: float = 0.998
    seed: int = 1
    check_every: int = 500
    check_records: int = 400
    check_leads: tuple[str, ...] = ("I", "II", "V4")


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run was begun with, in ``run.json``: with anything else it does not go on.

    Attributes
    ----------
    settings : Settings
        How the network is fitted.
    shape : dict
        Sizes of the network.
    learnt_from, chosen_on : str
        The `fingerprint` of the recordings of either kind.
    """

    settings: Settings
    shape: dict[str, int | list[int]]
    learnt_from: str
    chosen_on: str


class Result(msgspec.Struct, frozen=True):
    """What a fit leaves in ``result.json`` for the manifest.

    Attributes
    ----------
    shape : dict
        Sizes of the network.
    training : dict
        Recordings by source, folds, settings.
    scores : dict
        On fold 9, by set of leads.
    """

    shape: dict[str, int | list[int]]
    training: dict[str, object]
    scores: dict[str, object]


SCORED_SETS = ("I,II", "I,II,V4", "I,II,V2", "I,II,V3", "I,II,V2,V5", "I,II,V1,V4")


def fit(data: Path, out: Path, settings: Settings, shape: Shape | None = None) -> None:
    """Fit a network; a broken run goes on from ``out/last.pt``.

    ``out/best.pt`` then holds the weights that were best on fold 9, their intervals calibrated there, and
    ``out/result.json`` a `Result`.

    Raises
    ------
    UsageError
        If there is no PTB-XL in `data`, or `out` cannot be written or holds a run that was begun with anything else.
    SourceError
        If there are too few recordings.
    """
    shape = shape or Shape()
    entries, held_out = training_entries(data), ptbxl(data, frozenset({VALIDATION_FOLD}), MONITOR.rate)
    _begin(out, Begun(settings, shape.sizes(), fingerprint(entries), fingerprint(held_out)))
    train, check = pack(entries, out.parent / "cache"), pack(held_out, out.parent / "cache")
    covariance = linear.covariance(train)
    sigma = np.sqrt(np.diag(covariance)).astype(np.float32)

    torch.manual_seed(settings.seed)
    network = Network(shape, linear.table(covariance), sigma)
    averaging = get_ema_multi_avg_fn(settings.averaging)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    averaged = average.module
    assert isinstance(averaged, Network)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    done, best_r = 0, -math.inf
    last = out / "last.pt"
    if last.is_file():
        saved = torch.load(last, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        done, best_r = saved["step"], saved["best_r"]
    started, running = time.monotonic(), 0.0
    for step in range(done, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.peak_rate * _schedule(step / settings.steps)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        example = augment(*_draw(train, step, settings), generator)
        network.train()
        estimate, width = network.estimate(example.x, example.mask)
        value = loss(estimate, width, example.target, example.mask, network.sigma)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)
        running += (value.item() - running) / (step % settings.check_every + 1)

        if (step + 1) % settings.check_every == 0 or step + 1 == settings.steps:
            score = mean_r(averaged, check, settings, settings.check_leads)
            if score > best_r:
                best_r = score
                _save(averaged.state_dict(), out / "best.pt")
            everything = {"network": network.state_dict(), "average": average.state_dict()}
            _save({**everything, "optimizer": optimizer.state_dict(), "step": step + 1, "best_r": best_r}, last)
            pace = (time.monotonic() - started) / (step + 1 - done)
            left = pace * (settings.steps - step - 1) / 60
            line = {
                "step": step + 1,
                "loss": round(running, 4),
                "fold9_r": round(score, 4),
                "minutes_left": round(left),
            }
            with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            print(f"step {step + 1}/{settings.steps}  loss {running:.4f}  fold 9 r {score:.4f}  {left:.0f} min left")
            running = 0.0
    best = Network(shape)
    best.load_state_dict(torch.load(out / "best.pt", weights_only=True))
    best.eval()
    best.interval_scale.copy_(interval_scale(best, check, settings.seed))
    _save(best.state_dict(), out / "best.pt")
    result = Result(
        shape=shape.sizes(),
        training={
            "recordings": dict(Counter(entry.source for entry in entries)),
            "folds": sorted(TRAIN_FOLDS),
            "chosen_on_fold": VALIDATION_FOLD,
            "settings": msgspec.to_builtins(settings),
        },
        scores={
            "fold": VALIDATION_FOLD,
            "records": settings.check_records,
            "band": MONITOR.name,
            "mean_r": {some: round(mean_r(best, check, settings, parse(some)), 4) for some in SCORED_SETS},
        },
    )
    _write(result, out / "result.json")


@torch.no_grad()
def mean_r(network: Network, check: Pack, settings: Settings, leads: tuple[str, ...]) -> float:
    """Mean r over the chest leads that are missing, at 0.5-40 Hz, over some recordings of fold 9."""
    network.eval()
    known = [INDEPENDENT.index(lead) for lead in leads]
    asked = [INDEPENDENT.index(lead) for lead in CHEST if lead not in leads]
    rows = np.linspace(0, len(check.signal) - 1, min(settings.check_records, len(check.signal))).astype(int)
    values = []
    for some in np.array_split(rows, math.ceil(len(rows) / settings.batch)):
        signal, _, held = (torch.from_numpy(part) for part in check.take(some))
        mask = torch.zeros_like(signal)
        mask[:, known] = held[:, known, None]
        estimate, _ = network.estimate(signal * mask, mask)
        figures = compare(MONITOR.apply(signal[:, asked].numpy()), MONITOR.apply(estimate[:, asked].numpy()))
        values.append(np.where(figures.counted, figures.r, np.nan))
    return float(np.nanmean(np.concatenate(values), axis=0).mean())


def _draw(train: Pack, step: int, settings: Settings) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The batch of a step, as `Pack.take`: each recording once an epoch, in an order drawn anew for each."""
    count = len(train.signal)
    places = range(step * settings.batch, (step + 1) * settings.batch)
    epochs = {place // count for place in places}
    orders = {epoch: np.random.default_rng([settings.seed, epoch]).permutation(count) for epoch in epochs}
    rows = np.array([orders[place // count][place % count] for place in places])
    signal, target, held = (torch.from_numpy(part) for part in train.take(rows))
    return signal, target, held


def _schedule(progress: float) -> float:
    """Learning rate over its peak: up for a twentieth, then down as a cosine."""
    warm = 0.05
    if progress < warm:
        return 0.05 + 0.95 * progress / warm
    return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) + 1e-3


def _save(state: object, path: Path) -> None:
    with replacing(path) as part:
        torch.save(state, part)


def _write(struct: msgspec.Struct, path: Path) -> None:
    with replacing(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(struct)) + b"\n")


def _begin(out: Path, now: Begun) -> None:
    """Keep what a run is begun with; where the folder holds some of a run, see that it was begun with the same."""
    path = out / "run.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {out} ({error.strerror}); choose another --out") from error
    if not any((out / name).exists() for name in ("last.pt", "best.pt", "result.json")):
        _write(now, path)
        return
    try:
        before = msgspec.json.decode(path.read_bytes(), type=Begun)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path} does not say what that run was begun with; choose another --out") from error
    if other := ", ".join(_differences(before, now)):
        raise UsageError(f"the run in {out} was begun with {other}; go on with the same, or choose another --out")


def _differences(before: Begun, now: Begun) -> list[str]:
    """What a run was begun with that is another now, in words."""
    settings, others = (msgspec.to_builtins(begun.settings) for begun in (before, now))
    words = []
    for kind, was, new in (("", settings, others), ("the shape's ", before.shape, now.shape)):
        differing = [key for key in {**was, **new} if was.get(key) != new.get(key)]
        words += [f"{kind}{key} {was.get(key)} (now {new.get(key)})" for key in differing]
    if before.learnt_from != now.learnt_from:
        words.append("other recordings to learn from")
    if before.chosen_on != now.chosen_on:
        words.append("other recordings of fold 9")
    return words
