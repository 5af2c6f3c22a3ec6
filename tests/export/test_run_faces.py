"""A network whose points generated faces do not have is compared on the faces of its run."""

from pathlib import Path

import pytest
import yaml

from distill.data.config import FacesConfig
from distill.errors import ConfigError
from distill.export.run_faces import comparison_faces
from distill.landmarks import scheme_name
from tests.support.mistake_files import make_own_faces


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Weights in a run that trained on the subset `train` of a folder with the subset `val`."""
    make_own_faces(tmp_path / "faces", {"train": 4, "val": 3})
    scheme_name(str(tmp_path / "faces" / "scheme.yaml"))
    config = {"data": {"format": "csv", "root": str(tmp_path / "faces"), "preset": None, "val_subset": None}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path / "best.ckpt"


def test_the_validation_faces_of_the_run_have_its_points(checkpoint: Path) -> None:
    root = checkpoint.parent / "faces"
    assert comparison_faces(checkpoint, "mine", None) == FacesConfig("csv", root, "val")
    given = FacesConfig("csv", root, "train")
    assert comparison_faces(checkpoint, "mine", given) == given
    (root / "val.csv").unlink()
    assert comparison_faces(checkpoint, "mine", None) == FacesConfig("csv", root, "all")


def test_generated_faces_are_enough_for_known_schemes(tmp_path: Path) -> None:
    for scheme in ("inner51", "ibug68", "five"):
        assert comparison_faces(tmp_path / "best.ckpt", scheme, None) is None


def test_what_to_give_is_named_where_the_run_or_its_faces_are_not_there(checkpoint: Path) -> None:
    (checkpoint.parent / "faces").rename(checkpoint.parent / "moved")
    with pytest.raises(ConfigError, match=r"faces, are not there: give --data.format and --data.root"):
        comparison_faces(checkpoint, "mine", None)
    for content in ("", "name: x\n", None):
        if content is None:
            (checkpoint.parent / "config.yaml").unlink()
        else:
            (checkpoint.parent / "config.yaml").write_text(content)
        with pytest.raises(ConfigError, match=r"generated faces have no mine points: give --data\.format"):
            comparison_faces(checkpoint, "mine", None)
