"""Console of the tables: as wide as they need where the output is not a terminal."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = 200


def wide_console() -> "Console":
    """Return a console; a pipe has no width of its own, and 80 columns would break names and lines."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _COLUMNS)
