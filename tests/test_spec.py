"""A model and its description are stored together, or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.detection.detector import bundled_detector
from distill.errors import CheckpointError
from distill.geometry import CropSpec
from distill.spec import ModelSpec, read_sidecar, sidecar_path, write_sidecar

_SPEC = ModelSpec("mobilevit_v2_050", "inner51", 51, CropSpec(128, 1.3, 0.05), {"width": 0.5})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "student_fp32.tflite"
    path.write_bytes(b"TFL3")
    write_sidecar(path, _SPEC)
    return path


def test_round_trip(model: Path) -> None:
    assert read_sidecar(model) == _SPEC
    assert ModelSpec.from_dict(json.loads(json.dumps(_SPEC.to_dict()))) == _SPEC
    assert sidecar_path(model) == model.with_name("student_fp32.json")
    fitted = replace(_SPEC, detected=CropSpec(128, 0.9, -0.2))
    write_sidecar(model, fitted)
    assert read_sidecar(model) == fitted
    assert (fitted.detected_crop, _SPEC.detected_crop) == (fitted.detected, _SPEC.crop)


def test_files_of_before_detected_boxes_were_measured_are_read(model: Path) -> None:
    raw = json.loads(sidecar_path(model).read_text())
    del raw["spec"]["detected"]
    sidecar_path(model).write_text(json.dumps(raw))
    assert read_sidecar(model) == _SPEC


def test_another_model_under_the_same_name_is_refused(model: Path) -> None:
    model.write_bytes(b"TFL4")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        read_sidecar(model)


def test_missing_files_are_named(model: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.tflite: no such model"):
        read_sidecar(model.with_name("none.tflite"))
    sidecar_path(model).unlink()
    with pytest.raises(CheckpointError, match=r"student_fp32\.json: missing"):
        read_sidecar(model)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: "<html>",
        lambda raw: json.dumps([raw]),
        lambda raw: json.dumps({**raw, "format": "distill-model/9"}),
        lambda raw: json.dumps({**raw, "spec": {**raw["spec"], "crop": {"size": 0}}}),
        lambda raw: json.dumps({**raw, "spec": {}}),
        lambda raw: json.dumps({**raw, "spec": {**raw["spec"], "crop": {"sice": 1}}}),
        lambda raw: json.dumps({**raw, "spec": {**raw["spec"], "extra": 1}}),
        lambda raw: json.dumps({"spec": raw["spec"]}),
    ],
)
def test_a_broken_sidecar_is_one_line(model: Path, change: object) -> None:
    path = sidecar_path(model)
    path.write_text(change(json.loads(path.read_text())))  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=r"student_fp32\.json") as caught:
        read_sidecar(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"n_points": 52},
        {"crop": {"size": 100_000}},
        {"crop": {"size": 64.5}},
        {"options": [1]},
        {"options": {"width": 10**7}},
        {"options": {"width": float("inf")}},
        {"options": {"values": [1] * 60_000}},
        {"arch": 7},
        {"scheme": "/etc/passwd"},
        {"unknown": 1},
    ],
)
def test_a_description_beyond_any_network_is_refused(model: Path, change: dict[str, Any]) -> None:
    """Whoever writes the file decides what it says, and a network of that size would be made."""
    raw = json.loads(sidecar_path(model).read_text())
    sidecar_path(model).write_text(json.dumps({**raw, "spec": {**raw["spec"], **change}}))
    with pytest.raises(CheckpointError, match="not a model description") as caught:
        read_sidecar(model)
    assert len(str(caught.value)) < 500


def test_a_detector_is_told_from_a_landmark_model() -> None:
    with pytest.raises(CheckpointError, match=r"retinaface.*: a face detector; give it as --detector"):
        read_sidecar(bundled_detector())


def test_a_description_of_many_levels_is_refused(model: Path) -> None:
    sidecar_path(model).write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="not a model description"):
        read_sidecar(model)
