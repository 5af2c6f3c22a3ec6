"""Page to label faces with categories: a box for each face and category, and nothing that is loaded."""

import json
import re
from pathlib import Path

import pytest

from distill.cli.main import main
from distill.data.label_page import label_page
from distill.data.records import FaceRecord
from distill.errors import ConfigError


def test_the_page_has_a_box_for_every_face_and_category_and_loads_nothing(four_faces: list[FaceRecord]) -> None:
    page = label_page(four_faces, ["male", "a<b>"], size=32)
    assert page.count('type="checkbox"') == 2 * len(four_faces)
    assert page.count("data:image/jpeg;base64,") == len(four_faces)
    assert not re.search(r"(src|href)=.(?!data:)|https?://|<b>", page)
    assert all(f'<figure data-face="{face.name}">' in page for face in four_faces)
    names = re.search(r"const categories = (.*);", page)
    assert names is not None
    assert json.loads(names[1]) == ["male", "a<b>"]


@pytest.mark.parametrize("names", [[], ["male", "male"], ["face"], [" "]])
def test_names_that_no_column_can_have_are_refused(names: list[str], four_faces: list[FaceRecord]) -> None:
    with pytest.raises(ConfigError, match="--categories"):
        label_page(four_faces, names)


def test_the_command_writes_the_page(
    four_faces_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data.format", "manifest", "--data.root", str(four_faces_folder), "--data.subset", "all"]
    words += ["--categories", "glasses"]
    assert main(["data", "label", str(tmp_path / "page.html"), *words]) == 0
    assert "4 faces" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().count('data-category="glasses"') == 4
    assert main(["data", "label", str(tmp_path / "page.txt"), *words]) != 0
    assert "give a name that ends in .html" in capsys.readouterr().err
