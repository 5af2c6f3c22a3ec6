"""Made data sets and, where they lie at hand, real ones."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.data.synthetic import write_faces
from tests.support.annotation_writers import write_pts


class MakeFace(Protocol):
    def __call__(self, stem: str, k: int = 68, size: tuple[int, int] = (96, 80)) -> NDArray[np.float32]: ...


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def four_faces_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of generated faces, only read."""
    path = tmp_path_factory.mktemp("four") / "faces"
    write_faces(path, 4, seed=3, size=96)
    return path


@pytest.fixture
def four_faces(four_faces_folder: Path) -> list[FaceRecord]:
    return read_faces("manifest", four_faces_folder)


@pytest.fixture
def make_face(root: Path) -> MakeFace:
    """Write ROOT/stem.png and ROOT/stem.pts and return the points."""

    def make(stem: str, k: int = 68, size: tuple[int, int] = (96, 80)) -> NDArray[np.float32]:
        rng = np.random.default_rng(list(stem.encode()))
        points = (rng.uniform(0.2, 0.8, (k, 2)) * size).astype(np.float32)
        path = root / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
        write_pts(path.with_suffix(".pts"), points)
        return points

    return make


@pytest.fixture(scope="session")
def real_300w() -> Path:
    here = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DISTILL_DATA", here.parent / "shared" / "data")) / "300W"
    if not folder.is_dir():
        pytest.skip("real faces not found: set DISTILL_DATA")
    return folder
