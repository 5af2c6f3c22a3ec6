"""Execute the guides that add a component: their files are written to a folder, their commands run there."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from scripts.studies.common.code_blocks import commands_of, files_of
from tests.support.command_processes import run_command

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "how-to").glob("add-*.md"))


def missing_parts(text: str) -> list[str]:
    """Return the registries that a guide imports and this version of the package lacks."""
    modules = re.findall(r"^from (distill\.[\w.]+) import (\w+)", text, re.MULTILINE)
    return [
        f"{module}.{name}"
        for module, name in modules
        if name.startswith("register") and (find_spec(module) is None or not hasattr(_imported(module), name))
    ]


def _imported(module: str) -> object:
    __import__(module)
    return sys.modules[module]


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_guide_runs(guide: Path, tmp_path: Path, server: ForkServerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    text = guide.read_text()
    assert not missing_parts(text), "the guide imports what the package does not have"
    for name, content in files_of(text).items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    log = tmp_path / "log.txt"
    for line in commands_of(text):
        program, *arguments = shlex.split(line)
        if program == "distill":
            process = server.Process(target=run_command, args=(arguments, log))
            process.start()
            process.join()
            status = process.exitcode
        else:
            with log.open("ab") as output:
                status = subprocess.run([sys.executable, *arguments], stdout=output, stderr=output).returncode
        assert status == 0, f"{line}\n{log.read_text()[-2000:]}"


def test_every_component_has_a_guide() -> None:
    added = {path.stem.removeprefix("add-") for path in GUIDES}
    assert added == {
        "a-distillation-loss",
        "a-landmark-scheme",
        "a-loss",
        "a-network",
        "an-annotation-format",
    }
