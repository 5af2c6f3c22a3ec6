"""The verdict says in words what the numbers say, with the right sign, interval and next command."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from distill.evaluate.result import Evaluation
from distill.export.pipeline import FORMAT as EXPORT
from distill.export.verify.parity import measure as measure_parity
from distill.export.verify.tolerances import Gate
from distill.files import write_json, write_text
from distill.landmarks import load_scheme
from distill.report.page import Statement
from distill.report.runs import build
from distill.report.sources import matched, read_sources
from distill.report.verdict import verdict
from tests.support.evaluation import Measure

KD = {"kind": "mse"}
CONFIGS: dict[str, dict[str, Any]] = {
    "teacher": {},
    "student": {"kd": KD, "teacher": ["runs/teacher/best.ckpt"]},
    "baseline": {"kd": {"kind": "none"}},
}
DATA = {"batch_size": 30, "format": "manifest", "root": "my faces", "test_subset": "hard"}


class Runs:
    """Folders of runs whose models are off by so many pixels; 0.4 px are one percent of the eye distance."""

    def __init__(self, folder: Path, measure: Measure):
        self.folder, self.measure, self.paths = folder / "runs", measure, list[Path]()

    def add(self, role: str, offset: float | None, seed: int = 0, noise: float = 0.0) -> Path:
        path = self.folder / f"{role}{seed or ''}"
        write_text(
            path / "config.yaml", yaml.safe_dump({"name": path.name, "seed": seed, "data": DATA, **CONFIGS[role]})
        )
        if offset is not None:
            content = self.measure(shift=(offset, 0))
            shifts = np.random.default_rng(seed).normal(0, noise, len(content.names))
            offsets = content.offsets + np.stack([shifts, 0 * shifts], -1)[:, None].astype(np.float32)
            noisy = Evaluation(content.model, content.protocol, content.names, offsets, content.distances)
            write_json(path / "evaluation.json", noisy.to_json())
        self.paths.append(path)
        return path

    def statements(self) -> list[Statement]:
        sources = read_sources(self.paths)
        return verdict(sources, matched(sources))


@pytest.fixture
def runs(tmp_path: Path, measure: Measure) -> Runs:
    return Runs(tmp_path, measure)


def export(path: Path, off: float) -> None:
    crops, points = np.zeros((2, 48, 48, 3), np.float32), np.full((2, 51, 2), 0.5, np.float32)
    stages = {"fp16 on tflite-runtime 2.11.0": lambda _: points + np.float32(off)}
    gates = dict.fromkeys(stages, Gate(1.0, 1.0))
    parity = measure_parity(lambda _: points, stages, crops, None, load_scheme("inner51"), gates)
    write_json(path / "export" / "export.json", {"format": EXPORT, "files": {}, "parity": parity.to_dict()})


def test_a_good_student_that_the_teacher_helped(runs: Runs) -> None:
    runs.add("teacher", 1.2)
    export(runs.add("student", 0.8), 0.001)
    runs.add("baseline", 1.6)
    good, helped, runs_there = runs.statements()
    assert (good.answer, helped.answer, runs_there.answer) == ("yes", "yes", "yes")
    assert "NME is 2.00 % (95 % 2.00 to 2.00) of the ocular distance on 9 faces, 1.00 points (1.00 to 1.00) below" in (
        good.text
    )
    assert "-2.00 points of NME (-2.00 to -2.00, 95 % over faces), with one seed" in helped.text
    assert "fp16 on tflite-runtime 2.11.0" in runs_there.text


def test_a_student_that_is_worse_than_both(runs: Runs) -> None:
    export(runs.add("student", 2.0), 0.1)
    runs.add("teacher", 0.8)
    runs.add("baseline", 1.2)
    good, helped, runs_there = runs.statements()
    assert (good.answer, helped.answer, runs_there.answer) == ("no", "no", "no")
    assert "3.00 points (3.00 to 3.00) above its teacher" in good.text
    assert "more than the gate allows in fp16 on tflite-runtime 2.11.0" in runs_there.text


@pytest.mark.parametrize(("baseline", "answer"), [(2.0, "yes"), (1.2, "no"), (1.6, "no"), (None, "unclear")])
def test_a_student_above_its_teacher_is_good_where_it_is_below_the_baseline(
    runs: Runs, baseline: float | None, answer: str
) -> None:
    runs.add("student", 1.6)
    runs.add("teacher", 0.8)
    if baseline is not None:
        runs.add("baseline", baseline)
    assert runs.statements()[0].answer == answer


def test_a_student_whose_faces_fail_is_not_good_because_its_teacher_is_worse(runs: Runs) -> None:
    runs.add("student", 3.6)
    runs.add("teacher", 4.0)
    good = runs.statements()[0]
    assert good.answer == "no"
    assert "9.00 %" in good.text
    assert good.text.endswith("A face counts as failed from 8 % on (FR@8).")


def test_a_difference_within_the_noise_is_unclear(runs: Runs) -> None:
    runs.add("student", 1.0, noise=0.0)
    runs.add("baseline", 1.0, seed=0, noise=0.3)
    assert runs.statements()[1].answer == "unclear"


@pytest.mark.parametrize(
    ("gains", "answer", "text"),
    [
        ((0.36, 0.4, 0.44), "yes", "over 3 seeds, which differ from -1.10 to -0.90"),
        ((0.2, 0.6), "unclear", "over 2 seeds, which differ from -1.50 to -0.50"),
    ],
)
def test_seeds_that_differ_widen_the_interval(runs: Runs, gains: tuple[float, ...], answer: str, text: str) -> None:
    for seed, gain in enumerate(gains):
        runs.add("student", 1.0, seed)
        runs.add("baseline", 1.0 + gain, seed)
    helped = runs.statements()[1]
    assert helped.answer == answer
    assert "The NME is 2.50 % instead of 3.50 % without distillation: -1.00 points" in helped.text
    assert "95 % over faces and seeds" in helped.text
    assert text in helped.text
    assert "Not every seed" not in helped.text


def test_a_seed_that_says_otherwise_is_named_and_its_luck_is_in_the_interval(runs: Runs) -> None:
    for seed, gain in ((0, 0.8), (1, -0.2)):
        runs.add("student", 1.0, seed)
        runs.add("baseline", 1.0 + gain, seed)
    helped = runs.statements()[1]
    assert helped.answer == "unclear"  # over faces alone, -0.75 points would be certain
    assert "-0.75 points of NME (" in helped.text
    assert "Not every seed agrees with the mean: seed 1 (+0.50)." in helped.text


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (50, "Each was trained on 1,500 images."),
        (80, "It was trained on 1,500 images, the baseline on 2,400: not an equal comparison."),
        (None, ""),
    ],
)
def test_unlike_numbers_of_images_are_stated(runs: Runs, steps: int | None, expected: str) -> None:
    for role, own in (("student", 50), ("baseline", steps)):
        path = runs.add(role, 1.0)
        if own is not None:
            write_json(path / "summary.json", {"steps": own})
    text = runs.statements()[1].text
    assert expected in text
    assert ("images" in text) == bool(expected)


def test_what_is_missing_names_the_command(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs.add("student", None)
    write_text(path / "metrics.csv", "step,name,value\n1,train/loss,1.0\n")
    good, helped, runs_there = runs.statements()
    assert {good.answer, helped.answer, runs_there.answer} == {"missing"}
    faces = ["--data.format", "manifest", "--data.root", "my faces", "--data.subset", "hard"]
    assert good.command is not None
    assert helped.command is not None
    assert shlex.split(good.command)[2:-2] == [str(path / "best.ckpt"), *faces]
    assert shlex.split(helped.command)[3:] == [
        str(path / "config.yaml"),
        "--kd.kind",
        "none",
        "--name",
        "student_baseline",
    ]
    assert runs_there.command == f"distill export {path / 'best.ckpt'}"


def test_the_teacher_of_a_run_is_measured_next(runs: Runs) -> None:
    runs.add("student", 1.0)
    good = runs.statements()[0]
    assert good.answer == "missing"
    assert good.command is not None
    assert good.command.startswith("distill evaluate runs/teacher/best.ckpt --data.format manifest")


@pytest.mark.parametrize("role", ["teacher", "baseline"])
def test_without_a_student_nothing_is_claimed(runs: Runs, role: str) -> None:
    runs.add(role, 1.0)
    assert {statement.answer for statement in runs.statements()} == {"missing"}


def test_the_page_opens_with_the_verdict(runs: Runs) -> None:
    runs.add("student", 0.8)
    page = build(read_sources(runs.paths), "t").html()
    assert page.index("Is student good?") < page.index("<nav>") < page.index("Accuracy: ")


def test_the_page_shows_roles_and_the_cost_of_each_training(runs: Runs) -> None:
    for role in ("student", "baseline"):
        write_json(runs.add(role, 1.0, seed=3) / "summary.json", {"steps": 50, "train_faces": 9, "seconds": 1.2})
    page = build(read_sources(runs.paths), "t")
    assert any(title.startswith("NME by role") and title.endswith("lower is better") for title in page.figures)
    (rows,) = [rows for headers, rows in page.tables if "images" in headers]
    assert [row[:6] for row in rows] == [
        ["student3", None, "teacher", 3, 50, 1500],
        ["baseline3", None, None, 3, 50, 1500],
    ]
