import pytest

from distill.cli.console import counted, shown_size, wide_console


def test_a_pipe_breaks_no_long_name(capsys: pytest.CaptureFixture[str]) -> None:
    wide_console().print("a " * 60 + "name_of_a_long_module")
    assert capsys.readouterr().out.count("\n") == 1


def test_one_of_a_thing_is_singular_and_a_small_file_has_a_size() -> None:
    assert [counted(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert [shown_size(size) for size in (999, 48_200, 1_000_000, 2_340_000)] == ["1 kB", "48 kB", "1.0 MB", "2.3 MB"]
