"""Files damaged in the ways that files are: bits that flip, ends that are missing, numbers that nobody meant."""

import re

import numpy as np

ABSURD = (
    b"0",
    b"-1",
    b"1",
    b"99999999",
    b"2147483648",
    b"9" * 20,
    b"1e308",
    b"-1e-308",
    b"nan",
    b"inf",
    b"",
    b"x",
    b"0.5",
)


def damaged(content: bytes, random: np.random.Generator, header: int) -> bytes:
    """The same file with one to three kinds of damage; most of it in the first `header` bytes."""
    for _ in range(random.integers(1, 4)):
        content = DAMAGES[random.integers(len(DAMAGES))](content, random, header)
    return content


def _flip(content: bytes, random: np.random.Generator, header: int) -> bytes:
    changed = bytearray(content)
    for _ in range(random.integers(1, 6)):
        if changed:
            changed[_place(len(changed), random, header)] ^= 1 << random.integers(8)
    return bytes(changed)


def _overwrite(content: bytes, random: np.random.Generator, header: int) -> bytes:
    at, length = _place(len(content), random, header), int(random.integers(1, 40))
    return content[:at] + random.bytes(min(length, len(content) - at)) + content[at + length :]


def _cut(content: bytes, random: np.random.Generator, header: int) -> bytes:
    return content[: _place(len(content) + 1, random, header if random.random() < 0.3 else len(content))]


def _insert(content: bytes, random: np.random.Generator, header: int) -> bytes:
    at = _place(len(content) + 1, random, header)
    return content[:at] + random.bytes(int(random.integers(1, 20))) + content[at:]


def _drop(content: bytes, random: np.random.Generator, header: int) -> bytes:
    at = _place(len(content) + 1, random, header)
    return content[:at] + content[at + int(random.integers(1, 40)) :]


def _absurd(content: bytes, random: np.random.Generator, header: int) -> bytes:
    """A number of the header is another one, in the same place where it has one."""
    numbers = list(re.finditer(rb"[-+]?\d[\d.]* *", content[:header]))
    if not numbers:
        return content
    found = numbers[random.integers(len(numbers))]
    other = ABSURD[random.integers(len(ABSURD))]
    if random.random() < 0.7:
        other = other[: len(found[0])].ljust(len(found[0]))
    return content[: found.start()] + other + content[found.end() :]


def _repeat(content: bytes, random: np.random.Generator, header: int) -> bytes:
    at, length = _place(len(content) + 1, random, header), int(random.integers(1, 300))
    return content[: at + length] + content[at:]


def _swap(content: bytes, random: np.random.Generator, header: int) -> bytes:
    """A number in the binary part is as large as it can be, or less than nothing."""
    at = _place(len(content) + 1, random, header)
    value = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x08\xff\xff\xff\xff\xff\xff\xff\x7f")
    other = value[random.integers(len(value))]
    return content[:at] + other + content[at + len(other) :]


DAMAGES = (_flip, _overwrite, _cut, _insert, _drop, _absurd, _absurd, _repeat, _swap)


def _place(length: int, random: np.random.Generator, header: int) -> int:
    """Somewhere, more often near the start."""
    limit = min(length, header) if random.random() < 0.7 else length
    return int(random.integers(max(1, limit)))
