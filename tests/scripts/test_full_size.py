"""Training from packed faces on a device: its crops are those of the data set, and its course can be continued."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.data.augment import AugmentConfig, sample_affine
from distill.data.dataset import FaceDataset
from distill.data.pack import PackedFaces, read_pack, write_pack
from distill.data.prepare import StoreSpec
from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.data.synthetic import write_faces
from distill.geometry import CropSpec, crop_affine, similarity
from distill.models.checkpoint import load_model
from scripts.studies import full_size
from scripts.studies.gpu import output
from scripts.studies.gpu.augment import affines, blurred, change_colours, cover, sample_squares
from scripts.studies.gpu.faces import DeviceFaces
from scripts.studies.gpu.stage import StageRun
from tests.support.lock_owner import locked_by_another

CPU = torch.device("cpu")
CROP = CropSpec(96, 1.25, 0.05)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[FaceRecord]:
    root = tmp_path_factory.mktemp("generated")
    write_faces(root, 6, seed=3, size=256, difficulty=0)
    return read_faces("manifest", root, scheme="ibug68")


@pytest.fixture(scope="module")
def packed(faces: list[FaceRecord], tmp_path_factory: pytest.TempPathFactory) -> PackedFaces:
    path = tmp_path_factory.mktemp("pack") / "faces.safetensors"
    write_pack(path, [("train", face) for face in faces], CROP, StoreSpec(256, 1.9, 95))
    return read_pack(path)


def test_crops_are_those_of_the_data_set(faces: list[FaceRecord], packed: PackedFaces) -> None:
    """Pixels agree but for compression and resampling, landmarks to a hundredth of a pixel."""
    batch = DeviceFaces(packed, 256, CPU).batch(torch.arange(6), CROP.size, None)
    data = FaceDataset(faces, CROP, "ibug68")
    for index in range(6):
        sample = data[index]
        np.testing.assert_allclose(batch.landmarks[index], sample["landmarks"], atol=0.01 / CROP.size)
        np.testing.assert_allclose(batch.box_size[index], sample["box_size"], atol=1e-3)
        difference = (batch.images[index] - sample["image"] / 255).abs().mean()
        assert difference < 0.02, "half a pixel of shift or a swapped axis gives more"


def test_the_affine_is_that_of_the_package() -> None:
    squares, radians = torch.tensor([[80.0, 40.0, 50.0]] * 2), torch.tensor([0.3, -0.2])
    found = affines(squares, radians, torch.tensor([False, True]), 64)
    for index, flip in enumerate((False, True)):
        expected = similarity(80, 40, 50, 64, float(np.rad2deg(radians[index])), flip)
        np.testing.assert_allclose(found[index], expected, atol=1e-4)


def test_mirrored_faces_have_the_points_of_the_other_side(packed: PackedFaces) -> None:
    faces = DeviceFaces(packed, 128, CPU)
    mirror = replace(AugmentConfig.none(), flip=1.0)
    plain, flipped = (faces.batch(torch.arange(6), 64, change) for change in (None, mirror))
    expected = plain.landmarks[:, faces.order]
    np.testing.assert_allclose(flipped.landmarks[..., 0], 1 - expected[..., 0], atol=1e-4)
    np.testing.assert_allclose(flipped.landmarks[..., 1], expected[..., 1], atol=1e-4)
    np.testing.assert_allclose(flipped.images, plain.images.flip(-1).clamp_min(1e-4), atol=0.01)


def test_augmented_squares_have_the_distribution_of_the_package(faces: list[FaceRecord]) -> None:
    config, count = AugmentConfig(rotate=10, scale=0.1, shift=0.03), 4000
    box = faces[0].boxes["gt"]
    side, x, y = CROP.side_and_centre(box)
    squares, radians, flip = sample_squares(torch.tensor([[side, x, y]]).repeat(count, 1), config)
    rng = np.random.default_rng(0)
    drawn = np.stack([sample_affine(box, CROP, config, rng)[0] for _ in range(count)])
    zoom = np.sqrt(np.abs(np.linalg.det(drawn[:, :, :2])))
    assert float((CROP.size / squares[:, 0]).std()) == pytest.approx(zoom.std(), rel=0.1)
    angles = np.arctan2(drawn[:, 1, 0], drawn[:, 1, 1])
    assert float(radians.std()) == pytest.approx(angles.std(), rel=0.1)
    assert float(flip.float().mean()) == pytest.approx(0.5, abs=0.05)
    plain = crop_affine(box, CROP)
    assert plain.shape == drawn[0].shape


def test_pixel_changes_keep_range_and_place() -> None:
    images = torch.zeros(4, 3, 33, 33)
    images[:, :, 16, 16] = 1
    smooth = blurred(images)
    assert float(smooth.sum()) == pytest.approx(12, abs=1e-3)
    assert torch.equal(smooth, smooth.flip(-1)), "a blur to one side moves the face"
    changed = change_colours(torch.rand(16, 3, 24, 24), 1.0)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.equal(cover(images, 1.0), images)
    assert torch.equal(cover(images, 0.0), images)


def test_a_large_file_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: PackedFaces) -> None:
    monkeypatch.setattr(output, "PART_BYTES", 1000)
    stage, net, _ = full_size.prepare_stage("student", full_size.TINY_STUDENT, packed, 1.0, 4, 0.0, False)
    stored = output.save_half(tmp_path, "student", net, stage.spec)
    files = stored["files"]
    assert isinstance(files, list)
    joined = tmp_path / "joined.safetensors"
    joined.write_bytes(b"".join((tmp_path / name).read_bytes() for name in files))
    assert len(files) > 2
    assert load_model(joined)[1].arch == stage.spec.arch


@pytest.fixture
def course(faces: list[FaceRecord], tmp_path: Path) -> list[str]:
    """Words of a course on few faces, into the folder `out`."""
    write_pack(tmp_path / "faces.safetensors", [("train", face) for face in faces], CROP, StoreSpec(96, 1.9, 85))
    words = [str(tmp_path / "faces.safetensors"), "--out", str(tmp_path / "out"), "--minutes", "5", "--stored", "96"]
    nets = ["--teacher", full_size.TINY_TEACHER, "--student", full_size.TINY_STUDENT]
    return [*words, *nets, "--teacher_batch", "2", "--student_batch", "2"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_the_step_and_the_course_continues(
    number: signal.Signals, status: int, course: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    step, state = StageRun.step, tmp_path / "out" / "teacher.state.pt"
    for steps in (3, 5):

        def stopped(run: StageRun, steps: int = steps) -> dict[str, Any]:
            if run.progress.steps == steps - 1:
                os.kill(os.getpid(), number)
            return step(run)

        monkeypatch.setattr(StageRun, "step", stopped)
        with pytest.raises(SystemExit) as caught:
            full_size.main(course)
        assert caught.value.code == status
        assert capsys.readouterr().err.splitlines()[-1] == f"stopped by {number.name}: the same command continues"
        assert torch.load(state, weights_only=True)["progress"]["steps"] == steps
        assert [path.name for path in state.parent.iterdir()] == [state.name]


def test_a_damaged_state_and_a_second_process_are_one_line(
    course: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    for content in (b"", b"no state", b"PK\3\4" + bytes(99)):
        (tmp_path / "out" / "teacher.state.pt").write_bytes(content)
        assert full_size.main(course) == 2
        assert capsys.readouterr().err.endswith(": not a whole state; remove it to start the stage again\n")
    with locked_by_another(tmp_path / "out", "is training in") as owner:
        assert full_size.main(course) == 2
    assert f"process {owner} is training in this folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_course_runs_and_continues(tmp_path: Path) -> None:
    course = ["--tiny", "--out", str(tmp_path), "--minutes"]
    assert full_size.main([*course, "0.03"]) == 0
    first = json.loads((tmp_path / "full_size.json").read_text())
    assert full_size.main([*course, "0.06"]) == 0
    second = json.loads((tmp_path / "full_size.json").read_text())
    for stage in ("teacher", "student"):
        assert second[stage]["steps"] > first[stage]["steps"]
        assert second[stage]["log"][: len(first[stage]["log"])] == first[stage]["log"]
        assert 0 < second[stage]["nme"] < 2
        assert load_model(tmp_path / f"{stage}.safetensors")[1].scheme == "ibug68"
