"""Every annotation format: damaged, foreign and incomplete files."""

import importlib.util
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from PIL import Image

from distill.data.readers import FORMATS, read_faces
from distill.errors import AnnotationError, ConfigError, DistillError, ImageError
from tests.support.errors import assert_one_line
from tests.support.reader_cases import (
    CASES,
    Case,
    mutations,
)
from tests.support.reader_cases_more import CASES as MORE_CASES


def _read_all_mutations(case: Case, root: Path, count: int, seed: int) -> Counter[str]:
    path, outcomes = case.make(root), Counter[str]()
    for content in mutations(path.read_bytes(), count, seed):
        path.write_bytes(content)
        try:
            for record in read_faces(case.format, root):
                assert np.isfinite(record.landmarks).all()
            outcomes["read"] += 1
        except DistillError as error:
            outcomes["refused"] += 1
            bad = not isinstance(error, AnnotationError | ConfigError | ImageError)
            outcomes["long"] += bad or "\n" in str(error) or len(str(error)) > 500
    assert not outcomes["long"]
    return outcomes


_xml = pytest.mark.skipif(not importlib.util.find_spec("defusedxml"), reason="defusedxml is not installed")


@pytest.fixture(
    params=[pytest.param(c, marks=_xml if c.format == "dlib" else ()) for c in (*CASES, *MORE_CASES)],
    ids=lambda case: case.format,
)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.mark.filterwarnings("error")
def test_damaged_files_raise_nothing_but_one_line(case: Case, root: Path) -> None:
    outcomes = _read_all_mutations(case, root, 150, seed=0)
    assert min(outcomes["read"], outcomes["refused"]) > 5, f"the damage tests nothing: {outcomes}"


def test_unknown_subsets_are_named(case: Case, root: Path) -> None:
    case.make(root)
    with pytest.raises(AnnotationError, match="no subset 'tset'"):
        read_faces(case.format, root, ["tset"])


def test_files_of_other_formats_are_refused(case: Case, root: Path) -> None:
    path = case.make(root)
    for content in (b"", b"<html>404</html>", b"\xff\xd8\xff\xe0 a photo", b"[]", b"{}", b"null"):
        path.write_bytes(content)
        with pytest.raises(AnnotationError) as caught:
            read_faces(case.format, root)
        assert path.name in str(caught.value)


@pytest.fixture
def deadline() -> Iterator[None]:
    """Ten seconds for a test: opening a pipe waits until somebody writes into it, which nobody does."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("waits for a pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("deadline")
def test_pipes_are_no_annotations(case: Case, root: Path) -> None:
    path = case.make(root)
    path.unlink()
    os.mkfifo(path)
    # A list of faces that is no file counts as missing where a data set may lack it.
    refused = pytest.raises(AnnotationError) if case.format != "wflw" else nullcontext()
    with refused as caught:
        read_faces(case.format, root)
    if caught is not None:
        assert_one_line(caught)


@pytest.mark.usefixtures("deadline")
def test_pipes_are_no_photos(case: Case, root: Path) -> None:
    case.make(root)
    for photo in sorted(path for path in root.rglob("*") if path.suffix in (".jpg", ".png")):
        photo.unlink()
        os.mkfifo(photo)
    with pytest.raises((AnnotationError, ImageError)) as caught:
        read_faces(case.format, root)
    assert_one_line(caught)


def test_missing_photos_are_named(case: Case, root: Path) -> None:
    case.make(root)
    for photo in sorted(path for path in root.rglob("*") if path.suffix in (".jpg", ".png")):
        photo.unlink()
    with pytest.raises((AnnotationError, ImageError), match=r"\.jpg|\.png|photo"):
        read_faces(case.format, root)


def test_points_of_a_larger_photo_are_refused(case: Case, root: Path) -> None:
    # The photos were shrunk after the annotation: every point is at another place, and most are outside.
    case.make(root)
    for photo in [path for path in root.rglob("*") if path.suffix in (".jpg", ".png")]:
        with Image.open(photo) as image:
            small = image.resize((image.width // 6, image.height // 6))
        small.save(photo)
    with pytest.raises(AnnotationError, match=r"outside the|annotated in a photo of"):
        read_faces(case.format, root)


def test_every_format_is_in_the_registry() -> None:
    assert {case.format for case in CASES} | {"menpo", "ivsfd"} <= set(FORMATS)


def test_names_are_unique_and_photos_exist(case: Case, root: Path) -> None:
    case.make(root)
    records = read_faces(case.format, root)
    assert len({record.name for record in records}) == len(records) >= 2
    mixed = {"300w": {"ibug68", "inner51", "menpo39"}}  # a scheme for each file
    assert {record.scheme for record in records} == mixed.get(case.format, {case.scheme})
    assert all(record.image.is_file() for record in records)
