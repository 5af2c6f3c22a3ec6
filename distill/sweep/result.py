"""Result of a sweep: a table of its trials on the terminal, and `trials.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from distill.files import write_json
from distill.sweep.objective import Objective

FORMAT = "distill-sweep/1"
NAME = "trials.json"
REASON, SECONDS = "reason", "seconds"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: from 0.
        state: `complete`, `pruned`, `fail`, `running`.
        value: best validation of a complete trial, last one of a pruned trial; None of others.
        options: searched options, with values as in the store.
        validations: value of each.
        seconds: of training, of a complete trial; those before an interruption do not count.
        reason: of a failure.
    """

    number: int
    state: str
    value: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    validations: Sequence[float] = ()
    seconds: float | None = None
    reason: str | None = None

    @property
    def folder(self) -> str:
        """Name of its folder in that of the sweep."""
        return f"trial_{self.number}"


def trials_of(study: Any) -> list[Trial]:
    """Return all trials of a study, by number."""
    return [
        Trial(
            frozen.number,
            frozen.state.name.lower(),
            frozen.value,
            dict(frozen.params),
            [frozen.intermediate_values[step] for step in sorted(frozen.intermediate_values)],
            frozen.user_attrs.get(SECONDS),
            frozen.user_attrs.get(REASON),
        )
        for frozen in study.get_trials(deepcopy=False)
    ]


def best_trial(trials: Sequence[Trial], objective: Objective) -> Trial | None:
    """Return the complete trial with the best value, the first of equals, or None."""
    sign = 1 if objective.direction == "minimize" else -1
    complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    return min(complete, key=lambda trial: sign * float(trial.value or 0), default=None)


def write_trials(folder: Path, trials: Sequence[Trial], objective: Objective) -> None:
    """Write `trials.json`."""
    best = best_trial(trials, objective)
    content = {
        "format": FORMAT,
        "metric": objective.metric,
        "direction": objective.direction,
        "best": None if best is None else best.number,
        "trials": [
            {
                "number": trial.number,
                "folder": trial.folder,
                "state": trial.state,
                "value": trial.value,
                "options": dict(trial.options),
                "validations": list(trial.validations),
                "seconds": trial.seconds,
                "reason": trial.reason,
            }
            for trial in trials
        ],
    }
    write_json(folder / NAME, content)


def trial_table(trials: Sequence[Trial], objective: Objective) -> Table:
    """Return the trials as a table, the best first."""
    sign = 1 if objective.direction == "minimize" else -1
    names = list(dict.fromkeys(name for trial in trials for name in trial.options))
    table = Table("trial", "state", f"{objective.label} %", "validations", "s", *names)

    def order(trial: Trial) -> tuple[bool, float, int]:
        return trial.state != "complete", sign * float(trial.value or 0), trial.number

    for trial in sorted(trials, key=order):
        value = "" if trial.value is None else f"{100 * trial.value:.3f}"
        seconds = "" if trial.seconds is None else f"{trial.seconds:.0f}"
        options = [_shown(trial.options.get(name)) for name in names]
        table.add_row(str(trial.number), trial.state, value, str(len(trial.validations)), seconds, *options)
    return table


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
