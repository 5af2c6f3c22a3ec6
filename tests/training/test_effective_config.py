"""A run that an earlier version started resumes with the same options, whatever their names were then."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.errors import ConfigError
from distill.losses.config import KDConfig, LossConfig
from distill.training.config import OptimConfig, RunConfig, StudentConfig
from distill.training.effective_config import effective_config
from distill.training.loggers.csv import plain_config
from distill.training.resume import checkpoint_to_resume
from tests.support.checkpoints import write_resumable

CONFIG = StudentConfig(teacher=Path("t.ckpt"), kd=KDConfig("kl", 1.0))


def as_first_edition(config: RunConfig) -> dict[str, Any]:
    """Write a configuration as version 0.1 did: other names, defaults written out, fewer options."""
    plain = plain_config(config)
    plain.pop("plugin")
    plain["data"].pop("preset")
    plain["data"]["boxes"] = ["det"]
    plain["loss"] = {"kind": "default", "star": 1.0, "star_eigen": 1.0, "point": 10.0, "edge": 10.0, "sigma": 1.0}
    for name in ("name", "momentum", "schedule", "milestones", "gamma"):
        plain["optim"].pop(name)
    plain["optim"]["head_lr"] = plain["optim"]["lr"]
    plain["trainer"].pop("accumulate")
    if "kd" in plain:
        kd = plain["kd"]
        kd.pop("options")
        kd["only"] = not kd.pop("supervised")
        kd["temperature"] = kd["temperature"] or 1.0
        kd["cache"]["gigabytes"] = kd["cache"].pop("max_gb")
    return plain


def start(folder: Path, plain: dict[str, Any]) -> Path:
    folder.mkdir()
    write_resumable(folder / "last.ckpt")
    (folder / "config.yaml").write_text(yaml.safe_dump(plain))
    return folder


@pytest.mark.parametrize(
    "kd",
    [KDConfig("kl", 1.0), KDConfig("mse"), KDConfig("kl", temperature=2.0), KDConfig("feature"), KDConfig("none")],
)
def test_runs_of_the_first_edition_resume(kd: KDConfig, tmp_path: Path) -> None:
    config = replace(CONFIG, kd=kd, teacher=None if kd.kind == "none" else CONFIG.teacher)
    config = replace(config, data=replace(config.data, boxes=["dataset"]))
    folder = start(tmp_path / "run", as_first_edition(config))
    assert checkpoint_to_resume(folder, config) == folder / "last.ckpt"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": LossConfig(star=2.0)}, r"--loss.star was 1.0, now it is 2.0"),
        ({"loss": LossConfig("bce")}, r"--loss.name was maps, now it is bce"),
        ({"kd": KDConfig("kl", 1.0, temperature=3.0)}, r"--kd.temperature was 1.0, now it is 3.0"),
        ({"kd": KDConfig("kl", 1.0, supervised=False)}, r"--kd.supervised was True, now it is False"),
        ({"optim": OptimConfig("adam")}, r"--optim.name was adamw, now it is adam"),
    ],
)
def test_other_options_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, boxes=["dataset"]))
    folder = start(tmp_path / "run", as_first_edition(config))
    with pytest.raises(ConfigError, match=message):
        checkpoint_to_resume(folder, replace(config, **changes))


def test_an_option_at_its_default_equals_one_left_out() -> None:
    explicit = replace(
        CONFIG,
        loss=LossConfig("maps", star=1.0),
        kd=KDConfig("kl", 1.0, temperature=1.0),
        optim=OptimConfig(head_lr=1e-3),
    )
    assert effective_config(plain_config(explicit)) == effective_config(plain_config(CONFIG))
