"""Backbone weights from a local file: `--model.weights FILE`, with the names of timm, torchvision or a checkpoint."""

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from distill.errors import CheckpointError, ConfigError
from distill.files import require_listed_hash, sha256
from distill.models.backbone import backbone_of
from distill.models.weight_files import require_intact_archive, require_stated_digest
from distill.pretrained.released_files import require_undamaged_release

_SUFFIXES = (".pth", ".pt", ".bin", ".tar", ".ckpt", ".safetensors")
# Where training scripts keep the weights inside a checkpoint, in order of preference.
_CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model", "module")
_PREFIXES = ("module", "model", "net", "backbone", "body", "encoder", "visual", "trunk")
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded into a backbone; written into `summary.json`.

    Attributes:
        file: path of the weights.
        sha256: of the file.
        matched: number of tensors that were loaded.
        missing: tensors of the backbone that the file lacks or holds in another shape.
        unused: number of tensors of the file that the backbone has no use for.
        matched_by: `name`, or `order` where names differ and the sequence of shapes is the same.
    """

    file: str
    sha256: str
    matched: int
    missing: list[str]
    unused: int
    matched_by: str

    def __str__(self) -> str:
        first = ", ".join(self.missing[:3]) + (" …" if len(self.missing) > 3 else "")
        missing = f"{len(self.missing)} not in the file ({first})" if self.missing else "none is missing"
        return (
            f"--model.weights {self.file}: {self.matched} of {self.matched + len(self.missing)} backbone tensors "
            f"loaded by {self.matched_by}, {missing}; {self.unused} of the file unused"
        )


def load_backbone_weights(net: nn.Module, path: Path) -> LoadedWeights:
    """Load the backbone of a network from a file and record it in `net.loaded_weights`.

    Raises:
        CheckpointError: no such file, or not a file of tensors.
        ConfigError: less than half of the backbone's weights are in it.
    """
    weights = read_tensors(path)
    body = backbone_of(net)
    own = body.state_dict()
    taken, by = match_by_name(own, weights), "name"
    if _share(taken, own) < _LEAST_SHARE:
        in_order = match_by_order(own, weights)
        if in_order:
            taken, by = in_order, "order"
    share = _share(taken, own)
    if share < _LEAST_SHARE:
        raise ConfigError(
            f"--model.weights {path}: holds {share:.0%} of the backbone's weights ({len(taken)} of {len(own)} tensors; "
            f"the file has {', '.join(list(weights)[:3])} …): give weights of the same architecture"
        )
    body.load_state_dict(taken, strict=False)
    missing = [name for name in own if name not in taken and not _is_counter(name)]
    loaded = LoadedWeights(str(path), sha256(path), len(taken), missing, len(weights) - len(taken), by)
    net.loaded_weights = asdict(loaded)  # type: ignore[assignment]
    return loaded


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a weight file by name, without running code of the file.

    Checksums are compared where there are some: of `SHA256SUMS`, released files, this package's safetensors and zips.

    Raises:
        CheckpointError: no such file, unknown suffix, not a file of tensors, or a changed or damaged one.
    """
    if not path.is_file():
        raise CheckpointError(f"--model.weights {path}: no such file")
    if path.suffix not in _SUFFIXES:
        raise CheckpointError(f"--model.weights {path}: unknown suffix; give one of {', '.join(_SUFFIXES)}")
    try:
        require_listed_hash(path)
        require_undamaged_release(path)
        content: Any = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    except CheckpointError as error:
        raise CheckpointError(f"--model.weights {error}") from error
    except Exception as error:  # torch and pickle raise whatever the broken bytes lead them to
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise CheckpointError(f"--model.weights {path}: not a file of tensors alone ({reason})") from error
    for name in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)} if content else {}
    if not tensors:
        raise CheckpointError(f"--model.weights {path}: holds no tensors; give the state_dict of a network")
    return tensors


def _safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        metadata = file.metadata() or {}
    if "spec" in metadata:
        require_stated_digest(path, metadata, tensors)
    return tensors


def _pickled(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            require_intact_archive(path, archive)
    return torch.load(path, map_location="cpu", weights_only=True)


def match_by_name(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the same name, without common prefixes, and shape, by the name in `own`.

    timm's feature extractors join the first parts of a name with `_` instead of a dot; both are read as the same.
    """
    by_name = {_canonical(name): value for name, value in weights.items()}
    candidates = {name: by_name.get(_canonical(name)) for name in own}
    return {name: value for name, value in candidates.items() if value is not None and value.shape == own[name].shape}


def match_by_order(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the leading weights if their last names and shapes are those of `own` in order, else none.

    This is how torchvision's weights fit timm's version of a network whose layers have other names.
    """
    wanted = [name for name in own if not _is_counter(name)]
    given = [name for name in weights if not _is_counter(name)]
    if len(given) < len(wanted):
        return {}
    pairs = list(zip(wanted, given, strict=False))
    for name, other in pairs:
        if name.rpartition(".")[2] != other.rpartition(".")[2] or own[name].shape != weights[other].shape:
            return {}
    return {name: weights[other] for name, other in pairs}


def _canonical(name: str) -> str:
    parts = name.replace("_", ".").split(".")
    while len(parts) > 1 and parts[0] in _PREFIXES:
        parts = parts[1:]
    return ".".join(parts)


def _is_counter(name: str) -> bool:
    """Whether a tensor is the batch counter of a norm, which inference does not use and old files lack."""
    return name.endswith("num_batches_tracked")


def _share(taken: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> float:
    return sum(value.numel() for value in taken.values()) / max(1, sum(value.numel() for value in own.values()))
