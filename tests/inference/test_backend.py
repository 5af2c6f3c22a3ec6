"""Every format of model file gives the same points, and what is no model is refused in one line."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from distill.errors import CheckpointError, ImageError, first_line
from distill.geometry import CropSpec
from distill.inference.backend import Backend
from distill.inference.exported import OnnxBackend, TFLiteBackend
from distill.inference.flip import predict_with_flip
from distill.inference.load import open_backend
from distill.landmarks import load_scheme
from distill.models.checkpoint import read_weights
from distill.spec import ModelSpec, write_sidecar
from tests.support.tiny_models import GAIN, SIZE, base_points, write_batched_tflite

SPEC = ModelSpec("mean_colour", "five", 5, CropSpec(8))


def _onnx(path: Path, spec: ModelSpec = SPEC, batch: int = 1) -> Path:
    """A net that puts all five points at (mean red, mean green)."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["mean", "first", "last", "axis"], ["two"]),
        helper.make_node("Reshape", ["two", "shape"], ["point"]),
        helper.make_node("Tile", ["point", "repeats"], ["points"]),
    ]
    constants = {"first": [0], "last": [2], "axis": [1], "shape": [batch, 1, 2], "repeats": [1, 5, 1]}
    initial = [numpy_helper.from_array(np.array(v, np.int64), name) for name, v in constants.items()]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 8, 8, 3])],
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, [batch, 5, 2])], initial,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    write_sidecar(path, spec, batch)
    return path


def _crops() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


def test_onnx_scales_pixels_to_one_and_keeps_the_order(tmp_path: Path) -> None:
    backend = open_backend(_onnx(tmp_path / "m.onnx"))
    assert isinstance(backend, OnnxBackend)
    assert (backend.spec, backend.runtime.split()[0], len(backend.sha256)) == (SPEC, "onnxruntime", 64)
    crops = _crops()
    expected = crops.mean((1, 2))[:, None, :2] / 255
    np.testing.assert_allclose(backend(crops), np.repeat(expected, 5, 1), atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8])
def test_files_of_a_fixed_batch_run_any_number_of_crops(tmp_path: Path, count: int) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    files = [_onnx(tmp_path / f"{batch}.onnx", batch=batch) for batch in (1, 4)]
    single, batched = (open_backend(path) for path in files)
    assert (single.batch, batched.batch) == (1, 4)
    np.testing.assert_allclose(batched(crops), single(crops), atol=1e-6)
    images = np.random.default_rng(2).random((count, SIZE, SIZE, 3), np.float32)
    tflite = open_backend(write_batched_tflite(tmp_path / "4.tflite", 4))
    assert tflite.batch == 4
    expected = base_points() + GAIN * images.mean((1, 2, 3))[:, None, None]
    np.testing.assert_allclose(tflite(images), expected, atol=1e-5)


def test_the_description_states_a_batch_above_one_only(tmp_path: Path) -> None:
    for batch in (1, 4):
        content = json.loads(_onnx(tmp_path / f"{batch}.onnx", batch=batch).with_suffix(".json").read_text())
        assert content.get("batch") == (None if batch == 1 else batch)


@pytest.mark.parametrize("shape", [(8, 8, 3), (2, 9, 8, 3), (2, 3, 8, 8), (2, 8, 8, 4), (0, 8, 8, 3)])
def test_crops_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    backend = open_backend(_onnx(tmp_path / "m.onnx"))
    with pytest.raises(ImageError, match=re.escape(f"crops of shape {shape}: this model takes (n, 8, 8, 3)")):
        backend(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("crops", "message"),
    [
        (_crops().astype(np.int32), "crops of int32"),
        (_crops().astype(np.uint16), "crops of uint16"),
        (_crops() > 128, "crops of bool"),
        (_crops().astype(np.float32), "crops of floats from 0 to 255"),
        (_crops() / 255 * 2 - 1, "crops of floats from -1 to 1"),
        (np.full((1, 8, 8, 3), np.nan, np.float32), "crops of floats from nan to nan"),
    ],
)
def test_crops_of_other_values_are_refused(tmp_path: Path, crops: NDArray[np.generic], message: str) -> None:
    """They gave NaN or points anywhere."""
    with pytest.raises(ImageError, match=rf"^{message}: give uint8, or floats in \[0, 1\]$"):
        open_backend(_onnx(tmp_path / "m.onnx"))(crops)


