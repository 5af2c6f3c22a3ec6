"""Commands of several actions."""

import pytest

from distill.cli.actions import Actions, run_action
from distill.cli.main import main
from distill.errors import ConfigError


def _draw(photo: str = "", size: int = 3) -> int:
    """Draw a photo.

    Args:
        photo: to draw.
        size: in pixels.
    """
    return size


ACTIONS: Actions = {"draw": (_draw, ("photo",))}


def test_help_lists_every_action_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_action("images", ACTIONS, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert "  draw PHOTO  Draw a photo\n" in shown
    assert "`distill images ACTION --help`" in shown
    for command in ("data", "demo"):
        assert main([command, "--help"]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert lines, command
        assert all(len(line.split("  ")) >= 3 for line in lines), lines


def test_an_action_is_run_with_its_options() -> None:
    assert run_action("images", ACTIONS, ["draw", "a.jpg", "--size", "7"]) == 7
    with pytest.raises(ConfigError, match="unknown action 'images drew': did you mean 'draw'"):
        run_action("images", ACTIONS, ["drew"])
