import pytest

from distill.cli.console import wide_console


def test_a_pipe_breaks_no_long_name(capsys: pytest.CaptureFixture[str]) -> None:
    wide_console().print("a " * 60 + "name_of_a_long_module")
    assert capsys.readouterr().out.count("\n") == 1
