"""A few small drawn faces and configurations that train on them in seconds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from PIL import Image

from distill.data.config import CropConfig, DataConfig
from distill.losses.config import KDConfig
from distill.models import zoo
from distill.models.config import ModelConfig
from distill.training.config import LogConfig, OptimConfig, RunConfig, StudentConfig, TrainerConfig
from distill.training.fit import train_student, train_teacher
from tests.support import small_network

SIZE = 64
TEACHER = ModelConfig(
    "swin_v2",
    {
        "image_size": SIZE,
        "width": 16,
        "neck": "pyramid",
        "feature_noise": 0.1,
        "backbone_args": {
            "embed_dim": 16,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "drop_path_rate": 0.2,
            "window_size": 4,
        },
    },
)
# A network with maps; a step takes a third of that of the smallest MobileViT.
STUDENT = ModelConfig("timm:test_efficientnet", {"image_size": SIZE, "width": 16})
# For all that does not depend on the network: a training of twelve steps takes 0.3 s instead of 0.9.
SMALL = ModelConfig(small_network.NAME, {"image_size": SIZE})


def write_faces(root: Path, train: int = 18, val: int = 5) -> Path:
    """Write a manifest of squares with points of one shape here and there, in the format `distill-faces/1`."""
    (root / "images").mkdir(parents=True)
    shape = np.random.default_rng(0).uniform(-1, 1, (51, 2))
    faces = []
    for index in range(train + val):
        rng = np.random.default_rng(index)
        points = 40 + rng.uniform(-6, 6, 2) + shape * rng.uniform(18, 24)
        pixels = rng.integers(0, 80, (80, 80, 3))
        for x, y in points.round().astype(int):
            pixels[y - 1 : y + 2, x - 1 : x + 2] += 120
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f"images/{index}.png")
        faces.append(
            {
                "name": f"{index}",
                "image": f"images/{index}.png",
                "points": {"inner51": points.round(3).tolist()},
                "group": f"{index}",
                "subset": "train" if index < train else "val",
            }
        )
    (root / "faces.json").write_text(json.dumps({"format": "distill-faces/1", "faces": faces}))
    return root


@pytest.fixture(autouse=True)
def no_annotation_shift(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring it takes as long as a training of twelve steps, and the drawn squares have none."""
    if request.module.__name__.rpartition(".")[2] != "test_annotation_shift":
        monkeypatch.setattr("distill.training.fit.fit_annotation_shift", lambda *_: 0.0)


@pytest.fixture(scope="module", autouse=True)
def _small_network() -> Iterator[None]:
    """Register the network of `SMALL`; tests of other folders list what is registered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(zoo._REGISTRY, small_network.NAME, small_network.ENTRY)
        yield


class MakeConfig(Protocol):
    def __call__(self, name: str, **changes: Any) -> RunConfig: ...


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces") / "faces")


@pytest.fixture(autouse=True)
def no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no face in drawn squares; not looking for one saves half a second a training."""
    monkeypatch.setattr("distill.data.build.FaceDetector", lambda: lambda photo: [])


@pytest.fixture
def make_config(faces: Path, tmp_path: Path) -> MakeConfig:
    """Return a configuration: 4 steps an epoch, 3 epochs, a validation after each; `part={field: value}` changes it.

    The network is `SMALL`, with a teacher `STUDENT`; `model=TEACHER` has drop path and noise besides.
    """

    def make(name: str = "run", **changes: Any) -> RunConfig:
        parts: dict[str, Any] = {
            "data": DataConfig(
                "manifest", faces, "train", "val", crop=CropConfig(SIZE, 1.3, 0.0), batch_size=4, workers=0, cache=True
            ),
            "model": STUDENT if "teacher" in changes else SMALL,
            "optim": OptimConfig(warmup=0.1),
            "trainer": TrainerConfig(3, accelerator="cpu", validate_every=1, checkpoint_every=2, threads=1),
            "log": LogConfig("disabled", every=1),
        }
        if "teacher" in changes:
            parts["kd"] = KDConfig()
        for part, change in changes.items():
            parts[part] = replace(parts[part], **change) if isinstance(change, dict) else change
        kind = StudentConfig if "kd" in parts else RunConfig
        return kind(name=name, runs=tmp_path / "runs", **parts)

    return make


@pytest.fixture(scope="session")
def teachers() -> dict[str, Path]:
    return {}


@pytest.fixture
def teacher(make_config: MakeConfig, teachers: dict[str, Path]) -> Path:
    """A trained teacher with maps, the same one for every test."""
    if "maps" not in teachers:
        teachers["maps"] = train_teacher(make_config("teacher", model=TEACHER, trainer={"epochs": 1})) / "best.ckpt"
    return teachers["maps"]


@pytest.fixture
def student(make_config: MakeConfig, teacher: Path, teachers: dict[str, Path]) -> Path:
    """The folder of a student of `teacher` trained for one epoch, the same one for every test."""
    if "student" not in teachers:
        config = make_config("student", teacher=teacher, trainer={"epochs": 1})
        assert isinstance(config, StudentConfig)
        teachers["student"] = train_student(config)
    return teachers["student"]
