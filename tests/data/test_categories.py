"""Categories of faces in a CSV become attributes of the faces, and mistakes in it are one line."""

from pathlib import Path

import pytest

from distill.data.categories import read_categories, with_categories
from distill.data.records import FaceRecord
from distill.errors import AnnotationError


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_categories_become_attributes_and_unknown_ones_stay_unknown(
    four_faces: list[FaceRecord], tmp_path: Path
) -> None:
    first, second, third, _ = (face.name for face in four_faces)
    path = write(tmp_path / "c.csv", "face,male,old", f"{first},1,0", f"{second},0,", f'"{third}",1,1', "another,1,1")
    assert read_categories(path)[second] == {"male": False}
    labelled = with_categories(four_faces, path)
    assert [face.attributes.get("male") for face in labelled] == [True, False, True, None]
    assert [face.attributes.get("old") for face in labelled] == [False, None, True, None]
    assert all(set(face.attributes) <= set(new.attributes) for face, new in zip(four_faces, labelled, strict=True))


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
    lines: tuple[str, ...], message: str, four_faces: list[FaceRecord], tmp_path: Path
) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        with_categories(four_faces, write(tmp_path / "c.csv", *lines))
    assert "\n" not in str(caught.value)
