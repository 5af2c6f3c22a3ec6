"""A TFLite model of a few bytes with a known answer, for tests of what runs models."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from distill.geometry import CropSpec
from distill.spec import ModelSpec, write_sidecar

SIZE, POINTS = 64, 51
GAIN = 0.1
# TensorFlow stays out of the test process: it takes seconds and threads.
_BUILD = """
import sys, numpy as np, tensorflow as tf
base = tf.constant(np.load(sys.argv[1]))
@tf.function(input_signature=[tf.TensorSpec((1, 64, 64, 3), tf.float32)])
def net(image):
    return base[None] + 0.1 * tf.reshape(tf.reduce_mean(image, axis=[1, 2, 3]), (1, 1, 1))
module = tf.Module()
converter = tf.lite.TFLiteConverter.from_concrete_functions([net.get_concrete_function()], module)
open(sys.argv[2], 'wb').write(converter.convert())
"""


def base_points() -> NDArray[np.float32]:
    """What the model answers for a black crop, (51, 2); it adds GAIN times the mean of the crop."""
    return np.random.default_rng(7).uniform(0.2, 0.7, (POINTS, 2)).astype(np.float32)


@cache
def _content() -> bytes:
    folder = Path(mkdtemp())
    np.save(folder / "base.npy", base_points())
    target = folder / "tiny.tflite"
    command = [sys.executable, "-c", _BUILD, str(folder / "base.npy"), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target.read_bytes()


def write_tiny_tflite(path: Path, scheme: str = "inner51", n_points: int = POINTS) -> Path:
    """Write the model and its sidecar."""
    path.write_bytes(_content())
    write_sidecar(path, ModelSpec("tiny", scheme, n_points, CropSpec(SIZE, 1.25)))
    return path
