"""Faces of WIDER FACE's difficulties, from files in the official layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from distill.data.photos.wider_difficulty import read_difficulties
from distill.errors import AnnotationError
from tests.support.wider_files import cells

BOXES = np.array([[10, 20, 30, 40], [5, 6, 4, 3], [50, 60, 70, 80]], float)


def write(path: Path, **lists: Any) -> None:
    names = {"event_list": cells("0--Parade"), "file_list": cells(cells("a"))}
    savemat(path, {**names, **{name: cells(cells(value)) for name, value in lists.items()}})


def write_official(folder: Path, hard: Any) -> Path:
    write(folder / "wider_face_val.mat", face_bbx_list=BOXES)
    for name, indices in {"easy": np.zeros((0, 1)), "medium": [[3]], "hard": hard}.items():
        write(folder / f"wider_{name}_val.mat", gt_list=np.array(indices))
    return folder / "wider_face_val.mat"


def test_indices_count_from_one(tmp_path: Path) -> None:
    (photo,) = read_difficulties(write_official(tmp_path, [[1], [3]])).items()
    name, faces = photo
    assert name == "0--Parade/a.jpg"
    assert np.array_equal(faces.boxes, BOXES)
    assert {key: value.tolist() for key, value in faces.counted.items()} == {
        "easy": [False, False, False],
        "medium": [False, False, True],
        "hard": [True, False, True],
    }


def test_without_files_of_the_difficulties_there_are_none(tmp_path: Path) -> None:
    write(tmp_path / "gt.mat", face_bbx_list=BOXES)
    assert read_difficulties(tmp_path / "gt.mat") == {}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    labels = write_official(tmp_path, [[1]])
    (tmp_path / "wider_medium_val.mat").unlink()
    with pytest.raises(AnnotationError, match=r"wider_medium_val\.mat: missing"):
        read_difficulties(labels)


@pytest.mark.parametrize("index", [0, 4])
def test_a_face_that_is_not_there_is_refused(tmp_path: Path, index: int) -> None:
    with pytest.raises(AnnotationError, match=r"wider_hard_val\.mat: names a face of 0--Parade/a\.jpg"):
        read_difficulties(write_official(tmp_path, [[index]]))
