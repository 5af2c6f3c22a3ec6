"""Descriptions of detector files: round trip, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.detection.retinaface.priors import AnchorConfig
from distill.detection.retinaface.sidecar import (
    DetectorFileSpec,
    is_detector_file,
    read_detector_sidecar,
    write_detector_sidecar,
)
from distill.errors import CheckpointError, ConfigError

SPEC = DetectorFileSpec(AnchorConfig((8,), ((10.0, 20.0),)), 320, 0.4, tuple((0.5,) * 4 for _ in range(12)))


def test_round_trip(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(b"weights")
    write_detector_sidecar(model, SPEC)
    assert read_detector_sidecar(model) == SPEC


def test_a_file_with_decoding_has_a_format_that_readers_of_maps_refuse(tmp_path: Path) -> None:
    model, decoded = tmp_path / "net.tflite", replace(SPEC, decoded=True)
    model.write_bytes(b"weights")
    write_detector_sidecar(model, SPEC)
    assert "decoded" not in sidecar(model)["detector"], "the description of a file with maps is as it was"
    write_detector_sidecar(model, decoded)
    assert (sidecar(model)["format"], sidecar(model)["detector"]["decoded"]) == ("distill-detector/2", True)
    assert read_detector_sidecar(model) == decoded
    assert is_detector_file(model)
    assert (SPEC.fixed_side, decoded.fixed_side) == (None, 320)


def sidecar(model: Path) -> Any:
    return json.loads(model.with_suffix(".json").read_text())


def test_another_file_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(b"weights")
    with pytest.raises(CheckpointError, match=r"net\.json: missing"):
        read_detector_sidecar(model)
    write_detector_sidecar(model, SPEC)
    model.write_bytes(b"others")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        read_detector_sidecar(model)
    (tmp_path / "net.json").write_text(json.dumps({"format": "distill-model/1"}))
    with pytest.raises(CheckpointError, match="a landmark model; give it as --model"):
        read_detector_sidecar(model)


@pytest.mark.parametrize(
    "values", [{"size": 300}, {"size": 128, "decoded": True}, {"min_score": 1.5}, {"to_box": ((1.0,) * 4,)}]
)
def test_values_out_of_range(values: dict) -> None:
    with pytest.raises(ConfigError, match="detector: "):
        DetectorFileSpec(**values)
