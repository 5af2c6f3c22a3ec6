"""Check whether a TFLite file, or an architecture before any training, runs on an old TFLite runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError, ConfigError
from distill.files import CHECKPOINT_SUFFIXES
from distill.opcheck.check import OpReport, check_model
from distill.opcheck.report import verdict
from distill.pretrained.registry import require_known, resolve_model
from distill.tflite.load_everywhere import load_everywhere
from distill.tflite.metadata import read_metadata, sentences
from distill.tflite.runtimes import provide_runtime
from distill.tflite.serialization import read_model


@dataclass(frozen=True)
class CheckResult:
    """Result of `check`.

    Attributes:
        ops: every operator against the runtime.
        loads: for each runtime installed that is new enough, `runs` or why it does not.
        note: why the file was not loaded in the requested release, where that could be remedied.
        metadata: TFLite metadata of the file as the fields of their schema, None where it has none.
    """

    ops: OpReport
    loads: dict[str, str]
    note: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether every operator is supported and every runtime ran the model."""
        return self.ops.passed and all(outcome == "runs" for outcome in self.loads.values())

    def to_dict(self) -> dict[str, Any]:
        about = sentences(self.metadata or {})
        return self.ops.to_dict() | {"loads": self.loads, "runs": self.ok, "verdict": str(self), "metadata": about}

    def __str__(self) -> str:
        return verdict(self.ops, self.loads)


def check(
    model: str | Path,
    runtime: str = "2.11.0",
    *,
    onnx: Path | None = None,
    sha256: str | None = None,
    scheme: str | None = None,
    size: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> CheckResult:
    """Check a TFLite file, or an architecture by its name.

    For 2.11 an environment with tflite-runtime 2.11.0 is made where Python 3.9 is installed, so that the file is
    loaded in that release; without, the result is an expectation.

    Args:
        model: a `.tflite` file, the name of a released model, or a name of `list_models()`, which is built with random
            weights and converted.
        runtime: the oldest runtime it must run on: 2.5 to 2.20, or litert.
        onnx: the ONNX file a `.tflite` was made from, which names the torch module of an operator.
        sha256: the hash the file must have; the one in its sidecar by default.
        scheme, size, options: landmark scheme, input in pixels and keyword arguments of an architecture.

    Raises:
        ConfigError: unknown architecture or runtime, options of an architecture given with a file, or of a file with
            an architecture.
        ExportError: the architecture cannot be converted.
    """
    path = resolve_model(model)
    try:
        require_known(path, isinstance(model, Path))
    except CheckpointError as error:
        raise CheckpointError(f"{error}; an architecture is given as --model {model}") from error
    of_file = {"onnx": onnx, "sha256": sha256}
    is_architecture = isinstance(model, str) and not model.endswith(".tflite") and path == Path(model)
    if is_architecture and (wrong := [name for name, value in of_file.items() if value is not None]):
        raise ConfigError(f"--{', --'.join(wrong)}: for a file only; {model} is an architecture")
    if onnx is not None and not onnx.is_file():
        raise ConfigError(f"{onnx}: no such file; --onnx is the model the .tflite was made from")
    if path.suffix in (*CHECKPOINT_SUFFIXES, ".onnx"):
        raise ConfigError(f"{model}: not a TFLite file; make one with `distill export` and check that")
    given: dict[str, Any] = {"scheme": scheme, "size": size, "options": options}
    note = provide_runtime(runtime)
    of_model = {name: value for name, value in given.items() if value is not None}
    if is_architecture:
        from distill.export.architecture import check_architecture  # needs torch and onnx, which a file does not

        built = check_architecture(str(model), runtime, **of_model)
        return CheckResult(built.ops, built.loads, note)
    if of_model:
        raise ConfigError(f"--{', --'.join(of_model)}: for an architecture (--model) only; {model} is a file")
    report = check_model(path, runtime, onnx, sha256)
    metadata = read_metadata(read_model(path).metadata)
    return CheckResult(report, load_everywhere(path, runtime), note, metadata)
