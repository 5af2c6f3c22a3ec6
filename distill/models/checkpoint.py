"""Reading weights: Lightning checkpoints and safetensors, never anything that can run code."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from distill.errors import CheckpointError, ConfigError, DistillError, is_out_of_memory
from distill.files import require_listed_hash
from distill.landmarks import load_scheme, selected_points
from distill.models.annotation_shift import set_annotation_shift
from distill.models.point_selection import select_points
from distill.models.regression import RegressionNet, schemes_of
from distill.models.weight_files import (
    build_for_weights,
    require_finite_weights,
    require_sound_archive,
    require_stated_digest,
    save_weights,
)
from distill.models.zoo import create_model
from distill.pretrained.registry import require_known, require_no_folder, resolve_model
from distill.pretrained.released_files import require_undamaged_release
from distill.spec import ModelSpec

_PREFIX = "net."
_AGAIN = "train or download it again"


def read_checkpoint(path: Path, map_location: Any = "cpu", mmap: bool = False) -> dict[str, Any]:
    """Return the content of a `.ckpt` file, without running any code in it.

    Its size, checksums and types are checked first.

    Args:
        path: of the file.
        map_location: device of the tensors.
        mmap: map the tensors into memory instead of copying them.

    Raises:
        CheckpointError: cut short, empty, overwritten, changed, or no checkpoint at all.
    """
    try:
        require_sound_archive(path)
        content = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {_looks_like(path, error)}, not a checkpoint; {_AGAIN}") from error
    except Exception as error:  # torch and pickle raise whatever the broken bytes lead them to
        _require_memory(path, error)
        raise CheckpointError(f"{path}: {_looks_like(path)}, not a checkpoint; {_AGAIN}") from error
    return content if isinstance(content, dict) else {}


def _read_lightning(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    parts = read_checkpoint(path)
    spec, state = parts.get("spec"), parts.get("state_dict")
    if not (isinstance(spec, dict) and isinstance(state, dict)):
        raise CheckpointError(f"{path}: a checkpoint of another program; give one made by distill")
    named = {str(name): value for name, value in state.items()}
    return spec, {name.removeprefix(_PREFIX): value for name, value in named.items() if name.startswith(_PREFIX)}


def _read_safetensors(path: Path, tensors: bool = True) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "spec" not in metadata:
                raise CheckpointError(f"{path}: safetensors of another program (no spec); give one made by distill")
            names = list(file.keys()) if tensors else []
            state = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, RuntimeError, RecursionError, MemoryError) as error:
        _require_memory(path, error)
        raise CheckpointError(f"{path}: {_looks_like(path)}, not safetensors; {_AGAIN}") from error
    if tensors:
        require_stated_digest(path, metadata, state)
    try:
        return json.loads(metadata["spec"]), state
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its spec is no JSON; give a file made by distill") from error


def _require_memory(path: Path, error: Exception) -> None:
    """Tell weights that do not fit into memory from broken ones.

    Raises:
        CheckpointError: they do not.
    """
    if is_out_of_memory(error):
        megabytes = path.stat().st_size / 1e6
        raise CheckpointError(f"{path}: not enough memory for its {megabytes:.0f} MB; close other programs") from error


def _looks_like(path: Path, reason: CheckpointError | None = None) -> str:
    """Describe a file that is no weights, from its first bytes, with the reason where it is an archive."""
    with path.open("rb") as file:
        raw = file.read(4096)
    start = raw.lstrip().lower()
    if not raw:
        return "an empty file"
    if not raw.strip(b"\0"):
        return "a file full of zeros"
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page"
    size = path.stat().st_size
    if reason is not None and raw.startswith(b"PK"):
        return str(reason).removeprefix(f"{path}: ")
    return f"{size} bytes cut short or damaged" if raw.startswith(b"PK") else f"{size} bytes of something else"


_READERS = {".ckpt": _read_lightning, ".safetensors": _read_safetensors}


def read_spec(path: Path) -> Any:
    """Return the stored spec of a `.ckpt` or `.safetensors` file; no tensor is loaded or searched for NaN.

    Raises:
        CheckpointError: missing file, or not weights; for `.ckpt` also a wrong checksum.
    """
    _require_weights_file(path)
    if path.suffix == ".ckpt":
        return read_checkpoint(path, mmap=True).get("spec")
    return _read_safetensors(path, tensors=False)[0]


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the stored spec and the tensors of a `.ckpt` or `.safetensors` file.

    Raises:
        CheckpointError: missing file, not weights, changed or damaged, or weights with NaN or infinity.
    """
    _require_weights_file(path)
    require_listed_hash(path)
    require_undamaged_release(path)
    spec, state = _READERS[path.suffix](path)
    require_finite_weights(path, state)
    return spec, state


