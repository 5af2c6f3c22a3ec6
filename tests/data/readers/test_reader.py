"""Readers: formats, subsets, registration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from distill.data.readers import FORMATS, parse_subsets, read_faces, register_format, with_own_scheme
from distill.data.records import FaceRecord
from distill.errors import AnnotationError, ConfigError


def test_a_format_can_be_registered(root: Path, make_face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.data import readers

    monkeypatch.setattr(readers, "_FORMATS", formats := dict(FORMATS))
    monkeypatch.setattr(readers, "FORMATS", formats)
    make_face("afw/a")

    @with_own_scheme
    def read_custom(folder: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
        return read_faces("300w", folder, subsets)

    assert register_format("custom", read_custom) is read_custom
    assert [record.name for record in read_faces("custom", root, scheme="inner51")] == ["afw/a"]
    with pytest.raises(ConfigError, match="data format '300w' is registered already; choose another name"):
        register_format("300w", read_custom)


def test_unknown_format_folder_and_subset(root: Path, make_face: Any) -> None:
    with pytest.raises(ConfigError, match="did you mean '300w'"):
        read_faces("300-w", root)
    for format in FORMATS:
        with pytest.raises(AnnotationError, match="no such folder"):
            read_faces(format, root / "nowhere")
        with pytest.raises(AnnotationError, match="empty"):
            read_faces(format, root)
    (root / "notes.txt").touch()
    with pytest.raises(AnnotationError, match=r"no \.pts file"):
        read_faces("300w", root)
    make_face("helen/testset/1_1")
    for subset in ("helen/tests", "../faces", "helen/testset/1"):
        with pytest.raises(AnnotationError, match="helen/testset"):
            read_faces("300w", root, [subset])


def test_subsets_are_joined_by_plus() -> None:
    assert parse_subsets("helen/testset + lfpw/testset/") == ("helen/testset", "lfpw/testset")
    assert parse_subsets(None) is parse_subsets("") is parse_subsets("all") is None
    with pytest.raises(ConfigError, match="empty part"):
        parse_subsets("afw++ibug")
