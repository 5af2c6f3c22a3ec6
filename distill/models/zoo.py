"""Every network by name: a decorator registers its factory, `create_model` builds it.

A new network is one file in this package: its factory under `@register`, nothing to add anywhere else.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from torch import nn

from distill.errors import ConfigError, suggest

Factory = TypeVar("Factory", bound=Callable[..., nn.Module])


@dataclass(frozen=True)
class ZooEntry:
    """What is known about a network before it is built.

    Attributes:
        factory: `(name, scheme, **options) -> nn.Module`, which maps images (b, 3, h, w) in [0, 1] to a `Prediction`.
        size: side of the square crops it is made for, in pixels.
        loss: kind of supervised loss it is trained with unless another is asked for; see `distill.losses.supervised`.
    """

    factory: Callable[..., nn.Module]
    size: int
    loss: str


_REGISTRY: dict[str, ZooEntry] = {}


def register(*names: str, size: int = 256, loss: str = "maps") -> Callable[[Factory], Factory]:
    """Register a factory under one or several names; see `ZooEntry` for what it promises."""

    def add(factory: Factory) -> Factory:
        for name in names:
            _REGISTRY[name] = ZooEntry(factory, size, loss)
        return factory

    return add


@cache
def list_models() -> tuple[str, ...]:
    """Return the names `create_model` knows, sorted."""
    package = importlib.import_module("distill.models")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"distill.models.{module.name}")  # registers
    return tuple(sorted(_REGISTRY))


def zoo_entry(arch: str) -> ZooEntry:
    """Return what is registered under a name.

    Raises:
        ConfigError: unknown architecture.
    """
    names = list_models()
    if arch not in names:
        raise ConfigError(f"unknown model '{arch}': {suggest(arch, list(names))}")
    return _REGISTRY[arch]


def takes_image_size(arch: str) -> bool:
    """Return whether a network is built for one crop size, given as the option `image_size`."""
    return "image_size" in inspect.signature(zoo_entry(arch).factory).parameters


def input_size(arch: str, options: Mapping[str, Any], size: int | None = None) -> tuple[int, dict[str, Any]]:
    """Return the side of the crops of a network in pixels, and its options with that size where it takes one.

    Args:
        arch: a name of `list_models`.
        options: keyword arguments of its factory; their `image_size` decides where `size` is None.
        size: side asked for; None: that of the options, else that of the registry.

    Raises:
        ConfigError: `size` and `image_size` differ.
    """
    named = options.get("image_size")
    if size is not None and named is not None and size != named:
        raise ConfigError(f"--data.crop.size {size} and image_size {named} of --model.options differ; give one of them")
    chosen = size or named or zoo_entry(arch).size
    return chosen, {**options, "image_size": chosen} if takes_image_size(arch) else dict(options)


def create_model(arch: str, scheme: str, **options: Any) -> nn.Module:
    """Build a network for a landmark scheme.

    Args:
        arch: a name of `list_models`.
        scheme: name of the landmark scheme to predict.
        options: keyword arguments of the architecture's factory.

    Raises:
        ConfigError: unknown architecture, or an option it does not take.
    """
    try:
        return zoo_entry(arch).factory(arch, scheme, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"model {arch} cannot be built with options {options}: {error}") from error
