"""The shift of annotations is measured after a training, where it is one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.data.augment import AugmentConfig
from distill.models.checkpoint import load_model
from distill.training.annotation_shift import significant_mean
from distill.training.fit import train_teacher
from tests.training.conftest import write_faces

RIGHT = 4.0


def mirrored_pairs(root: Path, right: float) -> Path:
    """Write drawn faces whose annotations lie `right` pixels beside the points that are drawn."""
    write_faces(root, 24)
    content = json.loads((root / "faces.json").read_text())
    for face in content["faces"]:
        points = np.array(face["points"]["inner51"]) + [right, 0]
        face["points"]["inner51"] = points.tolist()
    (root / "faces.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize(("flip", "expected"), [(0.5, True), (0.0, False)])
def test_a_training_with_mirrored_faces_stores_it(
    flip: float, expected: bool, tmp_path: Path, make_config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    root = mirrored_pairs(tmp_path / "moved", RIGHT)
    config = make_config("run", data={"root": root, "augment": AugmentConfig(flip=flip)}, trainer={"epochs": 2})
    folder = train_teacher(config)
    net, spec = load_model(folder / "best.ckpt")
    shift = spec.annotation_shift
    assert ("of a crop to the right of the predictions" in capsys.readouterr().out) == expected
    if not expected:
        assert shift == 0
        return
    assert 0 < shift < 0.1
    assert torch.equal(net.head.shift.shift, torch.tensor([shift, 0.0]))
    assert load_model(folder / "last.ckpt")[1].annotation_shift == 0, "a resumed training measures again"


def test_only_a_mean_far_from_chance_counts() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 400)
    assert significant_mean(noise.tolist()) == 0
    assert significant_mean((noise + 0.004).tolist()) == pytest.approx(0.004, abs=0.001)
    assert significant_mean([*(noise - 0.004), float("nan")]) == pytest.approx(-0.004, abs=0.001)
    assert significant_mean([0.01] * 19) == 0, "too few faces to say"
