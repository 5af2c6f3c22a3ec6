"""Standard streams that are closed, full, or cannot encode every character."""

import io
import os
import sys
from contextlib import suppress

STREAMS = {"stdin": 0, "stdout": 1, "stderr": 2}


def prepare_streams() -> None:
    """Open closed standard streams on the null device, and escape characters that they cannot encode.

    With a closed one, the next file that is opened would get its number, and receive what libraries print. File names
    may hold bytes that are no text, and a terminal may have another encoding than UTF-8.
    """
    for number in STREAMS.values():
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
    for name, number in STREAMS.items():
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def flush_output(status: int) -> int:
    """Flush standard output and return the exit status: 141 where its reader has ended, 2 where it cannot be written.

    Afterwards Python does not try again at its exit, which would add an error of its own.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        failed = output_failed(error)
        return status or failed
    return status


def output_failed(error: OSError) -> int:
    """Give standard output up and return the exit status of an error of it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 141
    complain(f"error: standard output: cannot be written ({error.strerror})")
    return 2


def complain(line: str) -> None:
    """Print a line to standard error, which may be full or a closed pipe: the exit status says it too."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)
