"""Rows of `--target openvino` and `--target cuda`: each model in a second engine, in the same rounds as its own."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from distill.bench.cuda_engine import (
    MODES,
    Gpu,
    checkpoint_outputs,
    load_checkpoint,
    load_onnx_cuda,
    onnx_modes,
    open_gpu,
)
from distill.bench.key import CUDA, Key
from distill.bench.latency import Call, Loaded
from distill.bench.memory import try_openvino
from distill.bench.models import TimedModel, checked_path
from distill.bench.openvino_engine import SUFFIXES, load_openvino, openvino_name
from distill.bench.parity import Parity, output_parity
from distill.bench.runners import onnx_outputs, tflite_outputs
from distill.errors import CheckpointError, ConfigError
from distill.files import CHECKPOINT_SUFFIXES
from distill.tflite.integers import computes_in_integers

Engine = Literal["openvino", "cuda"]
ENGINES: tuple[Engine, ...] = ("openvino", "cuda")
Loads = list[tuple[Key, Callable[[], Loaded]]]
# Files that an engine runs.
_TAKES = {"openvino": SUFFIXES, "cuda": (".onnx", *CHECKPOINT_SUFFIXES)}


class EngineRows(NamedTuple):
    """Calls of an engine.

    Attributes:
        calls: by row.
        parity: of each row, against the model's own engine.
        skipped: reason why a row is left out.
        machine: what the description of the machine gains.
    """

    calls: dict[Key, Call]
    parity: dict[Key, Parity]
    skipped: dict[str, str]
    machine: dict[str, Any]


def require_engine(engine: Engine, models: Sequence[str | Path]) -> Gpu | None:
    """Check, before anything is timed, that an engine is there and takes these files; return the GPU of `cuda`.

    Raises:
        ConfigError: it is not installed, there is no GPU, or a file of a format it does not run.
    """
    gpu = open_gpu() if engine == "cuda" else None
    if engine == "openvino":
        openvino_name()
    for path in models:
        if checked_path(path).suffix not in _TAKES[engine]:
            raise ConfigError(f"{path}: --target {engine} runs {', '.join(_TAKES[engine])}; see `distill export`")
    return gpu


def engine_rows(
    engine: Engine, models: Sequence[TimedModel], threads: Sequence[int], gpu: Gpu | None = None
) -> EngineRows:
    """Load every model in an engine, and compare its outputs with those of its own engine.

    Args:
        engine: `openvino` runs on every number of threads, `cuda` once in each precision.
        models: those of formats that it does not run (peers of MediaPipe on a GPU) are left out.
        threads: numbers of them.
        gpu: for `cuda`.

    Raises:
        CheckpointError: none of the models runs there.
    """
    rows = EngineRows({}, {}, {}, {} if gpu is None else {"gpu": gpu.name})
    for model in models:
        if model.path.suffix not in _TAKES[engine]:
            continue
        if gpu is None:
            _add(rows, model, _openvino_loads(model, threads))
        else:
            _add(rows, model, _cuda_loads(model, threads[0], gpu))
    if not rows.calls and rows.skipped:
        name, reason = next(iter(rows.skipped.items()))
        raise CheckpointError(f"{name}: {reason}")
    return rows


def _openvino_loads(model: TimedModel, threads: Sequence[int]) -> Loads:
    name = openvino_name()
    return [(Key(model.name, "model", count, name), partial(load_openvino, model.path, count)) for count in threads]


def _cuda_loads(model: TimedModel, threads: int, gpu: Gpu) -> Loads:
    torch = model.path.suffix in CHECKPOINT_SUFFIXES
    load = load_checkpoint if torch else load_onnx_cuda
    modes = MODES if torch else onnx_modes(model.path)
    return [
        (Key(model.name, "model", threads, f"{CUDA} {mode}"), partial(load, model.path, mode, gpu)) for mode in modes
    ]


def _add(rows: EngineRows, model: TimedModel, loads: Loads) -> None:
    """Add the rows of a model; one that fails or whose outputs are others is named with the reason."""
    expected = _own_outputs(model)
    for index, (key, load) in enumerate(loads):
        name = f"{model.name} in {key.engine}"
        try:
            if index == 0 and not key.on_gpu:
                try_openvino(model.path)
            loaded = load()
        except (CheckpointError, ConfigError) as error:
            # The name stands before it, and a folder of the machine is not for results.
            rows.skipped[name] = str(error).removeprefix(f"{model.path}: ").removeprefix(f"{model.path.resolve()}: ")
            continue
        parity = output_parity(expected, loaded.outputs)
        if parity is None or not parity.is_same(_is_exact(model, key)):
            found = "other shapes or numbers that are not finite" if parity is None else f"differences of {parity}"
            rows.skipped[name] = f"its outputs are not those of {model.engine}: {found}"
            continue
        rows.calls[key], rows.parity[key] = loaded.call, parity


def _is_exact(model: TimedModel, key: Key) -> bool:
    """Whether a row should have the same numbers: 32-bit floats in both engines."""
    integers = model.tflite is not None and computes_in_integers(model.tflite)
    return not integers and key.engine not in (f"{CUDA} tf32", f"{CUDA} fp16")


def _own_outputs(model: TimedModel) -> list[Any]:
    if model.path.suffix == ".tflite":
        return tflite_outputs(model.path)
    return onnx_outputs(model.path) if model.path.suffix == ".onnx" else checkpoint_outputs(model.path)
