"""Execute the guides that add a component: their files are written to a folder, their commands run there."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "how-to").glob("add-*.md"))


def files_of(text: str) -> dict[str, str]:
    """Return the files of a guide: blocks whose first line is a comment with a file name."""
    return dict(re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def commands_of(text: str) -> list[str]:
    """Return the lines of a guide's shell blocks."""
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


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
def test_guide_runs(guide: Path, tmp_path: Path) -> None:
    text = guide.read_text()
    assert not missing_parts(text), "the guide imports what the package does not have"
    for name, content in files_of(text).items():
        (tmp_path / name).write_text(content)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for line in commands_of(text):
        words = shlex.split(line)
        call = [sys.executable, *(["-m", "distill"] if words[0] == "distill" else []), *words[1:]]
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr[-2000:]}"


def test_every_component_has_a_guide() -> None:
    added = {path.stem.removeprefix("add-") for path in GUIDES}
    assert added == {
        "a-distillation-loss",
        "a-landmark-scheme",
        "a-loss",
        "a-network",
        "an-annotation-format",
    }
