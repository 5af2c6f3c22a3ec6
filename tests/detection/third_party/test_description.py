"""Descriptions of third-party files: optional, and of their own format."""

from pathlib import Path

import pytest

from distill.detection.detector import bundled_detector
from distill.detection.retinaface.sidecar import is_detector_file
from distill.detection.third_party.description import (
    ThirdPartySpec,
    is_third_party,
    read_third_party_spec,
    write_third_party_spec,
)
from distill.errors import CheckpointError, ConfigError

SPEC = ThirdPartySpec(0.4, ((1.0, 2.0, 3.0, 4.0),) * 12)


def test_a_file_needs_no_description(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    assert not is_third_party(model)
    model.write_bytes(b"weights")
    assert is_third_party(model)
    assert not is_detector_file(model)
    assert read_third_party_spec(model).table is None
    assert not is_third_party(bundled_detector())


def test_round_trip(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(b"weights")
    write_third_party_spec(model, SPEC)
    assert read_third_party_spec(model) == SPEC
    assert is_third_party(model)
    assert is_detector_file(model)
    model.write_bytes(b"other weights")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        read_third_party_spec(model)


def test_values_that_no_detector_has() -> None:
    with pytest.raises(ConfigError, match="min_score"):
        ThirdPartySpec(1.5)
    with pytest.raises(ConfigError, match="to_box"):
        ThirdPartySpec(to_box=((1.0,),))
