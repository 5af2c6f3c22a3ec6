"""Categories of faces in a CSV, and the page that makes it."""

import json
import re
from pathlib import Path

import pytest

from distill.cli.main import main
from distill.data.categories import read_categories, with_categories
from distill.data.label_page import label_page
from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.data.synthetic import write_faces
from distill.errors import AnnotationError, ConfigError


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


def test_the_page_has_a_box_for_every_face_and_category_and_loads_nothing(faces: list[FaceRecord]) -> None:
    page = label_page(faces, ["male", "a<b>"], size=32)
    assert page.count('type="checkbox"') == 2 * len(faces)
    assert page.count("data:image/jpeg;base64,") == len(faces)
    assert not re.search(r"(src|href)=.(?!data:)|https?://|<b>", page)
    assert all(f'<figure data-face="{face.name}">' in page for face in faces)
    names = re.search(r"const categories = (.*);", page)
    assert names is not None
    assert json.loads(names[1]) == ["male", "a<b>"]


@pytest.mark.parametrize("names", [[], ["male", "male"], ["face"], [" "]])
def test_names_that_no_column_can_have_are_refused(names: list[str], faces: list[FaceRecord]) -> None:
    with pytest.raises(ConfigError, match="--categories"):
        label_page(faces, names)


def test_the_command_writes_the_page(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data.format", "manifest", "--data.root", str(root), "--data.subset", "all", "--categories", "glasses"]
    assert main(["data", "label", str(tmp_path / "page.html"), *words]) == 0
    assert "4 faces" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().count('data-category="glasses"') == 4
    assert main(["data", "label", str(tmp_path / "page.txt"), *words]) != 0
    assert "give a name that ends in .html" in capsys.readouterr().err
