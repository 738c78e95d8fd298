"""Malformed messages beside a good bed on the same socket: each is counted, nothing grows, and the bed goes on."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from zmq import SocketType

from stream.address import ZmqAddress
from stream.items import Arrival, Item, Notice
from stream.keys import Access, new_key
from stream.link import LARGEST_BYTES
from stream.sources.socket import SocketSource, open_socket
from stream.wire import MOST_BYTES, WireError, decode, encode
from tests.stream.ends import PACKET, Device, Opening, Taking, free_endpoint, numbered, wait_for
from tests.stream.hostile import BED, oversized, spoiled

MOST_GROWTH = 20 * 2**20
"""Bytes."""


def malformed(seed: int, bed: str) -> Iterator[list[bytes]]:
    """Messages without end, none of which is one."""
    for parts in spoiled(seed, bed):
        try:
            decode(parts)
        except WireError:
            yield parts


def of_the_wrong_bed() -> Iterator[list[bytes]]:
    """Messages of the good bed as somebody else would make them: whole, and with counts that leap."""
    leaps = (0, 1, 2**31, 2**52)
    number = 0
    while True:
        message = numbered("bed7", number % 3, number)
        changes = {"sequence": number + 2**60 * (number % 2), "index": leaps[number % 4]}
        yield encode(type(message)(**{name: getattr(message, name) for name in message.__slots__} | changes))
        number += 1


def mixture(count: int) -> Iterator[list[bytes]]:
    """Messages each of which has to be refused: for what they are, and those of the good bed for their key."""
    kinds = (malformed(count, BED), malformed(count + 1, "bed7"), of_the_wrong_bed())
    large = {count // 10: MOST_BYTES + 4, count // 2: LARGEST_BYTES - 100}  # what encrypts them adds some bytes
    for number in range(count):
        yield oversized(size=large[number]) if number in large else next(kinds[max(0, number % 5 - 2)])


class Checking(Taking):
    """Looks at samples as they come, and keeps none: the memory of this process is looked at, too."""

    def __init__(self, source: SocketSource) -> None:
        self.count = 0
        self.wrong: list[Arrival] = []
        self.sessions: set[int] = set()
        super().__init__(source)

    def keep(self, each: Arrival | Notice | Item) -> None:
        """Count the next samples of the good bed, or keep what else came."""
        if not isinstance(each, Arrival):
            super().keep(each)
            return
        first = PACKET * self.count
        expected = np.arange(first, first + PACKET)
        if each.index != first or not np.array_equal(np.rint(1000 * each.samples[0]), expected):
            self.wrong.append(each)
        self.sessions.add(each.session)
        self.count += 1


def check(count: int, keys: Path) -> None:
    """Send a mixture with one key, and a good bed with another."""
    good, bad = new_key(keys, "patch7", ("bed7",)), new_key(keys, "hostile", (BED,))
    endpoint = free_endpoint()
    address = ZmqAddress(endpoint, "bed7", queued=True)
    opening = Opening(partial(open_socket, address, (), None, access=Access(keys=keys)))
    here = psutil.Process()
    with Device(SocketType.PUSH, endpoint, good) as device, Device(SocketType.PUSH, endpoint, bad) as attacker:
        device.send()
        source = opening.result()
        assert isinstance(source, SocketSource)
        taking = Checking(source)
        try:
            memory = threads = files = 0
            for sent, parts in enumerate(mixture(count), 1):
                attacker.send_parts(parts)
                if sent % 10 == 0:
                    device.send()
                if sent == count // 5:  # all kinds of messages have come
                    wait_for(lambda: source.refused == count // 5, lambda: source.refused)
                    memory, threads, files = here.memory_info().rss, here.num_threads(), here.num_fds()
            wait_for(lambda: source.refused >= count, lambda: source.refused)
            wait_for(lambda: taking.count == device.sequence, lambda: taking.count)
            assert source.refused == count
            assert here.memory_info().rss - memory < MOST_GROWTH
            # What is larger still ends its own connection, and no other.
            attacker.send_parts(oversized(size=8 * 2**20))
            device.send(10)
            wait_for(lambda: taking.count == device.sequence)
            assert here.num_threads() == threads
            assert here.num_fds() <= files + 1  # the attacker's next connection
        finally:
            taking.end()
    assert taking.wrong == []
    assert taking.sessions == {device.session}
    said = [each.received for each in taking.came if isinstance(each, Notice)]
    assert said or count < 10_000
    assert all(np.diff(said) >= 1)


def test_three_thousand(tmp_path: Path) -> None:
    check(3000, tmp_path / "keys")


@pytest.mark.slow
def test_a_hundred_thousand(tmp_path: Path) -> None:
    began = time.monotonic()
    check(100_000, tmp_path / "keys")
    assert time.monotonic() - began < 100
