"""Search spaces: what a range draws, what is refused, and which values are checked first."""

from typing import Any

import pytest

from distill.errors import ConfigError
from distill.sweep.space import Choice, Range, parse_space


class FakeTrial:
    """Returns the lowest number and the last choice, as Optuna suggests them."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        self.suggested = (name, low, high, log)
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool, step: int) -> int:
        self.suggested = (name, low, high, log, step)  # type: ignore[assignment]
        return low

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        assert all(isinstance(choice, str | int | float | bool | None) for choice in choices)
        return choices[-1]


def test_types_of_parameters() -> None:
    space = parse_space(
        {
            "optim.lr": {"type": "float", "low": 1e-4, "high": 1, "log": True},
            "kd.weight": {"type": "int", "low": 0, "high": 100, "step": 10},
            "optim.name": {"type": "choice", "values": ["adamw", "sgd"]},
            "optim.milestones": [None, [0.5, 0.9]],
        }
    )
    assert space[:2] == [Range("optim.lr", 1e-4, 1, log=True), Range("kd.weight", 0, 100, step=10)]
    assert space[2] == Choice("optim.name", ("adamw", "sgd"))
    trial = FakeTrial()
    values = [parameter.suggest(trial) for parameter in space]
    assert values == [1e-4, 0, "sgd", [0.5, 0.9]]
    assert trial.suggested == ("kd.weight", 0, 100, False, 10)
    assert [parameter.ends() for parameter in space] == [[1e-4, 1], [0, 100], ["adamw", "sgd"], [None, [0.5, 0.9]]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "3 is no range"),
        ({"low": 1, "high": 2}, "type None: valid: float, int, choice"),
        ({"type": "floats", "low": 1, "high": 2}, "type floats: did you mean 'float'"),
        ({"type": "float", "low": 1}, "high None must be a number"),
        ({"type": "float", "low": "1", "high": 2}, "low '1' must be a number"),
        ({"type": "int", "low": 1.5, "high": 2}, "low 1.5 must be a whole number"),
        ({"type": "float", "low": 2, "high": 2}, "low 2 must be below high 2"),
        ({"type": "float", "low": 0, "high": 2, "log": True}, "low above 0"),
        ({"type": "int", "low": 1, "high": 9, "step": 0}, "step 0"),
        ({"type": "int", "low": 1, "high": 9, "step": 2, "log": True}, "1 with log"),
        ({"type": "float", "low": 1, "high": 9, "step": 2}, "unknown field 'step' of type float"),
        ({"type": "choice", "values": []}, r"values \[\] must be a list with a value"),
    ],
)
def test_a_wrong_range_is_one_line_with_its_option(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"--search optim.lr: .*{message}"):
        parse_space({"optim.lr": given})
