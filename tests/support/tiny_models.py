"""A TFLite model of a few bytes with a known output, for tests of what runs models.

`tiny_points.tflite` was converted by TensorFlow 2.19.1, which takes eight seconds, from this function:

    base = tf.constant(base_points())

    @tf.function(input_signature=[tf.TensorSpec((1, 64, 64, 3), tf.float32)])
    def net(image):
        return base[None] + 0.1 * tf.reshape(tf.reduce_mean(image, axis=[1, 2, 3]), (1, 1, 1))
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.geometry import CropSpec
from distill.spec import ModelSpec, write_sidecar
from distill.tflite.builder import constant, integers
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Model, Operator, SubGraph, Tensor
from distill.tflite.serialization import write_model

SIZE, POINTS = 64, 51
GAIN = 0.1
_MODEL = Path(__file__).with_name("tiny_points.tflite")


def base_points() -> NDArray[np.float32]:
    """What the model predicts for a black crop, (51, 2); it adds GAIN times the mean of the crop."""
    return np.random.default_rng(7).uniform(0.2, 0.7, (POINTS, 2)).astype(np.float32)


def write_tiny_tflite(path: Path, scheme: str = "inner51", n_points: int = POINTS) -> Path:
    """Write the model and its sidecar."""
    path.write_bytes(_MODEL.read_bytes())
    write_sidecar(path, ModelSpec("tiny", scheme, n_points, CropSpec(SIZE, 1.25)))
    return path


def write_batched_tflite(path: Path, batch: int) -> Path:
    """Write a model that does the same with each crop of a batch of fixed size, and its sidecar."""
    image = Tensor("FLOAT32", (batch, SIZE, SIZE, 3), "image")
    means = Tensor("FLOAT32", (batch, 1, 1, 1), "means")
    flat = Tensor("FLOAT32", (batch, 1, 1), "flat")
    shifts = Tensor("FLOAT32", (batch, 1, 1), "shifts")
    points = Tensor("FLOAT32", (batch, POINTS, 2), "points")
    base = constant("FLOAT32", (1, POINTS, 2), base_points().ravel())
    nodes = [
        Operator("MEAN", [image, integers(1, 2, 3)], [means], Table("ReducerOptions", {"keep_dims": True})),
        Operator("RESHAPE", [means, integers(batch, 1, 1)], [flat]),
        Operator("MUL", [flat, constant("FLOAT32", (1,), [GAIN])], [shifts]),
        Operator("ADD", [shifts, base], [points]),
    ]
    path.write_bytes(write_model(Model([SubGraph([image], [points], nodes)])))
    write_sidecar(path, ModelSpec("tiny", "inner51", POINTS, CropSpec(SIZE, 1.25)), batch)
    return path
