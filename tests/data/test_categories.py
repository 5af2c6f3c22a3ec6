"""Categories of faces in a CSV become attributes of the faces, and mistakes in it are one line."""

from pathlib import Path

import pytest

from distill.data.categories import read_categories, with_categories
from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.data.synthetic import write_faces
from distill.errors import AnnotationError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "faces"
    write_faces(path, 4, seed=3, size=96)
    return path


@pytest.fixture
def faces(root: Path) -> list[FaceRecord]:
    return read_faces("manifest", root)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_categories_become_attributes_and_unknown_ones_stay_unknown(faces: list[FaceRecord], tmp_path: Path) -> None:
    first, second, third, _ = (face.name for face in faces)
    path = write(tmp_path / "c.csv", "face,male,old", f"{first},1,0", f"{second},0,", f'"{third}",1,1', "another,1,1")
    assert read_categories(path)[second] == {"male": False}
    labelled = with_categories(faces, path)
    assert [face.attributes.get("male") for face in labelled] == [True, False, True, None]
    assert [face.attributes.get("old") for face in labelled] == [False, None, True, None]
    assert all(set(face.attributes) <= set(new.attributes) for face, new in zip(faces, labelled, strict=True))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("face", "a"), "no category beside the column face"),
        (("face,male", "a,yes"), "line 2 has 'yes' for male; write 1, 0 or nothing"),
        (("face,male", "a,1", "a,0"), "line 3 has the face a again"),
        (("name,male", "a,1"), "face"),
        (("face,male", "a,1"), "none of its faces is among those measured"),
    ],
)
def test_mistakes_in_the_file_are_one_line(
    lines: tuple[str, ...], message: str, faces: list[FaceRecord], tmp_path: Path
) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        with_categories(faces, write(tmp_path / "c.csv", *lines))
    assert "\n" not in str(caught.value)
