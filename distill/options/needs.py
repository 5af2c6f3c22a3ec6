"""Options that have an effect only with another one: a typed option without what it needs is refused."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from distill.errors import ConfigError
from distill.plugins import load_plugins

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """What an option needs.

    Attributes:
        commands: that have the option, by name.
        options: dotted names; `calibration` also means all options of that group.
        needs: words to add, or the option to leave out, for the message.
        given: whether parsed values have it.
    """

    commands: tuple[str, ...]
    options: tuple[str, ...]
    needs: str
    given: Callable[[Values], bool]


def _integers(values: Values) -> bool:
    """Return whether a mode of integers is exported, which is calibrated; a parity report has all modes by default."""
    return any(mode.startswith("int") for mode in values["modes"] or (["int8"] if values["parity_report"] else []))


def _holds_out_faces(values: Values) -> bool:
    """Return whether training faces are held out for validation; formats may come from plugins."""
    load_plugins(values["plugin"])
    return bool(values["data"].holds_out_faces())


_TRAININGS = ("teacher", "student")
_TRACKED = (*_TRAININGS, "detector")
_JOBS = ("evaluate", "export", "check", "bench", "submit")
NEEDS = (
    Need(
        _TRACKED,
        ("log.project", "log.group", "log.tags", "log.notes"),
        "a tracker: leave out --log.wandb disabled, or name one with --log.to",
        lambda values: bool(values["log"].trackers),
    ),
    Need(
        _TRACKED,
        ("log.entity", "log.system", "log.pictures"),
        "W&B: name wandb in --log.to, and leave out --log.wandb disabled",
        lambda values: "wandb" in values["log"].trackers,
    ),
    Need(
        _TRAININGS,
        ("data.val_fraction",),
        "training faces to hold out: leave out --data.val_subset",
        lambda values: values["data"].val_subset is None,
    ),
    Need(
        _TRAININGS,
        ("data.val_fraction",),
        "data without validation faces of their own, or --data.subset to choose training faces",
        _holds_out_faces,
    ),
    Need(
        _TRAININGS,
        ("data.augment_period",),
        "more epochs than that: --trainer.epochs",
        lambda values: values["data"].augment_period in range(values["trainer"].epochs),
    ),
    Need(
        _TRAININGS,
        ("trainer.patience",),
        "more validations than that: more --trainer.epochs, or a smaller --trainer.validate_every",
        lambda values: values["trainer"].patience < values["trainer"].epochs // values["trainer"].validate_every,
    ),
    Need(
        _TRAININGS,
        ("trainer.sync_batchnorm",),
        "several GPUs: --trainer.devices 2, or more of them",
        lambda values: values["trainer"].devices * values["trainer"].num_nodes > 1,
    ),
    Need(
        ("student",),
        ("loss",),
        "the supervised loss: leave out --kd.supervised false",
        lambda values: values["kd"].supervised,
    ),
    Need(
        ("student",),
        ("kd.cache.folder", "kd.cache.max_gb"),
        "--kd.cache.form window, maps or landmarks",
        lambda values: values["kd"].cache.form != "none",
    ),
    Need(
        _JOBS,
        ("log.wandb", "log.tags", "log.notes"),
        "a run: leave out --log.run none",
        lambda values: str(values["log"].run) != "none",
    ),
    Need(
        ("detector",),
        tuple(f"data.scene.{name}" for name in ("paste", "pasted", "paste_smallest", "paste_largest", "paste_roll")),
        "faces to paste: --data.paste",
        lambda values: bool(values["data"].paste),
    ),
    Need(("detector",), ("kd",), "a teacher: --teacher best.ckpt", lambda values: values["teacher"] is not None),
    Need(
        ("export",),
        ("rounds", "pictures"),
        "--parity_report or --page FILE",
        lambda values: values["parity_report"] or values["page"] is not None,
    ),
    Need(("export",), ("pictures",), "--data.preset or other faces", lambda values: values["data"] is not None),
    Need(
        ("export",),
        ("calibration", "quantize"),
        "an integer mode, such as --modes int8",
        _integers,
    ),
    Need(
        ("bench",),
        ("plot",),
        "the NME of a model: --evaluations FILE or --nme NAME=PERCENT",
        lambda values: bool(values["evaluations"] or values["nme"]),
    ),
    Need(("bench",), ("photo",), "the stages: leave out --stages false", lambda values: values["stages"]),
    Need(("sweep",), ("prune_after",), "--pruning median", lambda values: values["pruning"] == "median"),
    Need(("sweep",), ("prune_from",), "--pruning median or halving", lambda values: values["pruning"] != "none"),
    Need(("report",), ("data",), "--pictures N", lambda values: values["pictures"] > 0),
    Need(("report",), ("project",), "--wandb offline or online", lambda values: values["wandb"] != "disabled"),
    Need(("dashboard",), ("entity", "project"), "--wandb", lambda values: values["wandb"]),
)  # fmt: skip


def require_effect(command: str, typed: Collection[str], values: Values) -> None:
    """Refuse a typed option that has no effect with the others; options of recipes may wait for what they need.

    Args:
        command: its name.
        typed: dotted names of the options on the command line.
        values: of all parameters.

    Raises:
        ConfigError: naming the option and what it needs.
    """
    for need in NEEDS:
        if command not in need.commands:
            continue
        for option in need.options:
            found = next((name for name in typed if f"{name}.".startswith(f"{option}.")), None)
            if found is not None and not need.given(values):
                raise ConfigError(f"--{found} has no effect here: it needs {need.needs}")
