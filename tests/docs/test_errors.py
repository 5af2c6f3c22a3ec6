"""Typical mistakes end in one line that names the option or file and the remedy; docs/reference/errors.md shows them.

`UPDATE_DOCS=1 pytest tests/docs/test_errors.py` writes the table again.
"""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from itertools import groupby
from pathlib import Path

import pytest

from distill.cli.main import main
from distill.system.locks import NAME
from tests.support.mistake_files import make_files
from tests.support.mistakes import MISTAKES, Mistake

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "errors.md"
# Marks of the table; it is made by this test and not from a result.
BEGIN, END = "<!-- messages begin -->\n", "\n<!-- messages end -->"
LONGEST = 400
# A process without some packages, as an installation without their extra.
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from distill.cli.main import main
sys.exit(main({words!r}))
"""
HOLDER = """
import fcntl, os, sys
file = open(sys.argv[1], "w")
file.write(f"{os.getpid()}\\n"); file.flush()
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""

Outcome = tuple[int, str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder with the files of every mistake, of whose runs another process trains one."""
    path = tmp_path_factory.mktemp("mistakes")
    make_files(path)
    lock = path / "runs" / "locked" / NAME
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield path
        holder.communicate()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {}


@pytest.fixture
def run(folder: Path, outcomes: dict[str, Outcome], monkeypatch: pytest.MonkeyPatch) -> Callable[[Mistake], Outcome]:
    """Run the command of a mistake, once, and return its exit status and what it wrote to stderr."""
    monkeypatch.chdir(folder)

    def outcome(mistake: Mistake) -> Outcome:
        if mistake.title not in outcomes:
            words = shlex.split(mistake.command)
            outcomes[mistake.title] = _without(mistake.missing, words) if mistake.missing else _here(words)
        return outcomes[mistake.title]

    return outcome


def _here(words: list[str]) -> Outcome:
    with redirect_stderr(io.StringIO()) as errors:
        status = main(words)
    return status, errors.getvalue()


def _without(missing: tuple[str, ...], words: list[str]) -> Outcome:
    code = WITHOUT.format(missing=missing, words=words)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_a_mistake_is_one_line(mistake: Mistake, run: Callable[[Mistake], Outcome]) -> None:
    status, text = run(mistake)
    assert status == mistake.status, text
    assert text.startswith("error: ")
    assert text.count("\n") == 1, text
    assert len(text) < LONGEST
    for part in mistake.names:
        assert part in text


def test_mistakes_are_many_and_differ() -> None:
    assert len(MISTAKES) >= 30
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)


def _table(run: Callable[[Mistake], Outcome]) -> str:
    parts = []
    for topic, mistakes in groupby(MISTAKES, key=lambda mistake: mistake.topic):
        rows = [f"| {mistake.title} | {_shown(run(mistake)[1])} |" for mistake in mistakes]
        parts.append("\n".join([f"## {topic}", "", "| mistake | message |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def _shown(text: str) -> str:
    """Return a message as a cell of the table; the number of a process differs from run to run."""
    line = re.sub(r"process \d+", "process 1234", text.strip().removeprefix("error: "))
    return f"`` {line} ``".replace("|", "\\|")


def test_the_documentation_shows_these_messages(run: Callable[[Mistake], Outcome]) -> None:
    table, text = _table(run), PAGE.read_text()
    head, tail = text.split(BEGIN)[0], text.split(END)[-1]
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(f"{head}{BEGIN}{table}{END}{tail}")
    assert PAGE.read_text() == f"{head}{BEGIN}{table}{END}{tail}", "run UPDATE_DOCS=1 pytest tests/docs/test_errors.py"
