"""Every command the documents show exists and takes these options; every YAML is one its command accepts."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.cli.bench import bench
from distill.cli.calibrate import calibrate
from distill.cli.check import check
from distill.cli.dashboard import dashboard
from distill.cli.data import ACTIONS
from distill.cli.demo import ACTIONS as DEMO_ACTIONS
from distill.cli.evaluate import evaluate
from distill.cli.export import export
from distill.cli.main import COMMANDS
from distill.cli.models import models
from distill.cli.predict import predict
from distill.cli.report import report
from distill.cli.submit import submit
from distill.cli.sync import sync
from distill.models.zoo import input_size
from distill.options.parser import options_of, parse
from distill.options.stages import parse_stages
from distill.sweep.config import SweepConfig
from distill.training.config import RunConfig, StudentConfig
from distill.training.detector_config import DetectorConfig
from scripts.studies.common.code_blocks import commands_of

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
DOCUMENTS = [*(ROOT / page for page in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
TARGETS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "teacher": (RunConfig, ()),
    "student": (StudentConfig, ()),
    "detector": (DetectorConfig, ()),
    "calibrate": (calibrate, ("model",)),
    "sweep": (SweepConfig, ()),
    "evaluate": (evaluate, ("model",)),
    "export": (export, ("model",)),
    "check": (check, ("file",)),
    "submit": (submit, ("model",)),
    "bench": (bench, ("models...",)),
    "report": (report, ("runs...",)),
    "sync": (sync, ("runs",)),
    "dashboard": (dashboard, ("runs",)),
    "models": (models, ()),
    "predict": (predict, ("photos...",)),
    **{f"data {name}": action for name, action in ACTIONS.items()},
    **{f"demo {name}": action for name, action in DEMO_ACTIONS.items()},
}


def commands_in(text: str, program: str) -> list[str]:
    """The lines of shell blocks and YAML headers that call a program, without comments."""
    headers = re.findall(rf"^# ({program} .*)$", text, re.MULTILINE)
    lines = [line.partition(" #")[0].strip() for line in [*commands_of(text), *headers]]
    return [line for line in lines if line.startswith(f"{program} ")]


def shown(program: str) -> list[str]:
    pages = [path for path in DOCUMENTS if not path.name.startswith("add-")]  # test_guides.py executes those
    found = [line for path in [*pages, *CONFIGS] for line in commands_in(path.read_text(), program)]
    # Recipes that a reader writes, or that a run has written.
    found = [line for line in found if not re.search(r"--config (my_|runs/)", line)]
    assert found, f"no {program} command in any document: has the format changed?"
    return sorted(set(found))


def values_of(parser: Any, words: list[str], *positional: str) -> list[dict[str, Any]]:
    """Return the values of every stage of a training, or those of another command."""
    trains = parser.prog in ("distill teacher", "distill student")
    return parse_stages(parser, words) if trains else [parse(parser, words, *positional)]


@pytest.mark.parametrize("line", shown("distill"))
def test_shown_distill_commands_parse(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(re.split(r"\s{2,}|\.\.\.", line)[0])[1:]
    name = " ".join(words[:2]) if words[0] in ("data", "demo") else words[0]
    assert words[0] in COMMANDS
    if name == "doctor":
        return
    target, positional = TARGETS[name]
    assert values_of(options_of(name, "", target, *positional), words[len(name.split()) :], *positional)


@pytest.mark.parametrize("line", shown("make"))
def test_shown_make_targets_exist(line: str) -> None:
    words = shlex.split(re.split(r"\s{2,}", line)[0])
    done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [p for p in CONFIGS if not {"contest", "base"} & set(p.parts)], ids=lambda p: p.stem)
def test_every_config_is_accepted_by_its_command(path: Path) -> None:
    assert path.read_text().startswith("# "), "a config begins with its command and what to expect"
    if path.parent.name == "sweeps":  # tests/cli/test_sweep.py
        return
    if path.parent.name == "export":
        assert parse(options_of("export", "", export, "model"), ["--model", "m.ckpt", "--config", str(path)])
        return
    command = next((name for name in ("teacher", "detector") if path.stem.startswith(name)), "student")
    target, _ = TARGETS[command]
    for values in values_of(options_of(command, "", target), ["--config", str(path)]):
        config = target(**values)
        assert config.name == path.stem
        if command == "detector":  # its network takes inputs of any size
            return
        # What the network is built for is what it is given.
        assert input_size(config.model.arch, config.model.options, config.data.crop.size)[0] > 0


def prose_of(text: str) -> list[str]:
    """Return the lines outside code blocks, tables and generated parts."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!-- (\S+):begin -->.*?<!-- \1:end -->", "", text, flags=re.DOTALL)
    return [line for line in text.splitlines() if not line.startswith(("|", "    "))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_prose_wraps_at_100_columns(path: Path) -> None:
    assert [line for line in prose_of(path.read_text()) if len(line) > 100] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_links_resolve(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_files_of_the_repository_that_are_named_exist(path: Path) -> None:
    if path.name == "CHANGELOG.md" or path.name.startswith("add-"):  # what was, and what a reader makes
        return
    found = re.findall(
        r"(?<![\w/.])((?:distill|scripts|tests|configs|results|checkpoints)/[\w./-]+\.[a-z]\w+)\b", path.read_text()
    )
    assert [name for name in found if not (ROOT / name).exists()] == []


def test_recipes_and_their_bases_are_short() -> None:
    recipes = [path for path in CONFIGS if path.parent.name not in ("contest", "export", "sweeps")]
    assert sum(len(path.read_text().splitlines()) for path in recipes) <= 350


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 100] == []


def test_most_commands_fit_a_line() -> None:
    lines = [line.strip() for path in DOCUMENTS for line in path.read_text().splitlines()]
    commands = [line for line in lines if line.startswith("distill ")]
    assert sum(len(line) <= 100 for line in commands) >= 0.9 * len(commands)
