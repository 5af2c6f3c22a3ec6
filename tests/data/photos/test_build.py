"""Photo sets as configured: splits, groups and hashes; scenes are a function of seed, epoch and index."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.photos.build import build_photos, face_hash, photo_hash, split_photos
from distill.data.photos.config import PhotoDataConfig, PhotoSetConfig, SceneConfig
from distill.data.photos.dataset import SceneDataset, collate, load_scene
from distill.data.photos.paste import PasteFace
from distill.data.photos.records import make_photo
from distill.errors import ConfigError
from tests.support.photo_sets import draw_photo, write_photo, write_photo_set


@pytest.fixture
def photos(tmp_path: Path) -> PhotoSetConfig:
    return PhotoSetConfig(*write_photo_set(tmp_path, 6), hold_out=3)


def test_every_third_photo_is_held_out(photos: PhotoSetConfig) -> None:
    train, val = split_photos([replace(photos, repeat=2)])
    assert [photo.name for photo in val] == ["2.png", "5.png"]
    assert [photo.name for photo in train] == ["0.png", "1.png", "3.png", "4.png"] * 2


def test_groups_stay_on_one_side(photos: PhotoSetConfig, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("photo,near_duplicate_group\n0,a\n1,b\n2,a\n3,c\n4,c\n5,b\n")
    _, val = split_photos([replace(photos, groups=groups)])
    assert [photo.name for photo in val] == ["3.png", "4.png"]


def test_without_validation_photos(photos: PhotoSetConfig) -> None:
    with pytest.raises(ConfigError, match="hold_out"):
        split_photos([replace(photos, hold_out=0)])


def test_a_scene_depends_on_seed_epoch_and_index_alone(photos: PhotoSetConfig) -> None:
    config = PhotoDataConfig(sets=[photos], scene=SceneConfig(size=64), batch_size=2)
    first, second = (build_photos(config, 5, 3).train for _ in range(2))
    second[(0, 1)]
    for name, value in first[(2, 3)].items():
        again = second[(2, 3)][name]  # type: ignore[literal-required]
        assert torch.allclose(value, again, rtol=0, atol=0, equal_nan=True), name  # type: ignore[arg-type]
    assert not torch.equal(first[(2, 3)]["image"], first[(1, 3)]["image"])
    assert not torch.equal(first[(2, 3)]["image"], build_photos(config, 6, 3).train[(2, 3)]["image"])


def test_batches_keep_the_faces_of_each_image(photos: PhotoSetConfig) -> None:
    train = build_photos(PhotoDataConfig(sets=[photos], scene=SceneConfig(size=64)), 0, 1).train
    batch = collate([train[(0, 0)], train[(0, 1)]])
    assert batch["image"].shape == (2, 3, 64, 64)
    assert len(batch["boxes"]) == len(batch["points"]) == len(batch["ignored"]) == 2


def test_large_photos_are_scaled_down_with_their_labels(tmp_path: Path) -> None:
    box = [99.5, 39.5, 139.5, 99.5]
    write_photo(tmp_path / "a.png", draw_photo([box], 200, 150, np.random.default_rng(0)))
    scene = load_scene(make_photo("a", tmp_path / "a.png", [box]), 100)
    assert scene.image.shape == (75, 100, 3)
    assert np.allclose(scene.boxes, [[49.5, 19.5, 69.5, 49.5]])


def test_hashes_tell_labels_and_pixels_apart(photos: PhotoSetConfig) -> None:
    train, _ = split_photos([photos])
    changed = [replace(train[0], ignored=~train[0].ignored), *train[1:]]
    assert photo_hash(train) == photo_hash(train[::-1]) != photo_hash(changed)
    face = PasteFace(np.zeros((4, 4, 3), np.uint8), np.zeros(4, np.float32), np.zeros((5, 2), np.float32))
    assert face_hash([face]) != face_hash([face._replace(image=face.image + 1)])


def test_no_photo() -> None:
    with pytest.raises(ConfigError, match="no training photo"):
        SceneDataset([], [], SceneConfig(), 0, 100)


@pytest.mark.parametrize(
    "change", [{"size": 100}, {"smallest": 50.0, "largest": 40.0}, {"mosaic": 1.5}, {"enlarge": 0.5}]
)
def test_options_of_scenes_are_checked(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        SceneConfig(**change)  # type: ignore[arg-type]
