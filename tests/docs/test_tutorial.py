"""From a clone to a packaged network for one's own five points: the tutorial's commands, as they stand there."""

import re
import shlex
import subprocess
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import yaml

from distill.data.readers import read_faces
from scripts.checks.own_points import TUTORIAL, write_csv
from scripts.studies.common.code_blocks import commands_of, files_of
from tests.support.command_processes import run_command
from tests.support.environments import require_lane

ROOT = Path(__file__).parents[2]
MOST_COMMANDS = 8
# What a test changes in the recipes of the tutorial, so that they take seconds.
SHORT = {
    "trainer": {"epochs": 1, "validate_every": 1, "threads": 1},
    "data": {"batch_size": 4, "workers": 0, "crop": {"size": 64}},
    "log": {"wandb": "disabled"},
}


def shortened(recipe: str) -> str:
    """Return a recipe of the tutorial with the values of `SHORT`."""
    content = yaml.safe_load(recipe)
    for group, values in SHORT.items():
        content[group] = {**content.get(group, {}), **values}
    return yaml.safe_dump(content)


@pytest.fixture
def folder(tmp_path: Path, server: ForkServerContext, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder like a clone, with the faces and the files of the tutorial."""
    run(server, f"distill data synth {tmp_path}/faces --count 24 --size 128 --workers 0", tmp_path / "log.txt")
    faces = {name: read_faces("manifest", tmp_path / "faces", (name,), "ibug68") for name in ("train", "test")}
    write_csv(faces, tmp_path / "my_faces")
    for name in ("configs", "checkpoints", ".wheels"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to((ROOT / name).resolve())
    for name, content in files_of(TUTORIAL.read_text()).items():
        recipe = name in ("my_teacher.yaml", "my_student.yaml")
        (tmp_path / name).write_text(shortened(content) if recipe else content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(server: ForkServerContext, line: str, log: Path) -> None:
    """Run a command in a process of its own; it must succeed."""
    process = server.Process(target=run_command, args=(shlex.split(line)[1:], log))
    process.start()
    process.join()
    assert process.exitcode == 0, f"{line}\n{log.read_text()[-3000:]}"


def test_the_tutorial_is_short_and_starts_in_a_clone() -> None:
    commands = commands_of(TUTORIAL.read_text())
    assert len(commands) <= MOST_COMMANDS
    assert commands[:2] == ["make setup", ". .venv/bin/activate"]
    assert all(line.startswith("distill ") for line in commands[2:])
    stages = [re.split(r"\s", line)[1] for line in commands[2:]]
    assert stages == ["data", "teacher", "student", "export", "check", "submit"]
    subprocess.run(["make", "-n", "setup"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_lead_to_a_package(folder: Path, server: ForkServerContext) -> None:
    if not (folder / ".wheels").is_dir():
        pytest.skip("no wheels for the dry run: `make setup` fills .wheels")
    require_lane("modern")
    for line in commands_of(TUTORIAL.read_text())[2:]:
        run(server, line, folder / "log.txt")
    assert (folder / "my_sheets").is_dir()
    assert (folder / "submission.zip").stat().st_size > 1000
