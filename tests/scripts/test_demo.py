"""The demo compares a student with a baseline of as many steps and images, by options that the commands accept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.evaluate.result import Evaluation
from distill.options.parser import options_of, parse
from distill.training.config import RunConfig, StudentConfig
from scripts import demo
from tests.support.evaluation import Measure

ROOT = Path(__file__).parents[2]


def configured(role: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the configuration of a training, with its defaults as they are parsed."""
    monkeypatch.chdir(ROOT)
    command, *options = demo.training(role, seed)
    target = RunConfig if command == "teacher" else StudentConfig
    return target(**parse(options_of(command, "", target), options))


def steps(config: Any) -> int:
    """Return the steps of a training on the faces that the demo renders."""
    further = sum(round(part.share * demo.SUBSETS[part.subset]) for part in config.data.sets)
    return int(config.trainer.epochs * ((demo.SUBSETS[config.data.subset] + further) // config.data.batch_size))


def test_student_and_baseline_differ_in_teacher_and_unlabelled_faces_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    student, baseline = (configured(role, 0, monkeypatch) for role in ("student", "baseline"))
    assert [part.labels for part in student.data.sets] == ["none"]
    assert (student.kd.cache.form, baseline.kd.kind, baseline.teacher) == ("landmarks", "none", None)
    assert replace(student.data, sets=[]) == baseline.data
    assert (student.model, student.loss, student.optim) == (baseline.model, baseline.loss, baseline.optim)
    assert steps(student) == steps(baseline)
    validations = {
        steps(config) * config.trainer.validate_every // config.trainer.epochs for config in (student, baseline)
    }
    assert len(validations) == 1


def test_students_are_distilled_from_the_teachers_that_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = [configured("teacher", seed, monkeypatch) for seed in demo.SEEDS]
    for seed in demo.SEEDS:
        student = configured("student", seed, monkeypatch)
        assert student.seed == seed
        assert student.teachers == [teacher.runs / teacher.name / "best.ckpt" for teacher in trained]


def test_faces_are_split_as_the_recipes_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    student = configured("student", 0, monkeypatch)
    read = {student.data.subset, student.data.val_subset, *(part.subset for part in student.data.sets), "test"}
    assert read == set(demo.SUBSETS)
    command = demo.render()
    assert command[command.index("--count") + 1] == str(sum(demo.SUBSETS.values()))


@pytest.mark.parametrize("left", ["faces of an earlier version", "another version", "a damaged mark"])
def test_what_another_version_left_is_kept_aside(left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "demo"
    (folder / "student_0").mkdir(parents=True)
    (folder / "student_0" / "best.ckpt").write_text("weights")
    (tmp_path / "demo_1").mkdir()  # kept from an upgrade before
    if left == "another version":
        with monkeypatch.context() as patch:
            patch.setattr(demo, "__version__", "0.1.9")
            (folder / "settings.json").write_text(demo.json.dumps(demo.settings()))
    elif left == "a damaged mark":
        (folder / "settings.json").write_bytes(b"\xff{")
    assert demo.claim(folder) == tmp_path / "demo_2"
    assert (tmp_path / "demo_2" / "student_0" / "best.ckpt").read_text() == "weights"
    assert [path.name for path in folder.iterdir()] == ["settings.json"]


def test_an_interrupted_demo_is_continued_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "demo"
    assert demo.claim(folder) is None
    (folder / "faces").mkdir()
    assert demo.claim(folder) is None
    assert (folder / "faces").is_dir()


def test_a_demo_removes_nothing_but_its_own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "RUN", tmp_path)
    monkeypatch.setattr(demo, "step", lambda *_: pytest.fail("stop"))
    for name in ("student_0", "student_mine"):
        (tmp_path / name).mkdir()
    with pytest.raises(pytest.fail.Exception):
        demo.run_all()
    assert [path.name for path in tmp_path.iterdir()] == ["student_mine"]


def test_the_summary_has_the_sign_of_the_gain(measure: Measure) -> None:
    # 0.4 px are one percent of the eye distance of these faces.
    off = {"student": 1.0, "baseline": 1.4, "teacher": 0.6}
    found: dict[str, Evaluation] = {
        f"{role}_{seed}": measure(shift=(pixels, 0)) for role, pixels in off.items() for seed in demo.SEEDS
    }
    summary = demo.summarise(found)
    assert summary["baseline_nme_percent"] == pytest.approx([3.5, 3.5], abs=1e-3)
    assert summary["student_minus_baseline"]["mean"] == pytest.approx(-1.0, abs=1e-3)
    assert summary["student_minus_baseline"]["by_seed"] == pytest.approx([-1.0, -1.0], abs=1e-3)


def test_values_of_a_table_are_words() -> None:
    assert demo.words({"files": ["best.tflite", "run_model.py"], "max_px": 0.00049804, "concerns": []}) == (
        "files: best.tflite, run_model.py; max_px: 0.000498; concerns: –"
    )
