"""Operations that would make a GPU wait: numbers that Python reads, and constants that are copied to the device."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

# `lift_fresh` makes a tensor of Python numbers, as an index by a list does; the others need a value on the host.
_WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "lift_fresh")
# Files of torch whose functions stand around what is called in a mode such as this one.
_WRAPPERS = ("_compile.py", "eval_frame.py")


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(name in str(func) for name in _WAITING):
            frames = traceback.extract_stack(limit=4)[:-1]
            frame = next(frame for frame in reversed(frames) if Path(frame.filename).name not in _WRAPPERS)
            self.found.append(f"{func} in {Path(frame.filename).name}: {frame.line}")
        return func(*args, **(kwargs or {}))


@contextmanager
def watch_host_reads() -> Iterator[list[str]]:
    """Collect, on any device, the operations that would wait for a GPU, each with its line."""
    with _Watch() as watch:
        yield watch.found
