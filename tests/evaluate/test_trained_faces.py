"""A model is not measured on faces that it was trained on."""

from pathlib import Path

import pytest

from distill.data.readers import read_faces
from distill.data.trained_photos import photo_fingerprints
from distill.errors import ConfigError
from distill.evaluate.faces import load_faces
from tests.training.conftest import write_faces


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "faces", train=4, val=3)


def test_trained_faces_of_a_named_subset_are_an_error(root: Path) -> None:
    trained = photo_fingerprints(read_faces("manifest", root, ["train"]))
    with pytest.raises(ConfigError, match=r"4 of 4 faces are in photos that the model was trained on \(0\)"):
        load_faces("inner51", format="manifest", root=root, subset="train", trained=trained)
    assert len(load_faces("inner51", format="manifest", root=root, subset="val", trained=trained).records) == 3
    with pytest.raises(ConfigError, match="4 of 7 faces"):
        load_faces("inner51", format="manifest", root=root, subset="train+val", trained=trained)


def test_trained_faces_of_a_whole_data_set_are_left_out(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained = photo_fingerprints(read_faces("manifest", root, ["train"]))
    faces = load_faces("inner51", format="manifest", root=root, trained=trained)
    assert [record.name for record in faces.records] == ["4", "5", "6"]
    assert "4 of 7 faces are in photos that the model was trained on and are left out" in caplog.text
