"""Store of a sweep: what is written stays, and a continued search does not draw the same trials again."""

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.errors import ConfigError
from distill.sweep.config import SweepConfig
from distill.sweep.objective import OBJECTIVES
from distill.sweep.space import parse_space
from distill.sweep.store import database_errors, draw, interrupted_trials, new_trial, open_study, report, require_optuna

SEARCH = {"optim.lr": {"type": "float", "low": 1e-4, "high": 1, "log": True}, "optim.name": ["adamw", "sgd"]}
SPACE = parse_space(SEARCH)


def config_of(tmp_path: Path, **changes: Any) -> SweepConfig:
    config = SweepConfig(**{"runs": tmp_path, "search": SEARCH, **changes})
    config.folder.mkdir(exist_ok=True)
    return config


@pytest.fixture
def optuna() -> Any:
    return pytest.importorskip("optuna", reason="optuna is not installed: pip install 'distill-landmarks[sweep]'")


def test_without_optuna_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"needs optuna, .* pip install 'distill-landmarks\[sweep\]'"):
        require_optuna()


def test_a_sweep_in_parts_draws_what_one_in_a_whole_draws(optuna: Any, tmp_path: Path) -> None:
    def values(folder: str, parts: int) -> list[Any]:
        config = config_of(tmp_path, name=folder)
        drawn = []
        for index in range(6):
            if index % (6 // parts) == 0:
                study = open_study(config, OBJECTIVES["student"])
            trial = new_trial(study, config, SPACE)
            drawn.append(draw(trial, SPACE))
            study.tell(trial, drawn[-1]["optim.lr"])
        return drawn

    whole = values("whole", 1)
    assert whole == values("parts", 3)
    assert len({value["optim.lr"] for value in whole}) == 6


def test_a_killed_process_leaves_its_trial_with_its_values(optuna: Any, tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from tests.sweep.test_store import OBJECTIVES, SPACE, config_of, new_trial, open_study, report
config = config_of(Path({str(tmp_path)!r}))
study = open_study(config, OBJECTIVES["student"])
trial = new_trial(study, config, SPACE)
report(study, trial, [0.5, 0.25])
print(trial.params, flush=True)
os.kill(os.getpid(), 9)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    study = open_study(config_of(tmp_path), OBJECTIVES["student"])
    (trial,) = interrupted_trials(study)
    assert str(draw(trial, SPACE)) == done.stdout.strip()
    assert report(study, trial, [0.5, 0.25, 0.125]) is False
    assert study.trials[0].intermediate_values == {1: 0.5, 2: 0.25, 3: 0.125}


@pytest.mark.parametrize(("direction", "bad", "good"), [("student", 0.9, 0.1), ("detector", 0.1, 0.9)])
def test_a_trial_worse_than_the_median_is_pruned(
    optuna: Any, direction: Any, bad: float, good: float, tmp_path: Path
) -> None:
    config = config_of(tmp_path, command=direction, prune_after=2, prune_from=2)
    study = open_study(config, OBJECTIVES[direction])
    for value in (0.4, 0.6):
        trial = new_trial(study, config, SPACE)
        report(study, trial, [0.5, value])
        study.tell(trial, value)
    for value, ends in ((bad, True), (good, False)):
        trial = new_trial(study, config, SPACE)
        assert not report(study, trial, [])
        assert not report(study, trial, [value]), "too early to compare"
        assert report(study, trial, [value, value]) is ends


def test_a_damaged_store_is_one_line(optuna: Any, tmp_path: Path) -> None:
    config = config_of(tmp_path)
    (config.folder / "study.db").write_text("no database, but a text that is long enough for a header" * 9)
    expected = r"study\.db: cannot be read or written \(file is not a database\)"
    with pytest.raises(ConfigError, match=expected), database_errors(config.folder):
        open_study(config, OBJECTIVES["student"])


def test_a_full_disk_is_one_line(optuna: Any, tmp_path: Path) -> None:
    """SQLite reports it as an error of its own, of several lines, through two libraries."""
    config = config_of(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(ConfigError, match="cannot be read or written") as caught, database_errors(config.folder):
            open_study(config, OBJECTIVES["student"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert "\n" not in str(caught.value)
