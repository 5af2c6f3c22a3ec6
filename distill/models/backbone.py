"""timm backbones, from scratch or with pretrained weights of the local cache or the hub."""

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import torch
from huggingface_hub import try_to_load_from_cache
from torch import nn

from distill.errors import ConfigError, nearest_name
from distill.files import sha256
from distill.pretrained.timm_hub import hub_is_reachable
from distill.system.timm_package import timm

Pretrained = bool | Literal["auto"]


def backbone_of(net: nn.Module) -> nn.Module:
    """Return what precedes the neck and heads of a network, or all of it where they are not separate."""
    for name in ("backbone", "body"):
        part = getattr(net, name, None)
        if isinstance(part, nn.Module):
            return part
    return net


def require_backbone(name: str) -> None:
    """Raise a ConfigError that names similar ones unless timm has this backbone."""
    if not timm.is_model(name):
        alike = get_close_matches(name, timm.list_models(), n=6, cutoff=0.3) or ["swinv2_tiny_window8_256"]
        nearest = nearest_name(name, alike) or alike[0]
        others = ", ".join(other for other in alike if other != nearest)
        similar = f" similar: {others};" if others else ""
        raise ConfigError(
            f"unknown timm backbone '{name}': did you mean '{nearest}'?{similar} all: timm.list_models() in Python"
        )


def create_backbone(name: str, pretrained: Pretrained, args: dict[str, Any], strides: tuple[int, ...]) -> Any:
    """Return a timm backbone that outputs its last feature maps, one per stride.

    What was loaded is recorded in its attribute `loaded_weights`.

    Args:
        name: of the backbone in timm.
        pretrained: False: random weights; True: timm's weights; `auto`: timm's where they can be reached.
        args: further arguments of the timm model.
        strides: of the feature maps.

    Raises:
        ConfigError: unknown backbone, or `pretrained` weights that cannot be loaded.
    """
    require_backbone(name)
    if pretrained not in (True, False, "auto"):
        raise ConfigError(f"pretrained {pretrained!r}: must be true, false or auto")
    options = {"features_only": True, "out_indices": tuple(range(-len(strides), 0)), **args}
    if not pretrained:
        return timm.create_model(name, pretrained=False, **options)
    try:
        body: Any = timm.create_model(name, pretrained=True, **_weight_source(name), **options)
    except (ConfigError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        if pretrained != "auto":
            hint = "give a local file with --model.weights, or pretrained: auto"
            raise ConfigError(f"no pretrained weights for {name} ({reason}): {hint}") from error
        print(f"no pretrained weights for {name} ({reason}): training from scratch", file=sys.stderr)
        body = timm.create_model(name, pretrained=False, **options)
        body.loaded_weights = {"file": None, "reason": reason}
        return body
    body.loaded_weights = _record(name, body)
    return body


def _record(name: str, body: nn.Module) -> dict[str, Any]:
    path = cached_weights(name)
    config = timm.get_pretrained_cfg(name)
    return {
        "file": f"timm:{(config and config.hf_hub_id) or name}",
        "sha256": sha256(path) if path else None,
        "matched": len(body.state_dict()),
        "missing": [],
    }


def _weight_source(name: str) -> dict[str, Any]:
    """Return arguments that make timm read the cached file, none where it is to be downloaded.

    Raises:
        ConfigError: nothing is published or cached, and the hub cannot be reached.
    """
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise ConfigError("timm publishes none")
    path = cached_weights(name)
    if path is not None:
        return {"pretrained_cfg_overlay": {"file": str(path)}}
    if not hub_is_reachable():
        raise ConfigError("not in the local cache, and the hub cannot be reached")
    return {}


def cached_weights(name: str) -> Path | None:
    """Return the file of a backbone's weights in the caches of huggingface_hub and torch.hub, if it is there."""
    config = timm.get_pretrained_cfg(name)
    if config is None:
        return None
    if config.hf_hub_id:
        for filename in (config.hf_hub_filename, "model.safetensors", "pytorch_model.bin"):
            path = try_to_load_from_cache(config.hf_hub_id, filename) if filename else None
            if isinstance(path, str):
                return Path(path)
    if config.url:
        path = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(str(config.url)).path).name)
        return path if path.is_file() else None
    return None
