"""Open a model file of any format as a `Backend`."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from distill.errors import CheckpointError, ConfigError
from distill.inference.backend import Backend
from distill.inference.exported import OnnxBackend, TFLiteBackend
from distill.pretrained.registry import require_known, require_no_folder, resolve_model

FACEMESH = "facemesh"


def _open_torch(path: Path, threads: int) -> Backend:
    # By name, so that an exported model can be run, and shipped, without torch.
    try:
        module = import_module("distill.inference.torch_backend")
    except ImportError as error:
        raise ConfigError(
            f"{path}: a checkpoint needs torch ({error}); install it, or give an exported model"
        ) from error
    backend: Backend = module.open_checkpoint(path, threads)
    return backend


_FORMATS: dict[str, Callable[[Path, int], Backend]] = {
    ".ckpt": _open_torch,
    ".safetensors": _open_torch,
    ".onnx": OnnxBackend,
    ".tflite": TFLiteBackend,
}


def open_backend(path: str | Path, threads: int = 1) -> Backend:
    """Load a checkpoint, an ONNX or a TFLite file.

    Args:
        path: `.ckpt`, `.safetensors`, `.onnx` or `.tflite`; the last two with their `.json` beside them. Also the
            name of a released model (`distill models`), or `hf:OWNER/REPOSITORY/FILE`. `facemesh` is the landmark
            network of MediaPipe, where that is installed.
        threads: CPU threads of ONNX and TFLite.

    Raises:
        CheckpointError: missing, empty, a web page instead of weights, of an unknown format, or its output does not
            fit its spec.
        ConfigError: the runtime of this format is not installed.
    """
    if str(path) == FACEMESH:
        peer: Backend = import_module("distill.inference.facemesh").FaceMeshBackend()
        return peer
    path = resolve_model(path)
    require_model(path)
    return _FORMATS[path.suffix](path, threads)


def require_model(path: Path) -> None:
    """Check that a file can be a model, by its suffix and its first bytes.

    Raises:
        CheckpointError: missing, empty, a web page, a Git LFS pointer, or of an unknown format.
    """
    require_known(path)
    require_no_folder(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such model file; give one of {', '.join(f'*{s}' for s in _FORMATS)}")
    with path.open("rb") as file:
        start = file.read(256).lstrip()
    if not start:
        raise CheckpointError(f"{path}: the file is empty; copy or download it again")
    if start[:1] == b"<":
        shown = repr(start[:15].decode("latin-1"))
        raise CheckpointError(f"{path}: a web page, not a model (it starts with {shown}); download it again")
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: a Git LFS pointer, not a model; run `git lfs pull`")
    if path.suffix not in _FORMATS:
        raise CheckpointError(f"{path}: unknown model format '{path.suffix}'; give one of {', '.join(_FORMATS)}")
