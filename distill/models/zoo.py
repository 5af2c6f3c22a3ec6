"""Registry of networks: a decorator registers a factory, `create_model` builds a network by name.

A network of this package is one file with its factory under `@register`; a user's own file is imported with
`--plugin FILE` and needs nothing else.
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
Entry = TypeVar("Entry", bound=Callable[[str], "ZooEntry"])


@dataclass(frozen=True)
class ZooEntry:
    """What is known about a network before it is built.

    The network maps images (b, 3, h, w) in [0, 1] to a `Prediction`. These attributes of it are used where they exist:
    `head` has its own learning rate and weight decay (parameters named `head.*`), the output of `neck` is what feature
    distillation compares, `backbone` or `body` takes `--model.weights` and is frozen with `--kd.head_only`.

    Attributes:
        factory: `(name, scheme, **options) -> nn.Module`; its keyword arguments are the options of the network. One
            called `image_size` is given the side of the crops.
        size: side of the square crops it is made for, in pixels: `--data.crop.size` unless another is given.
        loss: supervised loss that it is trained with unless another is given; see `distill.losses.supervised`.
    """

    factory: Callable[..., nn.Module]
    size: int
    loss: str


_REGISTRY: dict[str, ZooEntry] = {}
_FAMILIES: dict[str, Callable[[str], ZooEntry]] = {}


def register(*names: str, size: int = 256, loss: str = "maps") -> Callable[[Factory], Factory]:
    """Register a factory under one or several names; see `ZooEntry` for the arguments.

    A card in `distill/models/cards` holds published numbers and exact costs; networks of this package have one, which
    a test compares with the network, and a user's own need none.

    Raises:
        ConfigError: a factory of another module has the name already.
    """

    def add(factory: Factory) -> Factory:
        for name in names:
            previous = _REGISTRY.get(name)
            if previous is not None and previous.factory.__module__ != factory.__module__:
                raise ConfigError(f"model '{name}' of {factory.__module__} is registered already: choose another name")
            _REGISTRY[name] = ZooEntry(factory, size, loss)
        return factory

    return add


def register_family(prefix: str) -> Callable[[Entry], Entry]:
    """Register a function that returns the `ZooEntry` of every name with a prefix, such as `timm:`."""

    def add(entry: Entry) -> Entry:
        _FAMILIES[prefix] = entry
        return entry

    return add


def list_models() -> tuple[str, ...]:
    """Return the registered names, sorted; `timm:NAME` is valid too, for every backbone of timm."""
    _import_package()
    return tuple(sorted(_REGISTRY))


@cache
def _import_package() -> None:
    package = importlib.import_module("distill.models")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"distill.models.{module.name}")


def zoo_entry(arch: str) -> ZooEntry:
    """Return what is registered under a name.

    Raises:
        ConfigError: unknown architecture.
    """
    if not isinstance(arch, str):
        raise ConfigError(f"{type(arch).__name__} is no model; give a name, as list_models() returns them")
    names = list_models()
    for prefix, entry in _FAMILIES.items():
        if arch.startswith(prefix):
            return entry(arch)
    if arch not in names:
        raise ConfigError(f"unknown model '{arch}': {suggest(arch, [*names, *_family_names(arch)])}")
    return _REGISTRY[arch]


def _family_names(arch: str) -> list[str]:
    """Return the names of a network in the families, to suggest its prefix."""
    known = []
    for prefix, entry in _FAMILIES.items():
        try:
            entry(f"{prefix}{arch}")
        except ConfigError:
            continue
        known.append(f"{prefix}{arch}")
    return known


def takes_image_size(arch: str) -> bool:
    """Return whether a network is built for one crop size, given as the option `image_size`."""
    return "image_size" in inspect.signature(zoo_entry(arch).factory).parameters


def input_size(arch: str, options: Mapping[str, Any], size: int | None = None) -> tuple[int, dict[str, Any]]:
    """Return the side of the crops of a network in pixels, and its options with that size where it takes one.

    Args:
        arch: a name of `list_models`, or `timm:NAME`.
        options: keyword arguments of its factory; their `image_size` decides where `size` is None.
        size: requested side; None: that of the options, else that of the registry.

    Raises:
        ConfigError: `size` and `image_size` differ.
    """
    named = options.get("image_size")
    if size is not None and named is not None and size != named:
        raise ConfigError(f"--data.crop.size {size} and image_size {named} of --model.options differ; give one of them")
    chosen = size or named or zoo_entry(arch).size
    return chosen, {**options, "image_size": chosen} if takes_image_size(arch) else dict(options)


def _require_known(arch: str, factory: Callable[..., nn.Module], options: Mapping[str, Any]) -> None:
    """Raise a ConfigError with the nearest name for an option that a factory does not take."""
    parameters = list(inspect.signature(factory).parameters.values())[2:]  # after architecture and scheme
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    names = [parameter.name for parameter in parameters]
    for option in options:
        if option not in names:
            hint = suggest(option, names) if names else "it takes none"
            raise ConfigError(f"model {arch} takes no option '{option}': {hint}")


def create_model(arch: str, scheme: str, **options: Any) -> nn.Module:
    """Build a network for a landmark scheme.

    Args:
        arch: a name of `list_models`, or `timm:NAME`.
        scheme: name of the landmark scheme to predict.
        options: keyword arguments of the architecture's factory.

    Raises:
        ConfigError: unknown architecture, or an option it does not take.
    """
    factory = zoo_entry(arch).factory
    _require_known(arch, factory, options)
    try:
        return factory(arch, scheme, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"model {arch} cannot be built with options {options}: {error}") from error