def test_what_is_no_array_of_crops_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"list is no array of crops; give one \(n, 8, 8, 3\)"):
        open_backend(_onnx(tmp_path / "m.onnx"))(list(_crops()))


def test_crops_of_floats_of_any_width_are_the_same_crops(tmp_path: Path) -> None:
    """Also those that interpolation has moved slightly out of [0, 1]; float64 was an error of the runtime."""
    backend = open_backend(_onnx(tmp_path / "m.onnx"))
    for dtype in (np.float64, np.float32, np.float16):
        crops = (_crops() / 255 * 1.0005).astype(dtype)
        np.testing.assert_allclose(backend(crops), backend(_crops()), atol=1e-3)


def test_a_run_in_place_of_its_weights_names_them(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a folder; give a model file in it"):
        open_backend(tmp_path)
    (tmp_path / "best.ckpt").touch()
    for load in (open_backend, read_weights):
        with pytest.raises(CheckpointError, match=re.escape(f"a folder; give its {tmp_path / 'best.ckpt'}")):
            load(tmp_path)


def test_tflite_equals_onnx(tmp_path: Path) -> None:
    """`mean_colour.tflite` was converted from this TensorFlow function of an image (1, 8, 8, 3):

    tf.tile(tf.reshape(tf.reduce_mean(image, [1, 2])[:, :2], [1, 1, 2]), [1, 5, 1])
    """
    path = tmp_path / "n.tflite"
    path.write_bytes((Path(__file__).parents[1] / "support" / "mean_colour.tflite").read_bytes())
    write_sidecar(path, SPEC)
    backend = open_backend(path)
    assert isinstance(backend, TFLiteBackend)
    assert backend.runtime.startswith(("ai-edge-litert ", "tflite-runtime "))
    np.testing.assert_allclose(backend(_crops()), open_backend(_onnx(tmp_path / "m.onnx"))(_crops()), atol=1e-6)


def test_a_sidecar_that_promises_other_points_is_noticed(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "m.onnx", ModelSpec("x", "inner51", 51, CropSpec(8)))
    with pytest.raises(CheckpointError, match=r"it returns \(1, 5, 2\), its spec names 51 points"):
        open_backend(path)


def test_torch_checkpoint_gives_the_points_of_its_network(tmp_path: Path) -> None:
    import torch

    from distill.models import create_model
    from distill.models.checkpoint import save_model

    torch.manual_seed(0)
    net = create_model("mobilevit_v2_050", "five", pretrained=False).eval()
    save_model(tmp_path / "m.safetensors", net, ModelSpec("mobilevit_v2_050", "five", 5, CropSpec(64)))
    backend = open_backend(tmp_path / "m.safetensors")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = net(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255).landmarks.numpy()
    np.testing.assert_allclose(backend(crops), expected, atol=1e-5)
    points, confidence = backend.with_confidence(crops)
    np.testing.assert_array_equal(points, backend(crops))
    assert confidence.shape == (2, 5)
    assert backend.runtime.startswith("torch 2")


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors", ".onnx", ".tflite"])
def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"student{suffix}"
    contents = {
        "no such model file": None,
        "the file is empty": b"",
        "a web page, not a model": b"\n <!DOCTYPE html><html>Sign in</html>",
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00",
    }
    for expected, content in contents.items():
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CheckpointError, match=expected) as error:
            open_backend(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_noise_beside_a_valid_description_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"student{suffix}"
    path.write_bytes(bytes(range(7, 250)) * 5)
    with pytest.raises(CheckpointError, match=r"student\.json: missing"):
        open_backend(path)
    write_sidecar(path, SPEC)
    with pytest.raises(CheckpointError, match=r"not an ONNX model|not a TFLite file") as error:
        open_backend(path)
    assert "\n" not in str(error.value)


def test_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "m.pth").write_bytes(b"1234")
    with pytest.raises(CheckpointError, match=r"unknown model format '\.pth'; give one of \.ckpt, \.safetensors"):
        open_backend(tmp_path / "m.pth")


