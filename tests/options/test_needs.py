"""Options that need another one: each entry of the table refuses without it and takes it with it."""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from jsonargparse import ArgumentParser

from distill.cli.bench import bench
from distill.cli.check import check
from distill.cli.dashboard import dashboard
from distill.cli.evaluate import evaluate
from distill.cli.export import export
from distill.cli.report import report
from distill.cli.submit import submit
from distill.errors import ConfigError
from distill.options.needs import NEEDS
from distill.options.parser import options_of, parse
from distill.sweep.config import SweepConfig
from distill.training.config import RunConfig, StudentConfig
from distill.training.detector_config import DetectorConfig

TARGETS: dict[str, Any] = {
    "teacher": RunConfig, "student": StudentConfig, "evaluate": evaluate, "export": export, "check": check,
    "bench": bench, "sweep": SweepConfig, "submit": submit, "report": report, "dashboard": dashboard,
    "detector": DetectorConfig,
}  # fmt: skip
REQUIRED = {
    "student": ["--teacher", "t.ckpt"], "evaluate": ["--model", "m"], "export": ["--model", "m"],
    "submit": ["--model", "m"], "report": ["--runs", "r"],
}  # fmt: skip
VALUES = {
    "data": ["preset", "300w"],
    "calibration": ["faces", "7"],
    "quantize": ["float_statistics", "false"],
    "loss": ["name", "mse"],
    "kd": ["score", "2"],
}
OTHERS = {
    "log.wandb": "offline", "log.tags": "[a]", "log.system": "true", "kd.cache.max_gb": "3", "rounds": "9",
    "data.val_fraction": "0.2", "data.augment_period": "100", "trainer.patience": "100",
    "data.scene.paste": "0.3", "data.scene.pasted": "2", "data.scene.paste_smallest": "9",
    "data.scene.paste_largest": "90", "data.scene.paste_roll": "30", "pictures": "true",
    "trainer.sync_batchnorm": "true", "log.pictures": "3", "prune_after": "3", "prune_from": "3",
}  # fmt: skip
# Without and with what the options of an entry need, by the first word of `needs`.
WITHOUT = {
    "a tracker": ["--log.wandb", "disabled"], "W&B": ["--log.to", "mlflow"], "a run": ["--log.run", "none"],
    "training faces": ["--data.val_subset", "val"], "data without": ["--data.preset", "lapa"],
    "the supervised loss": ["--kd.supervised", "false"],
    "the stages": ["--stages", "false"], "--pruning": ["--pruning", "none"],
}  # fmt: skip
WITH = {
    "W&B": ["--log.to", "wandb"], "--kd.cache.form": ["--kd.cache.form", "maps"],
    "--parity_report": ["--parity_report", "--data.preset", "300w"],
    "a teacher": ["--teacher", "t.ckpt"], "--data.preset": ["--page", "p", "--data.preset", "300w"],
    "an integer mode": ["--modes", "int8"], "--pictures": ["--pictures", "2"],
    "--wandb offline": ["--wandb", "offline"], "more epochs": ["--trainer.epochs", "200"],
    "the NME": ["--nme", "[net=0.03]"], "more validations": ["--trainer.epochs", "400"],
    "faces to paste": ["--data.paste", "[{format: 300w, root: data/300W}]"], "--wandb": ["--wandb"],
    "--pruning median": ["--pruning", "median"], "several GPUs": ["--trainer.devices", "2"],
}  # fmt: skip
CASES = [(command, option, need) for need in NEEDS for command in need.commands for option in need.options]


def _of(table: dict[str, list[str]], needs: str) -> list[str]:
    found = [name for name in table if needs.startswith(name)]
    return table[max(found, key=len)] if found else []


@cache
def _parser(command: str) -> ArgumentParser:
    return options_of(command, "", TARGETS[command])


def _parse(command: str, *words: str) -> None:
    parse(_parser(command), [*REQUIRED.get(command, []), *words])


@pytest.mark.parametrize(
    ("command", "option", "need"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_option_without_what_it_needs_is_refused(command: str, option: str, need: Any) -> None:
    name, value = VALUES.get(option, ["", OTHERS.get(option, "x")])
    option = f"{option}.{name}".rstrip(".")
    typed = [f"--{option}", value]
    without = _of(WITHOUT, need.needs)
    if need.needs.startswith("--data.preset"):
        without = ["--parity_report"]
    with pytest.raises(ConfigError, match=f"--{option} has no effect here: it needs ") as caught:
        _parse(command, *typed, *without)
    assert need.needs in str(caught.value)
    _parse(command, *typed, *_of(WITH, need.needs))


def test_validation_faces_of_ones_own_data_leave_no_share_to_hold_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    data = ["--data.format", "csv", "--data.root", str(tmp_path), "--data.scheme", "five"]
    typed = [*data, "--data.val_fraction", "0.2"]

    def write(*subsets: str) -> None:
        columns = ["image", *(f"{axis}{point}" for point in range(5) for axis in "xy"), "subset"]
        rows = [f"a.png,{row},1,2,1,1.5,2,1,3,2,3,{subset}" for row, subset in enumerate(subsets)]
        (tmp_path / "faces.csv").write_text("\n".join([",".join(columns), *rows]))

    write("train", "test")
    _parse("teacher", *typed)
    write("train", "validation")
    with pytest.raises(ConfigError, match=r"--data.val_fraction has no effect here: it needs data without val"):
        _parse("teacher", *typed)
    _parse("teacher", *typed, "--data.subset", "train")
    _parse("teacher", *data)


def test_recipes_may_name_options_that_wait_for_others(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {val_fraction: 0.1}\nkd: {cache: {max_gb: 3}}\nlog: {project: mine}\n")
    _parse("student", "--config", str(recipe), "--data.val_subset", "val", "--log.wandb", "disabled")
