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