def _require_weights_file(path: Path) -> None:
    require_known(path)
    require_no_folder(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; train one with `distill teacher`, `student` or `detector`")
    if path.suffix not in _READERS:
        raise CheckpointError(f"{path}: unknown suffix '{path.suffix}'; give one of {', '.join(_READERS)}")


def load_model(path: str | Path, scheme: str | None = None) -> tuple[nn.Module, ModelSpec]:
    """Return the network of a checkpoint, in evaluation mode with its averaged weights, and its spec.

    The name of a released model means its weights for training.

    Of a network with heads for several landmark schemes, `scheme` keeps that one alone; of one that predicts all
    points of `scheme` and others, those points.

    Raises:
        CheckpointError: missing file, not weights, weights of another architecture, or no head for the scheme.
    """
    path = resolve_model(path, weights=True)
    raw_spec, state = read_weights(path)
    if isinstance(raw_spec, dict) and raw_spec.get("kind") == "retinaface":
        raise CheckpointError(f"{path}: weights of a face detector; give those of a landmark network")
    net, spec = _network(path, raw_spec, state)
    net.eval()
    if scheme is None:
        return net, spec
    try:
        return keep_head(net, spec, scheme)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _network(path: Path, raw_spec: dict[str, Any], state: dict[str, torch.Tensor]) -> tuple[nn.Module, ModelSpec]:
    """Return the network that a file describes with the weights in it."""
    try:
        spec = ModelSpec.from_dict(raw_spec)
        options = without_pretrained(spec.options)
        net = build_for_weights(lambda: create_model(spec.arch, spec.scheme, **options), state)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: weights do not fit {spec.arch} ({str(error)[:160]}); was the code changed?"
        ) from error
    except Exception as error:  # options of any value reach the code of any network
        _require_memory(path, error)
        reason = str(error) if isinstance(error, DistillError) else repr(error)
        reason = (reason.splitlines() or [""])[0][:200]
        own = "a network of your own needs --plugin FILE" if "unknown model" in reason else "was it made by distill?"
        raise CheckpointError(f"{path}: describes no model of this version ({reason}); {own}") from error
    net.load_state_dict(state)
    try:
        set_annotation_shift(net, spec.annotation_shift)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return net, spec


def keep_head(net: nn.Module, spec: ModelSpec, scheme: str) -> tuple[nn.Module, ModelSpec]:
    """Return the network with the head of one scheme and none else, and the spec of what is left.

    A scheme without a head whose points are some of those of the main one keeps the rows of these points.

    Raises:
        ConfigError: there is no such head, and no such points.
    """
    load_scheme(scheme)  # a name or a file that is none is told as such
    heads = schemes_of(net, spec.scheme)
    if scheme not in heads and selected_points(spec.scheme, scheme) is not None:
        return select_points(*keep_head(net, spec, spec.scheme), scheme)
    if scheme not in heads:
        raise ConfigError(
            f"{spec.arch} has no head for {scheme}, whose points are no part of {spec.scheme}'s; it has "
            f"{', '.join(heads)}"
        )
    if not isinstance(net, RegressionNet) or len(heads) == 1:
        return net, spec
    # Only the main head predicts its uncertainty.
    dropped = {"others"} if scheme == spec.scheme else {"others", "uncertainty"}
    options = {name: value for name, value in spec.options.items() if name not in dropped}
    alone = create_model(spec.arch, scheme, **options)
    if not isinstance(alone, RegressionNet):
        raise ConfigError(f"{spec.arch} with one head is another network; keep all of them")
    alone.body.load_state_dict(net.body.state_dict())
    alone.head[0].load_state_dict(net.head[heads.index(scheme)].state_dict())
    shift = spec.annotation_shift if scheme == spec.scheme else 0.0  # it was measured for the main head
    set_annotation_shift(alone, shift)
    points = load_scheme(scheme).n_points
    return alone.eval(), replace(spec, scheme=scheme, n_points=points, options=options, annotation_shift=shift)


def without_pretrained(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a network whose weights all come from a checkpoint, so that none are downloaded."""
    return {name: False if name == "pretrained" else value for name, value in options.items()}


def save_model(path: str | Path, net: nn.Module, spec: ModelSpec, half: bool = False) -> None:
    """Write a network and its spec as safetensors, atomically; floats in half precision if wished, read as single."""
    stored = {
        name: value.half() if half and value.is_floating_point() else value for name, value in net.state_dict().items()
    }
    save_weights(path, stored, spec.to_dict())
