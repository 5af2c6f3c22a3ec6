"""Model zoo: create networks by name. Imported lazily, so that `distill.models.config` stays free of torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distill.models.heads import Prediction
    from distill.models.zoo import create_model, list_models

_MODULES = {"Prediction": "heads", "create_model": "zoo", "list_models": "zoo"}

__all__ = ["Prediction", "create_model", "list_models"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
