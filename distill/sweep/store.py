"""Store of a sweep: an Optuna study in a SQLite file of the sweep's folder.

SQLite is transactional: a process that is killed leaves the trials it had recorded, and several processes can read and
write. Optuna's journal file is neither needed nor faster at this size.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distill.errors import ConfigError, first_line
from distill.sweep.config import SweepConfig
from distill.sweep.objective import Objective
from distill.sweep.space import Parameter

DATABASE = "study.db"
_NAME = "sweep"
# Seeds of consecutive trials of one sweep differ by 1, those of two sweeps by more than they have trials.
_SEEDS_APART = 1_000_003


def require_optuna() -> None:
    """Check that Optuna is installed.

    Raises:
        ConfigError: with the command that installs it.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(
            "distill sweep needs optuna, which is not installed: pip install 'distill-landmarks[sweep]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def database_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the store, such as a full disk or a damaged file, into one line that names it.

    Raises:
        ConfigError: there is one.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        source = error if isinstance(error, SQLAlchemyError) else error.__cause__ or error
        reason = first_line(getattr(source, "orig", None) or error)
        raise ConfigError(
            f"{folder / DATABASE}: cannot be read or written ({reason}); trainings keep what they saved"
        ) from error


def open_study(config: SweepConfig, objective: Objective) -> Any:
    """Return the study of a sweep, which is made where there is none."""
    import optuna

    path = (config.folder / DATABASE).absolute()
    return optuna.create_study(
        storage=optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}),
        study_name=_NAME,
        direction=objective.direction,
        load_if_exists=True,
        pruner=_pruner(config),
    )


def _pruner(config: SweepConfig) -> Any:
    from optuna import pruners

    if config.pruning == "median":
        return pruners.MedianPruner(config.prune_after, n_warmup_steps=config.prune_from)
    if config.pruning == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=config.prune_from)
    return pruners.NopPruner()


def new_trial(study: Any, config: SweepConfig, space: Sequence[Parameter]) -> Any:
    """Return a new trial with a value for each parameter, all of it stored.

    Its random numbers are a function of the seed and the number of the trial: a continued sweep does not draw those
    of its first trials again.
    """
    from optuna import samplers

    seed = (config.seed * _SEEDS_APART + len(study.get_trials(deepcopy=False))) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant_liar is called experimental
        tpe = config.sampler == "tpe"
        # Values of running trials count as bad ones, so that workers do not all try the same.
        study.sampler = samplers.TPESampler(seed=seed, constant_liar=True) if tpe else samplers.RandomSampler(seed)
        trial = study.ask()
    draw(trial, space)
    return trial


def interrupted_trials(study: Any) -> list[Any]:
    """Return the trials that no process runs any more but which have not ended, in order."""
    import optuna

    running = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])
    return [optuna.trial.Trial(study, frozen._trial_id) for frozen in running]


def draw(trial: Any, space: Sequence[Parameter]) -> dict[str, Any]:
    """Return the values of a trial by option; those that are stored stay, also after a kill between two of them."""
    return {parameter.name: parameter.suggest(trial) for parameter in space}


def report(study: Any, trial: Any, values: Sequence[float]) -> bool:
    """Store the validations of a trial, those that are not stored yet; return whether it should end early.

    Args:
        study: of the sweep.
        trial: that runs.
        values: of all its validations so far.
    """
    known = study._storage.get_trial(trial._trial_id).intermediate_values
    for index, value in enumerate(values, 1):
        if index not in known:
            trial.report(value, index)
    return bool(values) and bool(trial.should_prune())


def database_exists(folder: Path) -> bool:
    """Whether a sweep was started in this folder."""
    return (folder / DATABASE).is_file()
