"""A user's file registers losses and networks; what cannot be imported is one line."""

import sys
from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.losses.registry import _KD_LOSSES, _LOSSES, kd_losses, supervised_losses
from distill.plugins import load_plugins, plugin_list

LOSS = """
from __future__ import annotations
from dataclasses import dataclass
from distill.losses.registry import register_kd, register_loss

@dataclass(frozen=True)
class Options:
    power: float = {power}

@register_loss("plugin_loss", needs=("landmarks",), options=Options)
def plugin_loss(scheme, power):
    return power

@register_kd("plugin_kd", needs=("landmarks",), options=Options)
def plugin_kd(student, teacher, power):
    return (student - teacher).abs().sum(-1) * power
"""


@pytest.fixture
def plugin(tmp_path: Path):
    before = set(sys.modules)
    yield tmp_path / "my_loss.py"
    _LOSSES.pop("plugin_loss", None)
    _KD_LOSSES.pop("plugin_kd", None)
    for name in [name for name in sys.modules if name.startswith("distill_plugin_") and name not in before]:
        del sys.modules[name]


def test_a_file_registers_its_losses(plugin: Path) -> None:
    plugin.write_text(LOSS.format(power=1.0))
    path = list(sys.path)
    load_plugins(plugin)
    assert supervised_losses()["plugin_loss"].needs == ("landmarks",)
    assert kd_losses()["plugin_kd"].teacher == ("landmarks",)
    assert sys.path == path
    entry = supervised_losses()["plugin_loss"]
    load_plugins([plugin])  # unchanged: not imported again
    assert supervised_losses()["plugin_loss"] is entry
    plugin.write_text(LOSS.format(power=2.0))
    load_plugins([plugin])
    assert supervised_losses()["plugin_loss"].options().power == 2.0


def test_a_name_that_is_taken_is_refused(plugin: Path, tmp_path: Path) -> None:
    plugin.write_text(LOSS.format(power=1.0).replace("plugin_loss", "wing"))
    with pytest.raises(ConfigError, match="the loss 'wing' exists already: register yours under another name"):
        load_plugins(plugin)
    plugin.write_text(LOSS.format(power=1.0))
    load_plugins(plugin)
    other = tmp_path / "other.py"
    other.write_text(LOSS.format(power=1.0))
    with pytest.raises(ConfigError, match="exists already"):
        load_plugins(other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1 +", r"cannot be imported \(SyntaxError"),
        ("import nowhere_at_all", r"cannot be imported \(ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("raise ValueError('a\\nb')", r"cannot be imported \(ValueError: a b\)"),
    ],
)
def test_what_cannot_be_imported_is_one_line(plugin: Path, content: str, message: str) -> None:
    plugin.write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_plugins(plugin)
    assert "\n" not in str(caught.value)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--plugin .*none\.py: no such file"):
        load_plugins(tmp_path / "none.py")
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(ConfigError, match=r"notes\.txt: not a Python file"):
        load_plugins(tmp_path / "notes.txt")


def test_one_several_or_none() -> None:
    assert plugin_list(None) == []
    assert plugin_list(Path("a.py")) == [Path("a.py")]
    assert plugin_list([Path("a.py"), Path("b.py")]) == [Path("a.py"), Path("b.py")]
