"""Pretrained weights of timm's backbones: whether the hub answers, and whether anything is in the local caches.

Without torch and timm, whose import takes seconds, so that a training that cannot start says so at once.
"""

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

from distill.errors import ConfigError

_PROBE_SECONDS = 1.0


def require_weights_or_hub(arch: str) -> None:
    """Refuse pretrained weights where the local caches hold no file at all and the hub cannot be reached.

    Which file a backbone needs is known to timm alone, so caches that hold anything are left to `create_backbone`.

    Args:
        arch: network, for the message.

    Raises:
        ConfigError: they cannot be loaded.
    """
    if not cache_holds_files() and not hub_is_reachable():
        raise ConfigError(
            f"no pretrained weights for {arch} (nothing in the local caches, and the hub cannot be reached): give a "
            "local file with --model.weights, or pretrained: auto"
        )


def cache_holds_files() -> bool:
    """Return whether the cache of huggingface_hub has a model or that of torch.hub a checkpoint."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = ((Path(HF_HUB_CACHE), "models--*"), (_torch_hub_checkpoints(), "*"))
    return any(any(folder.glob(pattern)) for folder, pattern in folders)


def _torch_hub_checkpoints() -> Path:
    """Return the folder of torch.hub's checkpoints, as torch finds it: TORCH_HOME, else in XDG_CACHE_HOME."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"


def hub_is_reachable() -> bool:
    """Return whether the hub answers one request within a second."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        return False
    answered = threading.Event()
    # Name resolution has no timeout of its own, so a thread that may outlive the wait makes the request.
    threading.Thread(target=_request, args=(answered,), daemon=True).start()
    return answered.wait(_PROBE_SECONDS)


def _request(answered: threading.Event) -> None:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310  the endpoint is the user's own
        with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):  # noqa: S310
            answered.set()
    except urllib.error.HTTPError:
        answered.set()
    except (OSError, ValueError):
        return
