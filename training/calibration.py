"""Honest intervals: the scale of the half-widths that covers nine of ten samples of recordings not learnt from."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backends.network import Network
from engine.leads import INDEPENDENT
from training.augment import lead_sets
from training.loss import COVERAGE, SMALLEST_MV
from training.pack import Pack

EVERY = 10
"""Of the samples one in ten is looked at: neighbours say the same."""
BATCH = 32
FEWEST = 10_000
"""With fewer samples of a lead that was missing its scale stays 1."""


@torch.no_grad()
def interval_scale(network: Network, check: Pack, seed: int) -> Tensor:
    """What to multiply each lead's half-width by, (8,), so that it covers `COVERAGE` of the errors.

    Each recording is given one set of leads, drawn as for training.

    Parameters
    ----------
    network : Network
        As fitted, in evaluation mode.
    check : Pack
        Recordings it was not fitted on.
    seed : int
        Of the sets.
    """
    sets = lead_sets(len(check.signal), torch.Generator().manual_seed(seed))
    ratios: list[list[NDArray[np.float32]]] = [[] for _ in INDEPENDENT]
    for start in range(0, len(check.signal), BATCH):
        some = slice(start, start + BATCH)
        signal, target, held = (torch.from_numpy(part) for part in check.take(some))
        given = sets[some] * held
        mask = given[:, :, None].expand_as(signal).contiguous()
        estimate, width = network.estimate(signal * mask, mask)
        ratio = ((estimate - target).abs() / width)[:, :, ::EVERY]
        asked = (given == 0) & (target.amax(dim=2) - target.amin(dim=2) >= SMALLEST_MV)
        asked &= given.amax(dim=1, keepdim=True) > 0
        for lead in range(len(INDEPENDENT)):
            ratios[lead].append(ratio[asked[:, lead], lead].flatten().numpy())
    scale = torch.ones(len(INDEPENDENT))
    for lead, parts in enumerate(ratios):
        values = np.concatenate(parts)
        if len(values) >= FEWEST:
            scale[lead] = float(np.quantile(values, COVERAGE))
    return scale
