"""Registry of supervised and distillation losses.

A loss is registered by a decorator, in a module of this package or in a file of one's own (`--plugin FILE`). Each
names the parts of a `Prediction` that it reads and the dataclass of its options.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from distill.errors import ConfigError

Make = TypeVar("Make", bound=Callable[..., Any])


@dataclass(frozen=True)
class NoOptions:
    """Options of a loss that has none."""


@dataclass(frozen=True)
class LossEntry:
    """Entry of a supervised loss.

    Attributes:
        make: (scheme, **options) -> module; it maps (prediction, landmarks (b, k, 2), valid (b, k)) to its terms by
            name and their sum, `loss`.
        needs: the parts of a `Prediction` it reads.
        options: dataclass of its options and their defaults.
    """

    make: Callable[..., Any]
    needs: tuple[str, ...]
    options: type = NoOptions


@dataclass(frozen=True)
class KDEntry:
    """Entry of a distillation loss.

    Attributes:
        make: (*parts of the student, *parts of the teacher, **options) -> loss of each landmark (b, k), in float32.
        student: the parts of the student's `Prediction` it reads.
        teacher: the parts of the teacher's `Prediction` it reads.
        options: dataclass of its options and their defaults.
        same_shape: whether the parts of both must have one shape.
    """

    make: Callable[..., Any]
    student: tuple[str, ...]
    teacher: tuple[str, ...]
    options: type = NoOptions
    same_shape: bool = True


_LOSSES: dict[str, LossEntry] = {}
_KD_LOSSES: dict[str, KDEntry] = {}


def register_loss(name: str, *, needs: tuple[str, ...], options: type = NoOptions) -> Callable[[Make], Make]:
    """Register a supervised loss: a module class or a factory of `(scheme, **options)`; see `LossEntry`.

    Raises:
        ConfigError: the name is taken.
    """

    def add(make: Make) -> Make:
        _require_free("loss", name, make, _LOSSES, ("default",))
        _LOSSES[name] = LossEntry(make, tuple(needs), options)
        return make

    return add


def register_kd(
    name: str,
    *,
    needs: tuple[str, ...],
    teacher_needs: tuple[str, ...] | None = None,
    options: type = NoOptions,
    same_shape: bool = True,
) -> Callable[[Make], Make]:
    """Register a distillation loss: a function of parts of two predictions; see `KDEntry`.

    Args:
        name: value of `--kd.kind`.
        needs: parts of the student's prediction, and of the teacher's unless `teacher_needs` names others.
        teacher_needs: parts of the teacher's prediction.
        options: dataclass of the function's further arguments.
        same_shape: whether parts of both that have one name must have one shape.

    Raises:
        ConfigError: the name is taken.
    """

    def add(loss: Make) -> Make:
        _require_free("distillation loss", name, loss, _KD_LOSSES, _NOT_KD)
        teacher = needs if teacher_needs is None else teacher_needs
        _KD_LOSSES[name] = KDEntry(loss, tuple(needs), tuple(teacher), options, same_shape)
        return loss

    return add


# Values of --kd.kind that are no function of two predictions.
_NOT_KD = ("feature", "none")


def _require_free(what: str, name: str, new: Any, registered: Mapping[str, Any], reserved: tuple[str, ...]) -> None:
    """Refuse a name that another module has registered; a module that is imported again replaces its own."""
    if not _module_of(new).startswith("distill.losses."):
        _import_built_in()  # so that a user's file cannot take one of their names
    taken = name in registered and _module_of(new) != _module_of(registered[name].make)
    if taken or name in reserved:
        raise ConfigError(f"the {what} '{name}' exists already: register yours under another name")


def _module_of(make: Any) -> str:
    """Return the module of a function, class or partial."""
    return str(getattr(getattr(make, "func", make), "__module__", ""))


def supervised_losses() -> Mapping[str, LossEntry]:
    """Return every supervised loss by name."""
    _import_built_in()
    return MappingProxyType(dict(sorted(_LOSSES.items())))


def kd_losses() -> Mapping[str, KDEntry]:
    """Return every distillation loss between predictions by name; `feature` has a module of its own."""
    _import_built_in()
    return MappingProxyType(dict(sorted(_KD_LOSSES.items())))


@cache
def _import_built_in() -> None:
    """Import every module of this package, which registers its losses."""
    for package in ("distill.losses", "distill.losses.kd"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")


def option_names(options: type) -> tuple[str, ...]:
    """Return the names of the options of a dataclass."""
    return tuple(field.name for field in fields(options))


def resolve_options(what: str, options: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a loss with their defaults.

    Args:
        what: the loss as an error message names it.
        options: dataclass of its options.
        given: values by name; all must be options of it.

    Raises:
        ConfigError: a value of the wrong type, one that the dataclass refuses, or a missing one.
    """
    for field in fields(options):
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in given:
            raise ConfigError(f"{what} needs the option {field.name}: give it a value")
        if field.name in given and not _has_type(given[field.name], field.type):
            value = given[field.name]
            raise ConfigError(f"{what}: option {field.name} is {value!r}, which is no {_type_name(field.type)}")
    try:
        chosen = options(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} does not take the options {dict(given)}: {error}") from error
    return {name: getattr(chosen, name) for name in option_names(options)}


def _has_type(value: Any, expected: Any) -> bool:
    """Whether a value has one of the plain types; others are left to the dataclass."""
    allowed = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}.get(_type_name(expected))
    if allowed is None:
        return True
    return isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))


def _type_name(expected: Any) -> str:
    """Return the name of a type; with postponed annotations it is a string already."""
    return str(getattr(expected, "__name__", expected))
