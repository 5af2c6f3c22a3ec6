"""`trials.json` and the table: every trial once, the best by the direction of the objective."""

import json
from pathlib import Path

from rich.console import Console

from distill.sweep.objective import OBJECTIVES
from distill.sweep.result import Trial, best_trial, trial_table, write_trials

TRIALS = [
    Trial(0, "fail", reason="error"),
    Trial(1, "complete", 0.05, {"optim.lr": 0.00123456}, [0.06, 0.05], 12.0),
    Trial(2, "pruned", 0.01, {"optim.lr": 0.1}, [0.01]),
    Trial(3, "complete", 0.04, {"optim.lr": 0.5}, [0.04], 11.0),
    Trial(4, "running"),
]


def test_the_best_is_a_complete_trial() -> None:
    lowest, highest = (best_trial(TRIALS, OBJECTIVES[name]) for name in ("student", "detector"))
    assert lowest is not None
    assert highest is not None
    assert (lowest.number, highest.number) == (3, 1)
    assert best_trial(TRIALS[:1], OBJECTIVES["student"]) is None


def test_the_file_holds_every_trial(tmp_path: Path) -> None:
    write_trials(tmp_path, TRIALS, OBJECTIVES["student"])
    content = json.loads((tmp_path / "trials.json").read_text())
    assert (content["best"], content["metric"], content["direction"]) == (3, "val/nme", "minimize")
    assert [trial["number"] for trial in content["trials"]] == [0, 1, 2, 3, 4]
    assert content["trials"][1]["options"] == {"optim.lr": 0.00123456}
    assert content["trials"][0]["reason"] == "error"


def test_the_table_begins_with_the_best() -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(trial_table(TRIALS, OBJECTIVES["student"]))
    rows = [line.split("│")[1:4] for line in capture.get().splitlines() if line.startswith("│")]
    assert [tuple(cell.strip() for cell in row) for row in rows[:2]] == [
        ("3", "complete", "4.000"), ("1", "complete", "5.000"),
    ]  # fmt: skip
