"""Search space of a sweep: typed ranges and choices of options."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distill.errors import ConfigError, suggest

_SCALAR = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Range:
    """An interval of numbers, both ends included.

    Attributes:
        name: dotted name of the option.
        low, high: ends.
        log: sampled uniformly in the logarithm.
        step: of whole numbers; None for fractions.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: int | None = None

    def ends(self) -> list[Any]:
        """Return the values that are checked before the first trial."""
        return [self.low, self.high]

    def suggest(self, trial: Any) -> Any:
        """Return the value of an Optuna trial."""
        if self.step is None:
            return trial.suggest_float(self.name, self.low, self.high, log=self.log)
        return trial.suggest_int(self.name, self.low, self.high, log=self.log, step=self.step)


@dataclass(frozen=True)
class Choice:
    """A list of values of any type.

    Attributes:
        name: dotted name of the option.
        values: at least one.
    """

    name: str
    values: tuple[Any, ...]

    def ends(self) -> list[Any]:
        """Return the values that are checked before the first trial: all."""
        return list(self.values)

    def suggest(self, trial: Any) -> Any:
        """Return the value of an Optuna trial, whose store holds lists and mappings as JSON."""
        stored = [value if isinstance(value, _SCALAR) else json.dumps(value) for value in self.values]
        return self.values[stored.index(trial.suggest_categorical(self.name, stored))]


Parameter = Range | Choice


def parse_space(search: Mapping[str, Any]) -> list[Parameter]:
    """Return the parameters of a search space.

    Args:
        search: option -> `{type: float, low, high, log}`, `{type: int, low, high, log, step}`,
            `{type: choice, values}`, or a list of values.

    Raises:
        ConfigError: naming the option and what is wrong with its range.
    """
    return [_parameter(name, given) for name, given in search.items()]


def _parameter(name: str, given: Any) -> Parameter:
    option = f"--search {name}"
    if isinstance(given, list):
        given = {"type": "choice", "values": given}
    if not isinstance(given, Mapping):
        raise ConfigError(f"{option}: {given!r} is no range; give {{type: float, low: 0.1, high: 1}} or a list")
    fields = {"float": ("low", "high", "log"), "int": ("low", "high", "log", "step"), "choice": ("values",)}
    kind = str(given.get("type"))
    if kind not in fields:
        raise ConfigError(f"{option}: type {kind}: {suggest(kind, list(fields))}")
    for field in given:
        if field not in ("type", *fields[kind]):
            raise ConfigError(f"{option}: unknown field '{field}' of type {kind}: {suggest(field, list(fields[kind]))}")
    if kind == "choice":
        values = given.get("values")
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{option}: values {values!r} must be a list with a value")
        return Choice(name, tuple(values))
    return _range(option, name, given, kind == "int")


def _range(option: str, name: str, given: Mapping[str, Any], whole: bool) -> Range:
    numbers = {field: given.get(field) for field in ("low", "high")}
    number = "a whole number" if whole else "a number"
    for field, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ConfigError(f"{option}: {field} {value!r} must be {number}")
    low, high = numbers["low"], numbers["high"]
    log, step = given.get("log", False), given.get("step", 1)
    if not low < high:  # type: ignore[operator]
        raise ConfigError(f"{option}: low {low} must be below high {high}")
    if log not in (True, False) or (log and low <= 0):  # type: ignore[operator]
        raise ConfigError(f"{option}: log {log} needs true or false, and a low above 0, not {low}")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1 or (log and step != 1):
        raise ConfigError(f"{option}: step {step!r} must be a whole number from 1 on, and 1 with log")
    return Range(name, low, high, log, step if whole else None)  # type: ignore[arg-type]
