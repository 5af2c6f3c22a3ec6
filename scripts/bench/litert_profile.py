"""What LiteRT's own profiler says about each operator, the XNNPACK delegate's included; for `scripts/bench/ops.py`.

The Python package does not offer the profiler, but the library inside it does, through the C interface of LiteRT 2.x
(litert/c in its repository). Checked with ai-edge-litert 2.3.0; another release may need other calls.
"""

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import ConfigError

# A row of the profiler's table: type, start, first, average ms, percent, running percent, memory, calls, [where]:node
_ROW = re.compile(r"^\s*(\S.*?)\s+[\d.]+\s+[\d.]+\s+([\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+\s+(\d+)\s+\[(\w+)\]:(\d+)")
_CPU = 1


@dataclass(frozen=True)
class OpTime:
    """Time of one operator of the running graph.

    Attributes:
        kind: what the backend calls it, such as `Fully Connected (NC, F32) GEMM`.
        milliseconds: of one image; the profiler counts in microseconds, so anything faster is 0.
        count: operators of this kind at this place; the profiler merges the partitions of a delegate by position.
        delegated: XNNPACK runs it; otherwise it is TFLite's own kernel and cuts the graph in two.
    """

    kind: str
    milliseconds: float
    count: int
    delegated: bool


class _Tensor(ctypes.Structure):
    """LiteRtRankedTensorType: element type, then rank and flag, sizes and strides."""

    _fields_ = [("raw", ctypes.c_uint32 * 18)]


def profile(model: str | Path, runs: int = 100) -> tuple[OpTime, ...]:
    """Run a file with inputs and outputs in float32 `runs` times on one thread; return its operators in order.

    Raises:
        ConfigError: no LiteRT 2.x, or one that does not answer as 2.3 does.
    """
    with _compiled(Path(model)) as (call, compiled, sign):
        profiler = _handle(call, "LiteRtCompiledModelGetProfiler", compiled)
        environment, signature = sign
        sides = [_buffers(call, environment, signature, compiled, side) for side in ("Input", "Output")]
        counts, first = [ctypes.c_size_t(len(side)) for side in sides], ctypes.c_size_t(0)
        for step in range(runs + 5):
            if step == 5:
                call("LiteRtStartProfiler", profiler)
            call("LiteRtRunCompiledModel", compiled, first, counts[0], sides[0], counts[1], sides[1])
        call("LiteRtStopProfiler", profiler)
        text = ctypes.c_char_p()
        call("LiteRtGetProfileSummary", profiler, compiled, ctypes.byref(text))
    return _parsed((text.value or b"").decode(), runs)


def _library() -> Any:
    try:
        import ai_edge_litert

        return ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"no LiteRT 2.x library to profile with ({error}); run `pip install ai-edge-litert`"
        ) from error


@contextmanager
def _compiled(model: Path) -> Iterator[tuple[Any, ctypes.c_void_p, tuple[ctypes.c_void_p, ctypes.c_void_p]]]:
    """Load a file with profiling switched on; give a way to call the library, the model, and what it lives in."""
    library = _library()

    def call(name: str, *arguments: Any) -> None:
        try:
            status = getattr(library, name)(*arguments)
        except AttributeError as error:
            raise ConfigError(f"this LiteRT has no {name}; profile with ai-edge-litert 2.3") from error
        if status:
            raise ConfigError(f"{name} failed with status {status} on {model}; profile with ai-edge-litert 2.3")

    environment = _handle(call, "LiteRtCreateEnvironment", 0, None)
    loaded = _handle(call, "LiteRtCreateModelFromFile", environment, str(model).encode())
    options = _handle(call, "LiteRtCreateOptions")
    call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
    # The library keeps both pointers, so both must outlive the model: they are locals of this generator.
    text, release = ctypes.create_string_buffer(b"enable_profiling = true\n"), ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    done = release(lambda _: None)
    payload = ctypes.cast(text, ctypes.c_void_p)
    opaque = _handle(call, "LiteRtCreateOpaqueOptions", b"runtime_options_string", payload, done)
    call("LiteRtAddOpaqueOptions", options, opaque)
    compiled = _handle(call, "LiteRtCreateCompiledModel", environment, loaded, options)
    signature = _handle(call, "LiteRtGetModelSignature", loaded, ctypes.c_size_t(0))
    try:
        yield call, compiled, (environment, signature)
    finally:
        library.LiteRtDestroyCompiledModel(compiled)


def _handle(call: Any, name: str, *arguments: Any) -> ctypes.c_void_p:
    handle = ctypes.c_void_p()
    call(name, *arguments, ctypes.byref(handle))
    return handle


def _buffers(
    call: Any, environment: ctypes.c_void_p, signature: ctypes.c_void_p, compiled: ctypes.c_void_p, side: str
) -> Any:
    """Return memory for all of the model's inputs or outputs, as an array of handles."""
    count, zero = ctypes.c_size_t(), ctypes.c_size_t(0)
    call(f"LiteRtGetNumSignature{side}s", signature, ctypes.byref(count))
    handles = []
    for number in range(count.value):
        kind, index = _Tensor(), ctypes.c_size_t(number)
        tensor = _handle(call, f"LiteRtGetSignature{side}TensorByIndex", signature, index)
        call("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
        needs = _handle(call, f"LiteRtGetCompiledModel{side}BufferRequirements", compiled, zero, index)
        handles.append(
            _handle(call, "LiteRtCreateManagedTensorBufferFromRequirements", environment, ctypes.byref(kind), needs)
        )
    return (ctypes.c_void_p * len(handles))(*handles)


def _parsed(summary: str, runs: int) -> tuple[OpTime, ...]:
    """Read the first table of the profiler's summary, which lists operators in the order they run."""
    operators = []
    for line in summary.partition("Run Order")[2].partition("Top by")[0].splitlines():
        if row := _ROW.match(line):
            kind, average, calls, column = row[1], float(row[2]), int(row[3]), row[4]
            count = max(1, round(calls / runs))
            delegated = column == "Delegate"
            operators.append(OpTime(kind.removeprefix("Delegate/"), average * count, count, delegated))
    if not operators:
        raise ConfigError("LiteRT's profiler says nothing that can be read; profile with ai-edge-litert 2.3")
    return tuple(operators)
