"""Fitting: one loop that reads top to bottom, resumes where it stopped, and keeps what was best on fold 9."""

import json
import math
import time
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.errors import UsageError
from engine.leads import CHEST, INDEPENDENT
from engine.network import Network, Shape
from training import linear
from training.augment import augment
from training.catalog import VALIDATION_FOLD, ptbxl, training_entries
from training.loss import loss
from training.pack import COUNTS_PER_MV, Pack, pack
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


def fit(data: Path, out: Path, settings: Settings, shape: Shape | None = None) -> Path:
    """Fit a network and leave its best weights in ``out/best.pt``; a broken run goes on from ``out/last.pt``.

    Raises
    ------
    UsageError
        If `out` holds a run with other settings.
    """
    shape = shape or Shape()
    out.mkdir(parents=True, exist_ok=True)
    _keep_settings(out / "settings.json", settings)
    train = pack(training_entries(data), out.parent / "cache")
    check = pack(ptbxl(data, frozenset({VALIDATION_FOLD}), MONITOR.rate), out.parent / "cache")
    covariance = linear.covariance(train.target)
    sigma = np.sqrt(np.diag(covariance)).astype(np.float32)

    torch.manual_seed(settings.seed)
    network = Network(shape, linear.table(covariance), sigma)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    state = {"step": 0, "best": 0.0}
    last = out / "last.pt"
    if last.is_file():
        saved = torch.load(last, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
    started, first = time.monotonic(), state["step"]
    running = 0.0
    for step in range(first, settings.steps):
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
            score = mean_r(average.module, check, settings)
            state = {"step": step + 1, "best": max(state["best"], score)}
            if score == state["best"]:
                _save(average.module.state_dict(), out / "best.pt")
            everything = {"network": network.state_dict(), "average": average.state_dict()}
            _save({**everything, "optimizer": optimizer.state_dict(), "state": state}, last)
            pace = (time.monotonic() - started) / (step + 1 - first)
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
    return out / "best.pt"


@torch.no_grad()
def mean_r(network: torch.nn.Module, check: Pack, settings: Settings) -> float:
    """Mean r over the estimated chest leads at 0.5-40 Hz, over some recordings of fold 9."""
    network.eval()
    known = [INDEPENDENT.index(lead) for lead in settings.check_leads]
    asked = [INDEPENDENT.index(lead) for lead in CHEST if lead not in settings.check_leads]
    rows = np.linspace(0, len(check.signal) - 1, min(settings.check_records, len(check.signal))).astype(int)
    values = []
    for some in np.array_split(rows, math.ceil(len(rows) / settings.batch)):
        signal = torch.from_numpy(check.signal[some].astype(np.float32) / COUNTS_PER_MV)
        mask = torch.zeros_like(signal)
        mask[:, known] = 1
        estimate, _ = network.estimate(signal * mask, mask)  # type: ignore[operator]
        figures = compare(MONITOR.apply(signal[:, asked].numpy()), MONITOR.apply(estimate[:, asked].numpy()))
        values.append(np.where(figures.counted, figures.r, np.nan))
    return float(np.nanmean(np.concatenate(values), axis=0).mean())


def _draw(train: Pack, step: int, settings: Settings) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch of a step: each recording once an epoch, in an order drawn anew for each."""
    count = len(train.signal)
    places = np.arange(step * settings.batch, (step + 1) * settings.batch)
    orders = {epoch: np.random.default_rng([settings.seed, epoch]).permutation(count) for epoch in set(places // count)}
    rows = np.array([orders[place // count][place % count] for place in places])
    signal, target = (array[rows].astype(np.float32) / COUNTS_PER_MV for array in (train.signal, train.target))
    return torch.from_numpy(signal), torch.from_numpy(target)


def _schedule(progress: float) -> float:
    """Learning rate over its peak: up for a twentieth, then down as a cosine."""
    warm = 0.05
    if progress < warm:
        return 0.05 + 0.95 * progress / warm
    return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) + 1e-3


def _save(state: object, path: Path) -> None:
    """Write under another name first: a checkpoint is whole or it is the last one."""
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.rename(path)


def _keep_settings(path: Path, settings: Settings) -> None:
    if path.is_file():
        if msgspec.json.decode(path.read_bytes(), type=Settings) != settings:
            raise UsageError(f"{path.parent} holds a run with other settings; choose another --out or remove it")
    else:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
