"""What a process of the resume tests runs; it must be importable there."""

import multiprocessing
import sys

from distill.cli.main import main


def train(argv: list[str]) -> None:
    """Run a command line as `distill` would in a process of its own."""
    # Workers of a data loader end with the process that forked them; forked by a server, they would outlive a kill.
    multiprocessing.set_start_method("fork", force=True)
    sys.exit(main(argv))
