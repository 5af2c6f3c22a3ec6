import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from distill.bench.memory import try_openvino
from distill.bench.openvino_engine import load_openvino, openvino_name
from distill.bench.runners import tflite_outputs
from distill.errors import CheckpointError, ConfigError
from distill.tflite.serialization import read_model
from tests.support.fake_openvino import FakeOpenVino
from tests.support.split_model import halves
from tests.support.tiny_models import write_tiny_tflite

REAL = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
ERROR = """Exception from src/inference/src/cpp/core.cpp:84:
Check 'axis_ps.rank().compatible(0)' failed at src/core/shape_inference/include/split_shape_inference.hpp:36:
While validating node 'opset1::Split Split_23008' with friendly_name 'Split_23008':
'axis' input must be a scalar. Got: [1]

"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tflite(tmp_path_factory.mktemp("openvino") / "tiny.tflite")


def test_without_openvino_one_line_says_what_to_install(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match="OpenVINO is not installed; run `pip install openvino`"):
        load_openvino(tiny)
    with pytest.raises(CheckpointError, match="OpenVINO is not installed"):
        _try_without_openvino(tiny, monkeypatch)


def _try_without_openvino(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try a file in a child process that finds no OpenVINO, also where it is installed."""
    hidden = path.parent / "hidden"
    hidden.mkdir(exist_ok=True)
    (hidden / "openvino.py").write_text("raise ImportError('no module')")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    try_openvino(path)


@pytest.mark.parametrize("open_batch", [False, True])
def test_a_file_is_compiled_for_one_request_at_a_time(
    tiny: Path, open_batch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeOpenVino(open_batch=open_batch)
    monkeypatch.setitem(sys.modules, "openvino", fake)
    loaded = load_openvino(tiny, threads=3)
    loaded.call()
    for found, expected in zip(loaded.outputs, tflite_outputs(tiny), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert np.ptp(loaded.outputs[0]) > 0
    [settings] = fake.settings
    assert settings["INFERENCE_NUM_THREADS"] == 3
    assert settings["INFERENCE_PRECISION_HINT"] == "f32"
    assert openvino_name() == "OpenVINO 2026.4.1"


def test_the_cause_of_a_refusal_is_shown_without_places_in_openvino(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", FakeOpenVino(refused=ERROR))
    with pytest.raises(CheckpointError, match=r"OpenVINO cannot run it \('axis' input must be a scalar. Got: \[1\]\)"):
        load_openvino(tiny)


def test_the_axis_of_a_split_is_a_scalar_in_what_openvino_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files exported before, the released ones among them, have a vector there, which OpenVINO refuses."""
    fake = FakeOpenVino()
    monkeypatch.setitem(sys.modules, "openvino", fake)
    path = tmp_path / "halves.tflite"
    path.write_bytes(halves())
    load_openvino(path)
    (read,) = fake.read
    axis = read_model(read).operators[0].inputs[0]
    assert axis is not None
    assert axis.shape == ()


@REAL
def test_openvino_returns_the_points_of_litert(tiny: Path) -> None:
    try_openvino(tiny)
    loaded = load_openvino(tiny)
    for found, expected in zip(loaded.outputs, tflite_outputs(tiny), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@REAL
def test_a_damaged_file_is_one_line(tiny: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(tiny.read_bytes()[:400])
    with pytest.raises(CheckpointError, match=r"damaged\.tflite: "):
        try_openvino(damaged)
