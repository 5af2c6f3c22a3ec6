import json
from pathlib import Path

import pytest

from distill.errors import CheckpointError
from distill.files import sha256
from distill.tflite.integrity import expected_hash, has_landmark_sidecar, read_verified, refusal


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"anything")
    path.with_suffix(".json").write_text(json.dumps({"format": "distill-model/1", "sha256": sha256(path)}))
    return path


def test_a_changed_file_is_refused_and_the_sidecar_named(model: Path) -> None:
    assert refusal(model) is None
    assert read_verified(model) == b"anything"
    model.write_bytes(b"anythinG")
    assert "SHA-256 differs from net.json" in str(refusal(model))
    with pytest.raises(CheckpointError, match=r"net\.tflite: SHA-256 differs"):
        read_verified(model)


def test_a_hash_given_by_the_user_counts_whatever_lies_beside_the_file(model: Path) -> None:
    assert refusal(model, sha256(model).upper()) is None
    assert "the one given" in str(refusal(model, "0" * 64))


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": "someone-else"}', "[" * 100_000])
def test_json_of_other_programs_is_no_sidecar(model: Path, text: str) -> None:
    model.with_suffix(".json").write_text(text)
    assert expected_hash(model) is None
    assert refusal(model) is None


@pytest.mark.parametrize(("format", "landmarks"), [("distill-model/1", True), ("distill-detector/1", False)])
def test_sidecars_of_both_kinds_of_network_state_a_hash(model: Path, format: str, landmarks: bool) -> None:
    """`bench` opens a detector as any other file, and compares it with its sidecar nevertheless."""
    model.with_suffix(".json").write_text(json.dumps({"format": format, "sha256": "0" * 64}))
    assert has_landmark_sidecar(model) == landmarks
    assert "SHA-256 differs from net.json" in str(refusal(model))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Opening a folder or a pipe would raise or block."""
    for path in (tmp_path / "absent.tflite", Path("/dev/zero")):
        assert "no such file" in str(refusal(path))
        with pytest.raises(CheckpointError, match="distill export"):
            read_verified(path)
    assert "a folder, not a model" in str(refusal(tmp_path))
