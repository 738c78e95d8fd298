"""How long a sample takes from a device to the twelve leads on the network, over LSL on this machine.

    python -m tools.chain

Three processes, as it is used: one sends I, II and V4 as a device would, one is `ecgstream serve`, one receives. Every
sample is known by its value and was taken at a known time, so nothing is believed that the program says of itself.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from engine.leads import INDEX, RATE
from stream.sources.record import open_record

RECORD = Path(__file__).resolve().parent.parent / "ecgstream" / "records" / "synthetic.hea"
SENT = ("I", "II", "V4")
CHUNK_MS = 20
SECONDS = 60.0
WARMING_S = 5.0
"""Of the stream's first seconds nothing is told: processes start, and frames are not yet full."""
PATIENCE_S = 30.0
ALIGNED_BY = 50
"""So many samples in a row say which ones they are."""
APART_S = 0.02
"""Blocks come a hop apart; what comes sooner after another piece is of the same one."""
CONFIGURATION = """[multicast]
AddressesOverride = {{224.0.0.183}}
Interfaces = {{127.0.0.1}}
TTLOverride = 0
[ports]
IPv6 = disable
[lab]
SessionID = {session}
[log]
level = -3
"""
"""LSL on loopback alone."""


def chain(seconds: float = SECONDS) -> dict[str, Any]:
    """Measure it.

    Parameters
    ----------
    seconds : float
        Of stream that count.

    Returns
    -------
    dict
        ``latency_ms``: p50 and p99 of a sample's own time to its twelve leads at the receiver, over all samples;
        ``newest_ms``: the same of each block's newest sample; ``stamps_off_ms``: how far the stamps received are from
        when samples were taken, at most; with how it was measured, and ``allowed_ms``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configuration = folder / "lsl_api.cfg"
        configuration.write_text(CONFIGURATION.format(session=secrets.token_hex(8)))
        environment = {**os.environ, "LSLAPICFG": str(configuration)}
        device, twelve = "chain-device", "chain-twelve"
        count = round((seconds + WARMING_S) * RATE)
        sender = _start(environment, "-m", __spec__.name, "send", device)
        try:
            began = float(_line(sender))
            server = _start(
                environment,
                *("-m", "ecgstream", "serve", f"lsl://{device}", "--out", f"lsl://{twelve}", "--json"),
                *("--seconds", str(seconds + 2 * WARMING_S)),
            )
            receiver = _start(environment, "-m", __spec__.name, "receive", twelve, count, folder / "received.npz")
            received = _end(receiver, seconds + 2 * PATIENCE_S)
            served = _end(server, PATIENCE_S)
        finally:
            sender.kill()
            sender.communicate()
        if received is None or served is None:
            raise SystemExit("the chain did not hold: see what its processes said")
        with np.load(folder / "received.npz") as found:
            return _figures(dict(found), began) | _conditions(json.loads(served), count)


def _figures(found: dict[str, Any], began: float) -> dict[str, Any]:
    """Latencies of what was received, by the values of the samples."""
    samples, stamps, arrived = found["samples"], found["stamps"], found["arrived"]
    sent = _sent()
    rows = [INDEX[lead] for lead in SENT]
    windows = np.lib.stride_tricks.sliding_window_view(sent, ALIGNED_BY, axis=1)
    (first,) = np.flatnonzero((windows == samples[:ALIGNED_BY, rows].T[:, None]).all(axis=(0, 2)))
    indices = first + np.arange(len(samples))
    if not np.array_equal(samples[:, rows].T, sent[:, indices % sent.shape[1]]):
        raise SystemExit("the chain lost samples, or changed them")
    taken = began + indices / RATE
    warm = indices >= indices[0] + WARMING_S * RATE
    waited, newest = 1000 * (arrived - taken), np.append(np.diff(arrived) > APART_S, True)
    return {
        "latency_ms": _quantiles(waited[warm]),
        "newest_ms": _quantiles(waited[warm & newest]),
        "stamps_off_ms": round(float(np.abs(stamps - taken)[warm].max()) * 1000, 2),
    }


def _conditions(summary: dict[str, Any], count: int) -> dict[str, Any]:
    hop_ms, look_ahead_ms = 1000 * summary["hop"] / RATE, float(summary["look_ahead_ms"])
    return {
        "seconds": round(count / RATE - WARMING_S),
        "chunk_ms": CHUNK_MS,
        "hop_ms": hop_ms,
        "look_ahead_ms": look_ahead_ms,
        "allowed_ms": look_ahead_ms + hop_ms + 30,
    }


def _quantiles(waited: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    return {f"p{share}": round(float(np.percentile(waited, share)), 1) for share in (50, 99)}


def _sent() -> np.ndarray[Any, np.dtype[np.float32]]:
    """What the device sends, again and again, mV."""
    record = open_record(RECORD)
    return record.read(0, record.n_samples)[[INDEX[lead] for lead in SENT]]


def send(name: str) -> None:
    """Be the device: chunks when their last sample has been taken, each sample stamped, until somebody ends it."""
    info = pylsl.StreamInfo(name, "ECG", len(SENT), RATE, "float32", name)
    info.set_channel_labels(list(SENT))
    info.set_channel_units("millivolts")
    outlet = pylsl.StreamOutlet(info)
    samples, length = np.ascontiguousarray(_sent().T), round(CHUNK_MS * RATE / 1000)
    began = pylsl.local_clock()
    print(began, flush=True)
    index = 0
    while True:
        time.sleep(max(0.0, began + (index + length - 1) / RATE - pylsl.local_clock()))
        columns = np.arange(index, index + length)
        outlet.push_chunk(samples[columns % len(samples)], began + columns / RATE)
        index += length


def receive(name: str, count: str, out: str) -> None:
    """Be who listens: so many samples, with the time at which each came."""
    (info,) = pylsl.resolve_byprop("name", name, timeout=PATIENCE_S) or [None]
    if info is None:
        raise SystemExit(f"no stream {name}")
    inlet = pylsl.StreamInlet(info, recover=False)
    pieces, left = [], int(count)
    while left > 0:
        samples, stamps = inlet.pull_chunk(timeout=0.2, max_samples=4096, min_samples=1)
        if stamps:
            pieces.append((np.array(samples, np.float32), np.array(stamps), np.full(len(stamps), pylsl.local_clock())))
            left -= len(stamps)
    samples, stamps, arrived = (np.concatenate(each) for each in zip(*pieces, strict=True))
    with Path(out).open("wb") as file:
        np.savez(file, samples=samples, stamps=stamps, arrived=arrived)


def _start(environment: dict[str, str], *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _end(process: "subprocess.Popen[str]", within_s: float) -> str | None:
    """What it printed, or None where it failed or did not end."""
    try:
        out, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return out if process.returncode == 0 else None


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send", name]:
            send(name)
        case ["receive", name, count, out]:
            receive(name, count, out)
        case _:
            print(json.dumps(chain(), indent=1))
