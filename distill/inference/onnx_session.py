"""Sessions of ONNX Runtime, on the CPU unless told otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError, ConfigError, first_line
from distill.onnx_file import require_embedded


def open_session(
    path: str | Path,
    threads: int = 1,
    stop_spinning: bool = False,
    providers: Sequence[str | tuple[str, dict[str, str]]] = ("CPUExecutionProvider",),
) -> Any:
    """Return an `onnxruntime.InferenceSession`.

    Args:
        path: an ONNX file.
        threads: threads of one operator.
        stop_spinning: put threads to sleep after each call, so that they do not slow down what is timed next.
        providers: ONNX Runtime's execution providers, by name or with their settings.

    Raises:
        CheckpointError: missing, not an ONNX model, or one whose weights lie in another file.
        ConfigError: ONNX Runtime is not installed.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such model file")
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("ONNX Runtime is not installed; run `pip install onnxruntime`") from error
    require_embedded(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if stop_spinning:
        options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # its errors share no base class but Exception
        reason = first_line(error)
        raise CheckpointError(f"{path}: ONNX Runtime cannot load it ({reason}); export it again") from error
