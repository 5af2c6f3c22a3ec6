"""`python -m distill.environments` makes the environments it is given, all without any, and ends at the first fault."""

import pytest

from distill.environments import ENVIRONMENTS, __main__
from distill.errors import ConfigError


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the environments that were made; the one called `classic` cannot be."""
    names: list[str] = []

    def ensure(name: str) -> str:
        if name == "classic":
            raise ConfigError("no Python 3.11")
        names.append(name)
        return f"/{name}/bin/python"

    monkeypatch.setattr(__main__, "ensure_environment", ensure)
    return names


def test_the_named_environments_are_made(made: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["modern", "tflite211"]) == 0
    assert made == ["modern", "tflite211"]
    assert capsys.readouterr().out == "modern: /modern/bin/python\ntflite211: /tflite211/bin/python\n"


def test_without_names_all_are(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "ensure_environment", lambda name: made.append(name) or "")
    assert __main__.main([]) == 0
    assert made == list(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("name", "message"),
    [("classic", "classic: no Python 3.11"), ("modrn", "unknown environment 'modrn': did you mean")],
)
def test_a_fault_is_one_line(name: str, message: str, made: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([name, "modern"]) == 2
    assert made == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)
