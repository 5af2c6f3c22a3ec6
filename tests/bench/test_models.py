from pathlib import Path

import pytest

from distill.bench.latency import compare
from distill.bench.models import checked_path, load_call, open_model
from distill.bench.onnx_graph import onnx_complexity
from distill.bench.stages import bench_photo, photo_calls
from distill.detection.detector import bundled_detector
from distill.errors import CheckpointError
from distill.geometry import CropSpec
from distill.models import create_model
from distill.models.checkpoint import save_model
from distill.spec import ModelSpec, write_sidecar
from tests.support.tiny_models import write_tiny_tflite

POINTS = 51


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    arch, scheme = "mobilevit_v2_050", "inner51"
    save_model(path, create_model(arch, scheme), ModelSpec(arch, scheme, POINTS, CropSpec(size=64)))
    return path


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions (one transposed) and a product with an open batch."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    values = {"w": (4, 3, 3, 3), "t": (4, 2, 2, 2), "m": (16, 5)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["a", "t"], ["b"], strides=[2, 2]),
        helper.make_node("MatMul", ["b", "m"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2, 16, 5])],
        [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), str(path))
    return path


def test_onnx_is_counted_by_hand(onnx_file: Path) -> None:
    cost, nodes = onnx_complexity(onnx_file)
    assert nodes == 3
    assert cost.parameters == 4 * 27 + 4 * 2 * 4 + 16 * 5
    assert cost.macs == 8 * 8 * 4 * 27 + 8 * 8 * 4 * 2 * 4 + 2 * 16 * 16 * 5


def test_all_kinds_are_timed_side_by_side(small: Path, weights: Path, onnx_file: Path) -> None:
    models = [open_model(path, path.name) for path in (small, weights, onnx_file)]
    assert [model.engine for model in models] == ["LiteRT", "PyTorch", "ONNX Runtime"]
    assert [model.input for model in models] == ["16x16x8 float32", "3x64x64 float32", "3x16x16 float32"]
    timings = compare({model.name: model.load(1) for model in models}, rounds=5, warmup=1)
    assert all(timing.median_ms > 0 for timing in timings.values())


@pytest.mark.parametrize("kind", ["small", "weights", "onnx_file"])
def test_any_file_becomes_a_call(kind: str, request: pytest.FixtureRequest) -> None:
    load_call(request.getfixturevalue(kind), 1)()


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such model file"):
        open_model(tmp_path / "net.tflite", "net")
    other = tmp_path / "net.pb"
    other.write_bytes(b"1")
    with pytest.raises(CheckpointError, match=r"unknown model format '\.pb'"):
        open_model(other, "net")


@pytest.mark.parametrize("change", ["content", "list"])
def test_a_changed_file_is_not_timed(change: str, tmp_path: Path) -> None:
    """Three flipped bytes run as before, and their times would be those of another file."""
    path = write_tiny_tflite(tmp_path / "tiny.tflite")
    open_model(path, "tiny")
    if change == "content":
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    else:
        (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  tiny.tflite\n")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        checked_path(path)


def test_a_file_of_another_shape_than_its_sidecar_says_is_not_timed(tmp_path: Path) -> None:
    path = write_tiny_tflite(tmp_path / "tiny.tflite")
    write_sidecar(path, ModelSpec("tiny", "inner51", 51, CropSpec(32)))
    with pytest.raises(CheckpointError, match="its sidecar says 32 px"):
        open_model(path, "tiny")


def test_a_detector_with_its_sidecar_is_timed_without_the_stages_of_landmarks() -> None:
    """Its sidecar describes boxes, and was read as that of a landmark network."""
    timed = open_model(bundled_detector(), "detector")
    calls, _ = photo_calls([timed], bench_photo(None)[0], 1)
    assert ("detector", "photo") not in calls
