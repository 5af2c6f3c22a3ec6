"""Manifests: round trips, conventions and error messages."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from distill.data.readers import manifest, read_faces
from distill.data.readers.manifest import FILE_NAME, FORMAT, format_manifest
from distill.errors import AnnotationError, DistillError
from distill.geometry import Box, box_of_points
from tests.support.errors import assert_one_line
from tests.support.reader_cases import (
    coco_records,
    make_manifest,
)


def _manifest(root: Path, **changes: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    (root / "images").mkdir(exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(root / "images/0.jpg")
    ibug = rng.uniform(10, 50, (68, 2)).round(3)
    face = {
        "name": "train/0",
        "image": "images/0.jpg",
        "points": {"ibug68": ibug.tolist(), "wflw98": rng.uniform(10, 50, (98, 2)).round(3).tolist()},
        "visible": {"ibug68": [0] + [1] * 67},
        "boxes": {"gt": [10, 11, 50, 51]},
        "group": "0",
        "subset": "train",
    }
    faces = [{**face, **changes}, {**face, "name": "val/0", "subset": "val", "visible": {}, "boxes": {}}]
    (root / FILE_NAME).write_text(json.dumps({"format": FORMAT, "faces": faces}))
    return faces


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def test_manifest_round_trip(root: Path) -> None:
    make_manifest(root)
    for record, again in zip(coco_records(root), read_faces("manifest", root), strict=True):
        np.testing.assert_array_equal(record.landmarks, again.landmarks)
        np.testing.assert_array_equal(record.known, again.known)
        assert (record.name, record.boxes, record.labels) == (again.name, again.boxes, again.labels)
    text = format_manifest(coco_records(root), root)
    with_more = text.replace('"group"', '"labels":"weak","attributes":{"yaw":12.5,"blur":true},"group"')
    (root / "faces.json").write_text(with_more)
    first = read_faces("manifest", root)[0]
    assert (first.labels, first.attributes) == ("weak", {"yaw": 12.5, "blur": True})
    (root / "faces.json").write_text(with_more.replace('"weak"', '"maybe"'))
    with pytest.raises(AnnotationError, match="hand, weak, none"):
        read_faces("manifest", root)


def test_the_box_of_a_manifest_holds_marked_points_only(root: Path, make_face: Any) -> None:
    """It cuts the crop out and may divide the error; a point that is not marked lies anywhere, often at (0, 0)."""
    points = make_face("a", 51)
    points[0] = 0
    face = {
        "name": "a", "image": "a.png", "points": {"inner51": points.tolist()}, "known": {"inner51": [0] + [1] * 50},
    }  # fmt: skip
    (root / FILE_NAME).write_text(json.dumps({"format": FORMAT, "faces": [face]}))
    (record,) = read_faces("manifest", root)
    assert record.boxes["gt"] == box_of_points(points[1:])


def test_manifest_gives_what_it_holds(root: Path) -> None:
    faces = _manifest(root)
    first, second = read_faces("manifest", root)
    np.testing.assert_allclose(first.landmarks, faces[0]["points"]["ibug68"], atol=1e-5)
    assert (first.scheme, first.group, first.subset, first.boxes["gt"]) == ("ibug68", "0", "train", Box(10, 11, 50, 51))
    assert first.visible.tolist() == [False] + [True] * 67
    np.testing.assert_allclose(second.boxes["gt"], box_of_points(second.landmarks), atol=1e-4)
    assert second.visible.all()


def test_manifest_prefers_exact_points_and_converts_the_rest(root: Path) -> None:
    faces = _manifest(root)
    wflw = read_faces("manifest", root, ["train"], scheme="wflw98")
    inner = read_faces("manifest", root, ["train"], scheme="inner51")
    np.testing.assert_allclose(wflw[0].landmarks, faces[0]["points"]["wflw98"], atol=1e-5)
    np.testing.assert_allclose(inner[0].landmarks, faces[0]["points"]["ibug68"][17:], atol=1e-5)
    assert wflw[0].boxes == inner[0].boxes, "the crop must not depend on the scheme"


def test_a_scheme_of_ones_own_lies_beside_the_manifest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever path it is loaded by, it is the same scheme, by its declared name."""
    text = "name: two\ntitle: two points\nn_points: 2\nflip: [[0, 1]]\ngroups: {eyes: 0-1}\nedges: []\n"
    (root / "two.yaml").write_text(text)
    _manifest(root, points={"ibug68": [[10.0 + i % 9, 11.0 + i // 9] for i in range(68)], "two.yaml": [[1, 2], [3, 4]]})
    monkeypatch.chdir(root)
    for path in (str(root / "two.yaml"), "two.yaml", "./two.yaml"):
        record = read_faces("manifest", root, ["train"], scheme=path)[0]
        assert (record.scheme, record.landmarks.tolist()) == ("two", [[1, 2], [3, 4]])
    _manifest(root, points={"two.yaml": [[10, 11], [30, 41]]}, visible={"two.yaml": [1, 0]})
    alone = read_faces("manifest", root, ["train"])[0]
    assert (alone.scheme, alone.visible.tolist()) == ("two", [True, False])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": {"ibug68": [[1, 2]]}}, "1 points"),
        ({"points": {"ibug68": [[float("nan"), 2]] * 68}}, "nan"),
        ({"points": {"ibug86": [[1, 2]]}}, "ibug68"),
        ({"points": {}}, "not a face"),
        ({"points": None}, "not a face"),
        ({"visible": {"ibug68": [1, 0]}}, "2 visibility flags"),
        ({"boxes": {"gt": [1, 2, 3]}}, "not a face"),
        ({"boxes": {"gt": [90, 90, 99, 99]}}, "outside the 64x64 photo"),
        ({"image": "../../secret.jpg"}, "outside"),
        ({"image": "images/1.jpg"}, "no such image"),
        ({"name": "val/0"}, "2 faces are called"),
    ],
)
def test_bad_manifest_faces_are_one_line(root: Path, changes: dict[str, Any], message: str) -> None:
    _manifest(root, **changes)
    with pytest.raises(DistillError) as caught:
        read_faces("manifest", root)
    assert_one_line(caught, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [("<html>", "not JSON"), ("[]", "format is 'list'"), ('{"format": "coco"}', "'coco'"), ("[" * 9999, "not JSON")],
)
def test_what_is_no_manifest_is_named(root: Path, content: str, message: str) -> None:
    (root / FILE_NAME).write_text(content)
    with pytest.raises(AnnotationError, match=message):
        read_faces("manifest", root)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_manifest_is_read_in_parts(root: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None) -> None:
    """Parts end anywhere: in a face, in a number of it, between two faces, in the white space behind the last."""
    faces = [{"name": f"{'é' * index}{index}", "points": [index, -1.25e-3]} for index in range(30)]
    (root / FILE_NAME).write_text(json.dumps({"format": FORMAT, "faces": faces}, indent=indent) + "\n \n")
    monkeypatch.setattr(manifest, "_parsed", None)  # reads all at once
    for size in range(60, 90):
        monkeypatch.setattr(manifest, "_CHUNK", size)
        assert list(manifest._faces(root / FILE_NAME)) == faces


@pytest.mark.parametrize(
    ("end", "message"),
    [("]", "line 1 column"), ("]}]", "Extra data"), (",]}", "line 1 column"), (", 3]}", "not a list")],
)
def test_what_is_wrong_in_a_later_part_is_named_by_its_place(
    root: Path, monkeypatch: pytest.MonkeyPatch, end: str, message: str
) -> None:
    monkeypatch.setattr(manifest, "_CHUNK", 60)
    faces = ",".join(json.dumps({"name": f"{index}"}) for index in range(30))
    (root / FILE_NAME).write_text(f'{{"format":"{FORMAT}","faces":[{faces}{end}')
    with pytest.raises(AnnotationError, match=message) as caught:
        list(manifest._faces(root / FILE_NAME))
    if position := re.search(r"char ([0-9]+)", str(caught.value)):
        assert int(position[1]) > 60, "counted from the start of the file"


def test_manifest_lists_its_subsets(root: Path) -> None:
    _manifest(root)
    with pytest.raises(AnnotationError, match=re.escape("did you mean 'train'? valid: train, val")):
        read_faces("manifest", root, ["trian"])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["name", "image", "points", "visible", "boxes", "group", "subset"]), _json)
def test_mutated_manifest_raises_nothing_but_our_errors(root: Path, key: str, value: Any) -> None:
    _manifest(root, **{key: value})
    with suppress(DistillError):
        assert read_faces("manifest", root)
