"""Model files to be timed, with their complexity and a call for any number of threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from distill.bench.latency import Call, onnx_call, tflite_call
from distill.errors import CheckpointError
from distill.files import CHECKPOINT_SUFFIXES, sha256
from distill.inference.load import open_backend
from distill.tflite.complexity import Complexity, custom_operators, describe_input, tflite_complexity
from distill.tflite.integrity import has_landmark_sidecar, refusal
from distill.tflite.model import Model
from distill.tflite.serialization import read_model

SUFFIXES = (".tflite", ".onnx", *CHECKPOINT_SUFFIXES)
_IMAGE_AXES = 4


@dataclass(frozen=True)
class TimedModel:
    """A model to be timed.

    Attributes:
        name: in tables.
        path: the file.
        engine: what runs it: `LiteRT`, `ONNX Runtime` or `PyTorch`.
        input: size and type, `128x128x3 float32`, of one image.
        complexity: of one image.
        operators: nodes of its graph, None in eager PyTorch.
        sha256: of the file.
        load: threads -> a call that runs one batch of random images.
        tflite: the content of a TFLite file.
        uncounted: operators whose MACs are not known.
        batch: images of one call, the fixed first dimension of its input.
    """

    name: str
    path: Path
    engine: str
    input: str
    complexity: Complexity
    operators: int | None
    sha256: str
    load: Callable[[int], Call]
    tflite: Model | None = None
    uncounted: tuple[str, ...] = ()
    batch: int = 1


def checked_path(path: str | Path) -> Path:
    """Return a model's path, after its hash was compared with its sidecar, where it has one, and `SHA256SUMS`.

    Weights of PyTorch are compared where they are read.

    Raises:
        CheckpointError: no such file, an unknown format, or a file that was changed.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such model file; give one of {', '.join(f'*{s}' for s in SUFFIXES)}")
    if path.suffix not in SUFFIXES:
        raise CheckpointError(f"{path}: unknown model format '{path.suffix}'; give one of {', '.join(SUFFIXES)}")
    if path.suffix not in CHECKPOINT_SUFFIXES and (reason := refusal(path)) is not None:
        raise CheckpointError(f"{path}: {reason}")
    return path


def open_model(path: str | Path, name: str) -> TimedModel:
    """Read the complexity of a model.

    A file with a sidecar of this package is opened as every other command opens it; other files are timed on inputs of
    their own type and layout.

    Raises:
        CheckpointError: missing, broken, of an unknown format, or unlike its sidecar.
        ConfigError: the library for this format is not installed.
    """
    path = checked_path(path)
    if path.suffix not in CHECKPOINT_SUFFIXES and has_landmark_sidecar(path):
        open_backend(path)
    if path.suffix == ".tflite":
        return _tflite(path, name)
    return _onnx(path, name) if path.suffix == ".onnx" else _torch(path, name)


def _tflite(path: Path, name: str) -> TimedModel:
    model = read_model(path)
    batch = _batch([tensor.shape for tensor in model.main.inputs])
    cost = _of_one_image(tflite_complexity(model), batch)
    return TimedModel(
        name, path, "LiteRT", describe_input(model), cost, len(model.main.operators), sha256(path),
        partial(tflite_call, path), model, tuple(custom_operators(model)), batch,
    )  # fmt: skip


def _batch(shapes: Sequence[Sequence[int | str | None]]) -> int:
    """Return the first dimension of the only input where that is a batch of images, (b, ?, ?, ?) with a fixed b."""
    first = shapes[0][0] if len(shapes) == 1 and len(shapes[0]) == _IMAGE_AXES else None
    return first if isinstance(first, int) and first > 0 else 1


def _of_one_image(cost: Complexity, batch: int) -> Complexity:
    return replace(cost, macs=cost.macs // batch)


def _onnx(path: Path, name: str) -> TimedModel:
    from distill.bench.onnx_graph import onnx_complexity
    from distill.bench.runners import load_onnx

    complexity, operators = onnx_complexity(path)
    entries = load_onnx(path, 1)[0].get_inputs()
    # ONNX writes `tensor(float)` for float32.
    kinds = ("float32" if entry.type == "tensor(float)" else entry.type[7:-1] for entry in entries)
    sizes = ("x".join(map(str, entry.shape[1:])) + f" {kind}" for entry, kind in zip(entries, kinds, strict=True))
    load, batch = partial(onnx_call, path), _batch([entry.shape for entry in entries])
    cost = _of_one_image(complexity, batch)
    return TimedModel(name, path, "ONNX Runtime", ", ".join(sizes), cost, operators, sha256(path), load, batch=batch)


def _torch(path: Path, name: str) -> TimedModel:
    from distill.bench.complexity import complexity
    from distill.bench.latency import torch_call
    from distill.models.checkpoint import load_model

    net, spec = load_model(path)
    size = spec.crop.size
    load = partial(torch_call, net, size)
    cost = complexity(net, size)
    return TimedModel(name, path, "PyTorch", f"3x{size}x{size} float32", cost, None, sha256(path), load)


def load_call(path: Path, threads: int) -> Call:
    """Return a call that runs a model of any format on random images, as many as one call of it takes."""
    if path.suffix == ".tflite":
        return tflite_call(path, threads)
    if path.suffix == ".onnx":
        return onnx_call(path, threads)
    from distill.bench.latency import torch_call
    from distill.models.checkpoint import load_model

    net, spec = load_model(path)
    return torch_call(net, spec.crop.size, threads)


def warm_imports(path: Path) -> None:
    """Import the runtime of this format, so that its memory is not counted as the model's."""
    from distill.bench import runners  # noqa: F401

    if path.suffix == ".tflite":
        from distill.tflite.interpreter import interpreter_class

        interpreter_class()
    elif path.suffix == ".onnx":
        import onnxruntime  # noqa: F401
    else:
        import distill.models.checkpoint  # noqa: F401
