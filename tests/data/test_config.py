"""Configuration of the faces: a preset decides what is left open, and what is given wins or is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.cli.data import ACTIONS
from distill.cli.evaluate import evaluate
from distill.cli.export import export
from distill.data.config import DataConfig, FacesConfig
from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.training.config import RunConfig, StudentConfig

ELSEWHERE = ["--data.preset", "wflw", "--data.root", "data/300W"]
TARGETS = [RunConfig, StudentConfig, evaluate, export, *(ACTIONS[name][0] for name in ("check", "prepare", "pack"))]
REQUIRED = {StudentConfig: ["--teacher", "t"], evaluate: ["--model", "m"], export: ["--model", "m"]}


def _data(target: Callable[..., Any], *words: str) -> Any:
    required = REQUIRED.get(target) or (
        ["--out", "o"] if target in (ACTIONS[n][0] for n in ("prepare", "pack")) else []
    )
    return parse(options_of("command", "", target), [*required, *words])["data"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.__module__}.{target.__name__}")
def test_a_folder_that_is_typed_wins_over_the_preset(target: Callable[..., Any]) -> None:
    """The folder of 300-W is the default of all commands; typed with another preset, it was replaced."""
    data = _data(target, *ELSEWHERE)
    assert (data.format, data.root) == ("wflw", Path("data/300W"))
    data = _data(target, "--data.preset", "wflw")
    assert (data.format, data.root) == ("wflw", Path("data/WFLW"))
    data = _data(target, "--data.root", "faces")
    assert (data.format, data.root) == ("300w", Path("faces"))


@pytest.mark.parametrize("config", [DataConfig, FacesConfig])
def test_a_format_beside_a_preset_must_be_its_own(config: type) -> None:
    assert config(preset="youtube_faces", format="udacity").format == "udacity"
    with pytest.raises(ConfigError, match=r"--data\.format csv contradicts --data\.preset 300w, which is 300w"):
        config(preset="300w", format="csv")


@pytest.mark.parametrize("share", [0.0, 1.0, 7.0, -0.1, float("nan")])
def test_a_validation_share_is_above_0_and_below_1(share: float) -> None:
    with pytest.raises(ConfigError, match=r"--data\.val_fraction .* must be above 0 and below 1"):
        DataConfig(val_fraction=share)
