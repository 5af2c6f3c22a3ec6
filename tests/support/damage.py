"""Damage to files that leaves their size and their ends as they are."""

from pathlib import Path


def flip_byte(path: Path, position: float = 0.5) -> None:
    """Invert one byte, at this share of the file."""
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 0xFF
    path.write_bytes(data)
