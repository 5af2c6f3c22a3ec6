"""Every way to store the weights is the same to run_model.py, as long as float32 goes in and comes out."""

from pathlib import Path

import numpy as np
import pytest

from distill.errors import SubmissionError
from distill.geometry import CropSpec
from distill.inference.landmarker import Landmarker
from distill.spec import ModelSpec, write_sidecar
from distill.submission.build import build_submission
from distill.submission.contest_rules import load_contest
from distill.submission.package_runtime import package_runtime
from distill.submission.run_model import attempt
from tests.submission.conftest import RULES
from tests.support.environments import run_tensorflow

KINDS = ("fp32", "fp16", "dynamic", "int8", "int16x8", "int8_door")
# Average colour of 8 x 8 blocks -> a dense layer that a quantiser has something to do with.
BUILD = """
import sys, numpy as np, tensorflow as tf
random = np.random.default_rng(0)
weights = tf.constant(random.normal(0, 0.02, (192, 102)).astype(np.float32))
bias = tf.constant(random.uniform(0.2, 0.7, 102).astype(np.float32))
@tf.function(input_signature=[tf.TensorSpec((1, 64, 64, 3), tf.float32)])
def net(image):
    cells = tf.nn.avg_pool2d(image, 8, 8, "VALID")
    return tf.reshape(tf.matmul(tf.reshape(cells, (1, 192)), weights) + bias, (1, 51, 2))
cells = [random.uniform(0, 1, (1, 8, 8, 3)).astype(np.float32) for _ in range(8)]
crops = [cell.repeat(8, 1).repeat(8, 2) for cell in cells]
integers = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
mixed = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
for kind in sys.argv[2:]:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.get_concrete_function()], tf.Module())
    if kind != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "dynamic":
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if kind.startswith("int"):
        converter.representative_dataset = lambda: ([crop] for crop in crops)
        converter.target_spec.supported_ops = [mixed if kind == "int16x8" else integers]
    if kind == "int8_door":
        converter.inference_input_type = tf.int8
    open(f"{sys.argv[1]}/{kind}.tflite", "wb").write(converter.convert())
"""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    run_tensorflow(BUILD, str(folder), *KINDS)
    for kind in KINDS:
        write_sidecar(folder / f"{kind}.tflite", ModelSpec("dense", "inner51", 51, CropSpec(64, 1.25)))
    return folder


@pytest.mark.parametrize(("kind", "share"), [("fp16", 0.001), ("dynamic", 0.02), ("int16x8", 0.01), ("int8", 0.02)])
def test_quantised_models_run(kinds: Path, sample_folder: Path, kind: str, share: float) -> None:
    """As `run_model.py` runs them: the same faces, moved by no more than a share of the crop's 250 px."""
    contest, photo = load_contest(RULES), sample_folder / "several.png"
    floating, quantized = (attempt(photo, Landmarker(kinds / f"{name}.tflite"), contest) for name in ("fp32", kind))
    assert quantized.complaint is None
    assert len(quantized.faces) == len(floating.faces) == 3
    moved = np.abs(np.array(quantized.faces) - np.array(floating.faces))
    assert 0 < moved.max() < share * 250


def test_the_package_s_runtime_is_used_where_it_is_requested(kinds: Path) -> None:
    """Integer kernels of two releases differ by pixels: a dry run compares within one release."""
    pytest.importorskip("tflite_runtime")
    with package_runtime():
        old = Landmarker(kinds / "int8.tflite")
    new = Landmarker(kinds / "int8.tflite")
    names = [type(landmarker._model._net._interpreter).__module__ for landmarker in (old, new)]
    assert names == ["tflite_runtime.interpreter", "ai_edge_litert.interpreter"]


def test_an_integer_door_is_refused(kinds: Path, tmp_path: Path) -> None:
    """run_model.py feeds float32; a file that wants int8 would die on its first photo."""
    with pytest.raises(SubmissionError, match=r"inputs and outputs are \[\('INT8'") as caught:
        build_submission(kinds / "int8_door.tflite", tmp_path / "s.zip", RULES, [tmp_path], {})
    assert "\n" not in str(caught.value)
