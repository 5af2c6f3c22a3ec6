"""What commands print: tables as wide as they need where the output is not a terminal, counts and sizes."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = 200


def wide_console() -> "Console":
    """Return a console; a pipe has no width of its own, and 80 columns would break names and lines."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _COLUMNS)


def counted(count: int, noun: str) -> str:
    """Return `1 run`, `2 runs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shown_size(size: int) -> str:
    """Return a number of bytes for a line: `12 kB` below a megabyte, else `1.2 MB`."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
