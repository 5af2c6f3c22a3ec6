"""Damaged copies of a model file, to try what opens one: eight kinds, each from its own seed."""

import struct
from collections.abc import Callable
from functools import partial

import numpy as np

_Rng = np.random.Generator
# Structure lies at both ends of a TFLite file, weights in between: half of the damage is aimed at the ends.
_EDGE = 16_384


def _place(rng: _Rng, size: int) -> int:
    near = int(rng.integers(0, max(1, min(size, _EDGE))))
    choice = rng.random()
    if choice < 0.25:
        return near
    return max(0, size - 1 - near) if choice < 0.5 else int(rng.integers(0, size))


def _truncated(blob: bytearray, rng: _Rng) -> bytes:
    return bytes(blob[: _place(rng, len(blob))])


def _bit_flips(blob: bytearray, rng: _Rng) -> bytes:
    for _ in range(int(rng.integers(1, 9))):
        blob[_place(rng, len(blob))] ^= 1 << int(rng.integers(0, 8))
    return bytes(blob)


def _zeroed(blob: bytearray, rng: _Rng) -> bytes:
    start, length = _place(rng, len(blob)), int(rng.integers(1, 4096))
    length = min(length, len(blob) - start)
    blob[start : start + length] = bytes(length)
    return bytes(blob)


def _swapped(blob: bytearray, rng: _Rng) -> bytes:
    length = int(rng.integers(4, 2048))
    first, second = (min(_place(rng, len(blob)), len(blob) - length) for _ in range(2))
    if first >= 0 and second >= 0:
        blob[first : first + length], blob[second : second + length] = (
            blob[second : second + length], blob[first : first + length],
        )  # fmt: skip
    return bytes(blob)


def _random(blob: bytearray, rng: _Rng) -> bytes:
    for _ in range(int(rng.integers(1, 33))):
        blob[_place(rng, len(blob))] = int(rng.integers(0, 256))
    return bytes(blob)


def _huge(blob: bytearray, rng: _Rng) -> bytes:
    """Lengths, offsets and dimensions that promise gigabytes or lead far outside."""
    values = (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x40000000, len(blob), len(blob) - 4, 0x00FFFFFF, 0xFFFFFFF0)
    for _ in range(int(rng.integers(1, 5))):
        offset = min(_place(rng, len(blob)) & ~3, len(blob) - 4)
        struct.pack_into("<I", blob, max(0, offset), int(rng.choice(values)) & 0xFFFFFFFF)
    return bytes(blob)


def _empty(blob: bytearray, rng: _Rng) -> bytes:
    return bytes(blob[: int(rng.integers(0, 12))])


def _wrong_magic(blob: bytearray, rng: _Rng) -> bytes:
    heads = (b"\x89PNG\r\n\x1a\n", b"<!DOCTYPE html>", b"PK\x03\x04\x14\x00\x00\x00", b"\x00" * 8, b"\xff" * 8)
    head = heads[int(rng.integers(0, len(heads)))] if rng.random() < 0.7 else rng.bytes(8)
    blob[: len(head)] = head
    return bytes(blob)


KINDS: dict[str, Callable[[bytearray, _Rng], bytes]] = {
    "truncated": _truncated, "bit flips": _bit_flips, "zeroed block": _zeroed, "swapped blocks": _swapped,
    "random bytes": _random, "huge sizes": _huge, "empty": _empty, "wrong magic": _wrong_magic,
}  # fmt: skip


def mutant(blob: bytes, number: int) -> tuple[str, bytes]:
    """Return the kind and the content of a file's damaged copy `number`; kinds take turns."""
    kind = list(KINDS)[number % len(KINDS)]
    return kind, partial(KINDS[kind], bytearray(blob))(np.random.default_rng([number, len(blob)]))
