"""Unlike numbers are not compared, and the message says what is unlike."""

from dataclasses import replace
from pathlib import Path

import pytest

from distill.data.readers import read_faces
from distill.errors import ConfigError
from distill.evaluate.protocol import Protocol, hash_faces, require_alike
from distill.geometry import CropSpec

PROTOCOL = Protocol(
    scheme="inner51", points=51, normalisers=("ocular", "pupil", "box"), boxes="gt", format="300w", subset="afw",
    n_faces=330, data_hash="ab", flip_tta=False, crop=CropSpec(), runtime="torch 2.6", model_sha256="cd",
)  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheme", "ibug68"),
        ("boxes", "dataset"),
        ("subset", "ibug"),
        ("n_faces", 329),
        ("data_hash", "xy"),
        ("flip_tta", True),
    ],
)
def test_names_the_field_that_differs(field: str, value: object) -> None:
    other = replace(PROTOCOL, **{field: value})  # type: ignore[arg-type]
    assert not PROTOCOL.same_as(other)
    with pytest.raises(ConfigError, match=f"cannot be compared, {field} differs") as error:
        require_alike(PROTOCOL, other)
    assert "\n" not in str(error.value)


def test_another_model_may_be_compared() -> None:
    other = replace(PROTOCOL, model_sha256="ef", runtime="ai-edge-litert 2.3", crop=CropSpec(256, 1.2))
    assert PROTOCOL.same_as(other)
    require_alike(PROTOCOL, other)


def test_hash_sees_points_names_and_boxes(root: Path) -> None:
    records = read_faces("manifest", root)[:8]
    digest = hash_faces(records, "gt")
    assert digest == hash_faces(read_faces("manifest", root)[:8], "gt")
    moved = replace(records[0], landmarks=records[0].landmarks + 0.001)
    others = {
        hash_faces(records, "dataset"),
        hash_faces(records[::-1], "gt"),
        hash_faces([moved, *records[1:]], "gt"),
        hash_faces([replace(records[0], name="other"), *records[1:]], "gt"),
    }
    assert len(others | {digest}) == 5
