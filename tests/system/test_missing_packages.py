"""A package of an extra that is missing names the extra; a module that no extra brings is a bug."""

import pytest

from distill.cli import main as command_line
from distill.cli.main import main
from distill.system.missing_packages import extra_of, missing_package


@pytest.mark.parametrize(
    ("module", "extra"),
    [("torch", "train"), ("pytorch_lightning.loggers", "train"), ("onnxsim", "convert"), ("wandb", "track")],
)
def test_the_extra_of_a_package(module: str, extra: str) -> None:
    assert extra_of(module) == extra


def test_a_module_of_no_extra_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_package(ModuleNotFoundError(name="distill.no_such_module"), "teacher") is None
    monkeypatch.setitem(command_line.COMMANDS, "no_such_command", "")
    with pytest.raises(ModuleNotFoundError):
        main(["no_such_command"])
