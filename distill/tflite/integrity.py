"""Integrity of a model file: its SHA-256 against its sidecar and `SHA256SUMS`, before a runtime opens it.

One damaged file in seven still runs. Files of other programs have no sidecar; a hash given by the user replaces it.
"""

import json
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError
from distill.files import require_listed_hash, sha256
from distill.pretrained.released_files import require_undamaged_release
from distill.spec import sidecar_path

# A flatbuffer's offsets are 32-bit; a larger file is no TFLite file.
_MAX_BYTES = 2**31 - 1
_LANDMARKS, _DETECTOR = "distill-model/", "distill-detector/"


def expected_hash(model: str | Path) -> str | None:
    """Return the SHA-256 the sidecar of a model states, or None when there is no sidecar of ours beside it."""
    raw = _sidecar(model)
    return str(raw.get("sha256")) if _format(raw).startswith((_LANDMARKS, _DETECTOR)) else None


def has_landmark_sidecar(model: str | Path) -> bool:
    """Return whether the file beside a model describes a landmark network of this package."""
    return _format(_sidecar(model)).startswith(_LANDMARKS)


def _sidecar(model: str | Path) -> dict[str, Any]:
    path = sidecar_path(model)
    try:
        if not path.is_file() or path.stat().st_size > 1 << 20:
            return {}
        raw = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _format(raw: dict[str, Any]) -> str:
    return str(raw.get("format", ""))


def refusal(model: str | Path, expected: str | None = None) -> str | None:
    """Return why a file must not be loaded, or None when it may be.

    Args:
        expected: SHA-256 as hex; None for that of the sidecar. A file without either is accepted, unless it is a
            damaged copy of a released one.
    """
    model = Path(model)
    if model.is_dir():
        return "a folder, not a model; give a .tflite file in it"
    if not model.is_file():
        return "no such file; make one with `distill export`"
    if model.stat().st_size > _MAX_BYTES:
        return f"{model.stat().st_size} bytes, a TFLite file has at most {_MAX_BYTES}"
    source = "the one given" if expected else sidecar_path(model).name
    expected = expected or expected_hash(model)
    if expected is not None and sha256(model) != expected.lower():
        return f"SHA-256 differs from {source}; the file was changed or replaced, export or copy it again"
    try:
        require_listed_hash(model)
        if expected is None:
            require_undamaged_release(model)
    except CheckpointError as error:
        return str(error).removeprefix(f"{model}: ")
    return None


def read_verified(path: str | Path, expected: str | None = None) -> bytes:
    """Return the bytes of a model file after its hash was compared.

    Raises:
        CheckpointError: missing, too large, unreadable, or not the file its sidecar belongs to.
    """
    path = Path(path)
    reason = refusal(path, expected)
    if reason:
        raise CheckpointError(f"{path}: {reason}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
