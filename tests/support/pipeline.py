"""Teacher, distilled student, its export, check and evaluation by the commands a user types, once for all tests."""

import json
from pathlib import Path

import pytest

from distill.cli.main import main
from tests.support.environments import require_lane

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = {
    "trainer.epochs": "1",
    "trainer.validate_every": "1",
    "data.batch_size": "4",
    "data.workers": "0",
    "log.group": "study",
    "log.wandb": "offline",
}


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `faces` and `runs`: a teacher, and a student that was exported, checked and evaluated."""
    require_lane("modern")
    root = tmp_path_factory.mktemp("pipeline")
    faces = str(root / "faces")
    assert main(["data", "synth", faces, "--count", "24", "--size", "128", "--workers", "0"]) == 0
    tiny = [word for name, value in TINY.items() for word in (f"--{name}", value)]
    common = ["--data.root", faces, "--runs", str(root / "runs"), *tiny]
    assert main(["teacher", "--config", str(CONFIGS / "demo/teacher.yaml"), *common]) == 0
    teacher = ["--teacher", str(root / "runs/teacher/best.ckpt"), "--kd.cache.folder", str(root / "cache")]
    unlabelled = json.dumps([{"format": "manifest", "root": faces, "subset": "train", "labels": "none"}])
    student = ["--config", str(CONFIGS / "demo/student.yaml"), "--data.sets", unlabelled, *teacher]
    assert main(["student", *student, *common]) == 0
    where = ["--data.format", "manifest", "--data.root", faces]
    assert main(["export", str(root / "runs/student/best.ckpt"), *where, "--faces", "4"]) == 0
    fp16 = str(root / "runs/student/export/student_fp16.tflite")
    assert main(["check", fp16]) == 0
    assert main(["evaluate", fp16, *where]) == 0
    return root
