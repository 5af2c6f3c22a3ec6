"""Registry of export rewrites: what replaces a module in the exported copy of a network.

A rewrite is registered beside the module it replaces; `distill.export` applies all of them and depends on no network.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

# Returns the replacement, or None to leave the module and continue with its children.
Rewrite = Callable[[Any], nn.Module | None]
Function = TypeVar("Function", bound=Callable[[Any], nn.Module | None])

_REWRITES: dict[type[nn.Module], Rewrite] = {}


def register_rewrite(*module_types: type[nn.Module]) -> Callable[[Function], Function]:
    """Register a function (or a class) that makes the numerically equal replacement of these module types.

    It is applied to subclasses too, unless they have a rewrite of their own.
    """

    def add(function: Function) -> Function:
        for module_type in module_types:
            _REWRITES[module_type] = function
        return function

    return add


def rewrite_modules(module: nn.Module, only: tuple[type[nn.Module], ...] | None = None) -> nn.Module:
    """Return `module` rewritten or, where it has no rewrite, with its children rewritten in place.

    Args:
        module: in eval mode.
        only: module types whose rewrites are applied; None for all that are registered.
    """
    for module_type in type(module).__mro__:
        rewrite = _REWRITES.get(module_type) if only is None or module_type in only else None
        replacement = rewrite(module) if rewrite is not None else None
        if replacement is not None:
            return replacement
    for name, child in module.named_children():
        setattr(module, name, rewrite_modules(child, only))
    return module
