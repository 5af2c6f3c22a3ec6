"""`distill COMMAND ...`: every command is a typed function; its signature is its options and its YAML schema.

Nothing heavy is imported before the options are known to be right.
"""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from distill import __version__
from distill.errors import ConfigError, DistillError, first_line, is_out_of_memory, suggest
from distill.system.streams import complain, flush_output, output_failed, prepare_streams

COMMANDS = {
    "teacher": "train a heatmap teacher on annotated faces",
    "student": "train a small student, with or without a teacher",
    "detector": "train a face detector on photos with boxes",
    "calibrate": "fit the boxes of a face detector's file to landmarks",
    "sweep": "search for the options of a training, many trials, several at a time",
    "evaluate": "NME, FR, AUC of a checkpoint, ONNX or TFLite file on annotated faces",
    "bench": "time models interleaved in one run: latency, MACs, memory, energy, score",
    "report": "one HTML page that compares runs",
    "dashboard": "one interactive HTML page over all runs: curves, accuracy, parity, latency, lineage",
    "sync": "upload W&B runs that were recorded offline",
    "export": "PyTorch -> ONNX -> TFLite, every stage checked in pixels",
    "check": "check whether a model, or an architecture, runs on an old TFLite runtime",
    "submit": "package a contest submission and run it in a fresh environment",
    "predict": "landmarks of the faces in photos",
    "demo": "landmarks in the browser: `demo web` serves a page with camera and photos",
    "models": "released models, their files and accuracy",
    "data": "generate, draw, check and prepare faces; list public data sets",
    "doctor": "what is installed, what conflicts, what will not work",
}


# Commands in which `plugin` is part of the configuration of a run; all others take `--plugin FILE` here.
_OWN_PLUGINS = ("teacher", "student")
# Objects made between two runs of the garbage collector, 700 in Python 3.11: with so few, an eighth of the time that it
# takes to import torch, Lightning and timm is spent in the collector.
_COLLECT_EVERY = 10_000
_LESS_MEMORY = "close other programs, or give a smaller batch, fewer workers or smaller photos"


_Handler = Callable[[int, FrameType | None], object]


class _Terminated(SystemExit):
    """SIGTERM to a command: temporary files and child processes go, as at any exit."""


class _Interrupt:
    """SIGINT to a command, remembered: NumPy and OpenCV turn it into an ImportError while they are imported."""

    received = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an exit; trainings put their own handler in front."""
    raise _Terminated(128 + number)


@contextmanager
def _handled(number: signal.Signals, handler: _Handler, default: _Handler | signal.Handlers) -> Iterator[None]:
    """Handle a signal, in the main thread and where nothing else than the default handles it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) != default:
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, default)


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 a check failed, 2 a user error, 130 or 143 stopped."""
    prepare_streams()
    gc.set_threshold(_COLLECT_EVERY)
    try:
        status = _status(sys.argv[1:] if argv is None else argv)
    except SystemExit as end:  # the help of a command, or the end of a training that was stopped
        if not isinstance(end.code, str):
            end.code = flush_output(end.code or 0)
        raise
    return flush_output(status)


def _status(argv: list[str]) -> int:
    """Run one command and return its exit status; what a user can cause is one line on standard error."""
    interrupt = _Interrupt()
    try:
        with (
            _handled(signal.SIGTERM, _terminate, signal.SIG_DFL),
            _handled(signal.SIGINT, interrupt, signal.default_int_handler),
        ):
            return _run(argv)
    except _Terminated as stopped:
        complain("stopped by SIGTERM")
        return int(stopped.code or 0)
    except DistillError as error:
        complain(f"error: {error}")
        return 2
    except BrokenPipeError as error:
        return output_failed(error)
    except ModuleNotFoundError as error:
        from distill.system.missing_packages import missing_package

        if (message := missing_package(error, f"distill {argv[0]}")) is None:
            raise
        complain(f"error: {message}")
        return 2
    except KeyboardInterrupt:
        complain("stopped by SIGINT")
        return 130
    except Exception as error:
        if interrupt.received:
            complain("stopped by SIGINT")
            return 130
        if (message := _used_up(error, argv[0] if argv else "")) is None:
            raise
        complain(f"error: {message}")
        return 2


def _used_up(error: Exception, command: str) -> str | None:
    """Return one line about a disk or a memory that is full; None for any other error."""
    from distill.files import NOT_WRITABLE

    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        return f"{error.filename or 'standard output or a file'}: cannot be written ({error.strerror})"
    if is_out_of_memory(error):
        return f"distill {command}: not enough memory ({first_line(error)}); {_LESS_MEMORY}"
    return None


def _run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        lines = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
        print(f"usage: distill COMMAND ...\n\n{lines}\n\n`distill COMMAND --help` shows the options of one command.")
        print("`distill COMMAND --plugin FILE` imports a file that registers networks, losses or formats of your own.")
        return 0
    if argv[0] in ("--version", "version"):
        print(__version__)
        return 0
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        raise ConfigError(f"unknown command '{name}': {suggest(name, list(COMMANDS))}")
    from importlib import import_module

    if name not in _OWN_PLUGINS:
        rest = _load_plugins(rest)
    status: int = import_module(f"distill.cli.{name}").run(rest)
    return status


def _load_plugins(words: list[str]) -> list[str]:
    """Import the files of `--plugin FILE`, which register the networks that a command reads; return the other words."""
    from distill.plugins import load_plugins

    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        option, equals, value = word.partition("=")
        if option != "--plugin":
            rest.append(word)
        elif path := value if equals else next(remaining, ""):
            load_plugins(Path(path))
        else:
            raise ConfigError("--plugin needs a file: give the Python file that registers the network")
    return rest


if __name__ == "__main__":
    sys.exit(main())
