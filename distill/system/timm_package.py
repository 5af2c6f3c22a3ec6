"""Import of timm without wandb, which timm imports where it is installed and uses in its own training script alone.

It takes more than a quarter of the time in which a training imports its packages.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["timm"]

if TYPE_CHECKING:
    import timm


def _import_timm() -> None:
    """Import timm and the models that this package takes parts of; wandb stays importable."""
    hidden = "wandb" not in sys.modules
    if hidden:
        # An import of it fails as that of a missing package.
        sys.modules["wandb"] = None  # type: ignore[assignment]
    try:
        for name in ("timm", "timm.models.efficientnet", "timm.models.mobilevit"):
            import_module(name)
    finally:
        if hidden:
            del sys.modules["wandb"]


_import_timm()
if not TYPE_CHECKING:
    timm = sys.modules["timm"]
