"""Command line of a result: the options that differ from their defaults, without folders of this machine."""

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


def command_line(
    command: str, function: Callable[..., Any], given: Mapping[str, Any], positional: str, left_out: Sequence[str]
) -> str:
    """Return the command that gives these options.

    Args:
        command: its name.
        function: whose parameters the options are.
        given: value of each parameter.
        positional: the parameter, a list of paths, that is given without a name.
        left_out: parameters that do not change the result.
    """
    words = [path.name for path in given[positional]]
    for name, parameter in inspect.signature(function).parameters.items():
        value = given[name]
        if name in (positional, *left_out) or value == parameter.default:
            continue
        mapped = asdict(value) if is_dataclass(value) and not isinstance(value, type) else None
        parts = {f"{name}.{key}": part for key, part in mapped.items()} if mapped else {name: value}
        for option, part in parts.items():
            many = part if isinstance(part, list) else [str(part).lower() if isinstance(part, bool) else part]
            words += [f"--{option}", *(item.name if isinstance(item, Path) else str(item) for item in many)]
    return f"distill {command} {shlex.join(words)}"
