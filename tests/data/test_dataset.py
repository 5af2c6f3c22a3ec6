"""A sample is a pure function of (seed, epoch, index), and its points lie on its pixels."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from distill.data.augment import AugmentConfig
from distill.data.dataset import FaceDataset, init_worker
from distill.data.readers import read_faces
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, ImageError
from distill.geometry import Box, CropSpec, apply_affine, denormalise
from distill.landmarks import load_scheme
from tests.support.annotation_writers import write_pts

_CROP = CropSpec(size=48, scale=1.2)


@pytest.fixture
def records(root: Path, make_face: Any) -> list[FaceRecord]:
    for index in range(12):
        make_face(f"afw/{index}_1")
    rows = "".join(f"afw/{index}_1.png,11,11,71,71,21,21,81,71\n" for index in range(6))
    header = "image,det_x0,det_y0,det_x1,det_y1,gt_x0,gt_y0,gt_x1,gt_y1\n"
    (root / "bounding_boxes.csv").write_text(header + rows)
    return read_faces("300w", root)


def _digest(dataset: FaceDataset, workers: int, batch: int, epoch: int = 0) -> str:
    keys = [(epoch, index) for index in (5, 0, 7, 2, 11, 3, 9)]
    loader = DataLoader(
        dataset,
        batch_size=batch,
        sampler=keys,  # type: ignore[arg-type]
        num_workers=workers,
        worker_init_fn=init_worker if workers else None,
    )
    total = {name: hashlib.sha256() for name in ("image", "landmarks", "visible", "to_photo", "index")}
    for samples in loader:
        for name, part in total.items():
            part.update(samples[name].numpy().tobytes())
    return "".join(part.hexdigest() for part in total.values())


def test_workers_batches_and_order_do_not_matter(records: list[FaceRecord]) -> None:
    def make() -> FaceDataset:
        return FaceDataset(records, _CROP, "inner51", AugmentConfig(), boxes=("gt", "dataset"), seed=4)

    alone = _digest(make(), 0, 7)
    used = make()
    for index in range(12):
        _ = used[index]
    assert _digest(used, 0, 3) == alone
    assert _digest(make(), 1, 3) == alone
    assert _digest(make(), 4, 2) == alone
    assert _digest(make(), 0, 7, epoch=1) != alone
    assert _digest(FaceDataset(records, _CROP, "inner51", AugmentConfig(), ("gt", "dataset"), seed=5), 0, 7) != alone
    assert (
        _digest(FaceDataset(records, _CROP, "inner51", AugmentConfig(), ("gt", "dataset"), 4, cache=True), 0, 7)
        == alone
    )


def test_shapes_types_and_a_plain_key(records: list[FaceRecord]) -> None:
    sample = FaceDataset(records, _CROP, "inner51")[3]
    shapes = {"image": (3, 48, 48), "landmarks": (51, 2), "visible": (51,), "to_photo": (2, 3)}
    types = {"image": torch.uint8, "landmarks": torch.float32, "visible": torch.bool, "to_photo": torch.float32}
    for name, shape in shapes.items():
        assert sample[name].shape == shape  # type: ignore[literal-required]
        assert sample[name].dtype == types[name]  # type: ignore[literal-required]
    assert sample["index"] == 3


def test_landmarks_return_to_the_photo(records: list[FaceRecord]) -> None:
    dataset = FaceDataset(records, _CROP, "ibug68", AugmentConfig(), seed=1)
    order = list(load_scheme("ibug68").flip)
    flips = 0
    for index, record in enumerate(records):
        for epoch in range(4):
            sample = dataset[epoch, index]
            points = denormalise(sample["landmarks"].numpy(), 48, 48)
            back = apply_affine(sample["to_photo"].numpy(), points)
            flipped = np.linalg.det(sample["to_photo"].numpy()[:, :2]) < 0
            flips += flipped
            np.testing.assert_allclose(back[order] if flipped else back, record.landmarks, atol=1e-3)
    assert 5 < flips < 43


def test_every_landmark_lies_on_its_own_blob(root: Path) -> None:
    # Five blobs of different colour: catches pixels and points that are flipped or turned differently, and a flip
    # that moves points without renaming them.
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])
    points = np.array([[70, 60], [120, 62], [97, 95], [75, 125], [118, 123]], np.float32)
    y, x = np.mgrid[:180, :190]
    photo = np.zeros((180, 190, 3))
    for point, colour in zip(points, colours, strict=True):
        photo += np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 4.0**2))[..., None] * colour
    Image.fromarray(photo.clip(0, 255).round().astype(np.uint8)).save(root / "a.png")
    record = make_record(name="a", image=root / "a.png", landmarks=points, scheme="five", source=root)
    config = AugmentConfig(occlusion=0, pixels=0)
    dataset = FaceDataset([record], CropSpec(96, 2.4), "five", config, seed=2, cache=True)
    order = list(load_scheme("five").flip)
    v, u = np.mgrid[:96, :96]
    worst = 0.0
    for epoch in range(500):
        sample = dataset[epoch, 0]
        crop = sample["image"].numpy().astype(float)
        flipped = np.linalg.det(sample["to_photo"].numpy()[:, :2]) < 0
        found = denormalise(sample["landmarks"].numpy(), 96, 96)
        for i, point in enumerate(found):
            colour = colours[order[i] if flipped else i]
            near = (u - point[0]) ** 2 + (v - point[1]) ** 2 < 13**2
            weight = crop[np.flatnonzero(colour)].min(0) * near
            assert weight.max() > 180, f"point {i} is not on its blob"
            centre = np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum()
            worst = max(worst, np.abs(centre - point).max())
    assert worst <= 0.1


def test_detector_boxes_have_a_crop_of_their_own(records: list[FaceRecord]) -> None:
    def double(record: FaceRecord) -> FaceRecord:
        box = record.boxes["gt"]
        (x, y), width, height = box.centre, box.width, box.height
        return replace(record, boxes={"gt": box, "detector": Box(x - width, y - height, x + width, y + height)})

    both = [double(record) for record in records]
    true = FaceDataset(both, CropSpec(16, 1.2, 0.1), "five")
    found = FaceDataset(both, CropSpec(16, 1.2, 0.1), "five", boxes=["detector"], detector_crop=CropSpec(16, 0.6, 0.05))
    for index in range(12):
        torch.testing.assert_close(found[index]["to_photo"], true[index]["to_photo"])
        torch.testing.assert_close(found[index]["box_size"], true[index]["box_size"])


def test_boxes_are_drawn_from_those_a_face_has(records: list[FaceRecord]) -> None:
    both = FaceDataset(records, CropSpec(16), "five", boxes=("gt", "dataset"))
    distinct = [{both[epoch, index]["to_photo"].numpy().tobytes() for epoch in range(12)} for index in range(12)]
    assert [len(affines) for affines in distinct] == [len(record.boxes) for record in records]
    assert sum(len(affines) for affines in distinct) == 18
    with pytest.raises(AnnotationError, match="6 of 12 faces have no dataset box"):
        FaceDataset(records, CropSpec(16), "five", boxes=("dataset",))


def test_rounds_repeat_the_augmentations(records: list[FaceRecord]) -> None:
    endless = FaceDataset(records, _CROP, "inner51", AugmentConfig(), seed=4)
    again = FaceDataset(records, _CROP, "inner51", AugmentConfig(), seed=4, rounds=3)
    for epoch in range(7):
        sample, same = again[epoch, 5], endless[epoch % 3, 5]
        assert torch.equal(sample["image"], same["image"])
        assert torch.equal(sample["landmarks"], same["landmarks"])
        assert (sample["round"], endless[epoch, 5]["round"]) == (epoch % 3, epoch)
    assert not torch.equal(endless[3, 5]["image"], endless[0, 5]["image"])


def test_no_faces_is_an_error() -> None:
    with pytest.raises(AnnotationError, match="no faces"):
        FaceDataset([], _CROP, "five")


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_a_broken_photo_is_named_never_skipped(records: list[FaceRecord], content: bytes | None) -> None:
    photo = records[2].image
    photo.write_bytes(photo.read_bytes()[:300] if content is None else content)
    with pytest.raises(ImageError, match=photo.name):
        _ = FaceDataset(records, _CROP, "five")[2]
    with pytest.raises(ImageError, match=photo.name):
        FaceDataset(records, _CROP, "five", cache=True)


def test_a_face_at_the_border_and_a_tiny_one_work(root: Path, make_face: Any) -> None:
    points = make_face("afw/a")
    write_pts(root / "afw/a.pts", points * 0.02 + 78)
    (record,) = read_faces("300w", root)
    sample = FaceDataset([record], CropSpec(32, 4.0), "ibug68", AugmentConfig())[0]
    assert torch.isfinite(sample["landmarks"]).all()
