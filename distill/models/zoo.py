"""Every network by name: a decorator registers its factory, `create_model` builds it."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from distill.errors import ConfigError, suggest

Factory = TypeVar("Factory", bound=Callable[..., nn.Module])
_REGISTRY: dict[str, Callable[..., nn.Module]] = {}


def register(*names: str) -> Callable[[Factory], Factory]:
    """Register a factory `(name, scheme, **options) -> nn.Module` under one or several names."""

    def add(factory: Factory) -> Factory:
        for name in names:
            _REGISTRY[name] = factory
        return factory

    return add


def list_models() -> list[str]:
    """Return the names `create_model` knows."""
    from distill.models import mobilevit_v2, swin_v2  # noqa: F401  registers on import

    return sorted(_REGISTRY)


def create_model(arch: str, scheme: str, **options: Any) -> nn.Module:
    """Build a network for a landmark scheme.

    Args:
        arch: a name of `list_models`.
        scheme: name of the landmark scheme to predict.
        options: keyword arguments of the architecture's factory.

    Raises:
        ConfigError: unknown architecture, or an option it does not take.
    """
    names = list_models()
    if arch not in names:
        raise ConfigError(f"unknown model '{arch}': {suggest(arch, names)}")
    try:
        return _REGISTRY[arch](arch, scheme, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"model {arch} cannot be built with options {options}: {error}") from error