def test_flip_moves_points_back_to_their_side() -> None:
    """A model that finds the brightest pixel for the image-left eye, the darkest for the image-right one."""

    class Find(Backend):
        spec = SPEC
        runtime, sha256 = "none", "0"

        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            out = np.full((len(crops), 5, 2), 0.5, np.float32)
            for i, crop in enumerate(crops[..., 0].astype(int)):
                extremes = [np.unravel_index(f(crop), crop.shape) for f in (np.argmax, np.argmin)]
                left, right = sorted(extremes, key=lambda index: index[1])
                for point, (y, x) in enumerate((left, right)):
                    out[i, point] = (x + 0.5) / 8, (y + 0.5) / 8
            return out

    crop = np.full((1, 8, 8, 3), 100, np.uint8)
    crop[0, 2, 1], crop[0, 5, 6] = 255, 0
    backend = Find()
    np.testing.assert_allclose(predict_with_flip(backend, crop), backend(crop), atol=1e-6)
    assert load_scheme("five").flip[:2] == (1, 0)


def _with_input(path: Path, kind: int, shape: list[int]) -> Path:
    """A net that takes another type or layout of input and returns points all the same."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["constant"], ["points"]), helper.make_node("Identity", ["image"], ["rest"])],
        "g",
        [helper.make_tensor_value_info("image", kind, shape)],
        [
            helper.make_tensor_value_info("points", TensorProto.FLOAT, [1, 5, 2]),
            helper.make_tensor_value_info("rest", kind, shape),
        ],
        [numpy_helper.from_array(np.full((1, 5, 2), 0.5, np.float32), "constant")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    write_sidecar(path, SPEC)
    return path


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        (TensorProto.FLOAT16, [1, 8, 8, 3], r"takes tensor\(float16\)"),
        (TensorProto.UINT8, [1, 8, 8, 3], r"takes tensor\(uint8\)"),
        (TensorProto.FLOAT, [1, 3, 8, 8], r"its input is \(1, 3, 8, 8\)"),
    ],
)
def test_other_inputs_of_an_onnx_file_are_refused(tmp_path: Path, kind: int, shape: list[int], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_backend(_with_input(tmp_path / "m.onnx", kind, shape))


class _Interpreter:
    """A runtime whose model takes another type of input, or fails when it is run."""

    dtype: type = np.float32

    def __init__(self, model_path: str, num_threads: int) -> None:
        del model_path, num_threads

    def allocate_tensors(self) -> None: ...

    def get_input_details(self) -> list[dict[str, object]]:
        return [{"index": 0, "dtype": self.dtype, "shape": [1, 8, 8, 3]}]

    def get_output_details(self) -> list[dict[str, object]]:
        return [{"index": 1}]

    def set_tensor(self, index: int, value: NDArray[np.float32]) -> None: ...

    def invoke(self) -> None:
        raise RuntimeError("Node number 3 (CONCATENATION) failed to invoke.\nmore lines")


@pytest.mark.parametrize(
    ("dtype", "message"),
    [(np.uint8, "takes uint8 input"), (np.int8, "takes int8 input"), (np.float32, "cannot run it")],
)
def test_a_tflite_file_that_cannot_be_run_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type, message: str
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\0\0\0\0TFL3")
    write_sidecar(path, SPEC)
    monkeypatch.setattr(_Interpreter, "dtype", dtype)
    monkeypatch.setattr("distill.tflite.interpreter.interpreter_class", lambda: _Interpreter)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_backend(path)
    assert "\n" not in str(caught.value)


def test_the_reason_of_a_runtime_is_one_short_line() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError()"
    assert len(first_line(ValueError("x" * 5000))) < 210
