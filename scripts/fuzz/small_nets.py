"""Small networks as TensorFlow's converter writes them: `python -m scripts.fuzz.small_nets FOLDER`.

One TFLite file per network and kind of quantisation. A program of its own because tensorflow is heavy.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import numpy as np
import tensorflow as tf

MAP, ROWS = (1, 8, 8, 4), (1, 6, 4)
RNG = np.random.default_rng(0)


def weights(*shape: int) -> Any:
    return tf.constant(RNG.normal(size=shape).astype(np.float32))


CONV, DEPTH, DENSE, BIAS = weights(3, 3, 4, 8), weights(3, 3, 4, 1), weights(4, 8), weights(8)
NETS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "conv": (lambda x: tf.nn.conv2d(x, CONV, 1, "SAME") + BIAS, MAP),
    "conv stride relu": (lambda x: tf.nn.relu(tf.nn.conv2d(x, CONV, 2, "SAME") + BIAS), MAP),
    "grouped conv": (lambda x: tf.nn.conv2d(x, CONV[:, :, :2], 1, "SAME") + BIAS, MAP),
    "depthwise": (lambda x: tf.nn.depthwise_conv2d(x, DEPTH, [1, 1, 1, 1], "SAME"), MAP),
    "dilated": (lambda x: tf.nn.conv2d(x, CONV, 1, "SAME", dilations=2), MAP),
    "deconv": (lambda x: tf.nn.conv2d_transpose(x, weights(3, 3, 8, 4), (1, 16, 16, 8), 2), MAP),
    "deconv relu": (lambda x: tf.nn.relu(tf.nn.conv2d_transpose(x, weights(3, 3, 8, 4), (1, 16, 16, 8), 2)), MAP),
    "dense": (lambda x: tf.matmul(tf.reshape(x, (6, 4)), DENSE) + BIAS, ROWS),
    "dense wide": (lambda x: tf.matmul(tf.reshape(x, (1, 256)), weights(256, 64)), MAP),
    "matmul": (lambda x: tf.matmul(x, x, transpose_b=True), ROWS),
    "softmax": (lambda x: tf.nn.softmax(x), ROWS),
    "sigmoid": (tf.math.sigmoid, MAP),
    "tanh": (tf.math.tanh, MAP),
    "relu6": (tf.nn.relu6, MAP),
    "hard swish": (lambda x: x * tf.nn.relu6(x + 3) / 6, MAP),
    "gelu": (lambda x: tf.nn.gelu(x, approximate=True), MAP),
    "leaky relu": (lambda x: tf.nn.leaky_relu(x, 0.1), MAP),
    "elu": (tf.nn.elu, MAP),
    "average pool": (lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), MAP),
    "max pool": (lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), MAP),
    "mean": (lambda x: tf.reduce_mean(x, (1, 2)), MAP),
    "sum": (lambda x: tf.reduce_sum(x, -1), MAP),
    "reduce max": (lambda x: tf.reduce_max(x, -1), MAP),
    "norm": (lambda x: (x - tf.reduce_mean(x, -1, keepdims=True)) * tf.math.rsqrt(tf.reduce_mean(x * x) + 1), MAP),
    "resize bilinear": (lambda x: tf.image.resize(x, (16, 16)), MAP),
    "resize nearest": (lambda x: tf.image.resize(x, (16, 16), "nearest"), MAP),
    "unfold": (lambda x: tf.transpose(tf.reshape(x, (1, 4, 2, 4, 2, 4)), (0, 2, 4, 1, 3, 5)), MAP),
    "transpose": (lambda x: tf.transpose(x, (0, 3, 1, 2)), MAP),
    "transpose 5": (lambda x: tf.transpose(tf.reshape(x, (1, 4, 2, 8, 4)), (4, 3, 2, 1, 0)), MAP),
    "pad": (lambda x: tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), MAP),
    "mirror pad": (lambda x: tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT"), MAP),
    "slice": (lambda x: x[:, 1:5, ::2] + 1, MAP),
    "concat split": (lambda x: tf.concat(tf.split(x, 2, -1)[::-1], -1), MAP),
    "stack unstack": (lambda x: tf.stack(tf.unstack(x, axis=1)[::-1], 1), MAP),
    "gather": (lambda x: tf.gather(x, [1, 0, 3], axis=1), MAP),
    "arg max": (lambda x: tf.argmax(x, -1, tf.int32), MAP),
    "top k": (lambda x: tf.math.top_k(x, 2).values, MAP),
    "where": (lambda x: tf.where(x > 0.5, x, 1 - x), MAP),
    "broadcast": (lambda x: x - tf.broadcast_to(tf.reduce_min(x, (1, 2), keepdims=True), MAP), MAP),
    "broadcast 5": (lambda x: tf.reshape(x, (1, 2, 4, 8, 4)) * weights(1, 2, 1, 8, 1), MAP),
    "exp log": (lambda x: tf.math.log(tf.exp(x) + 1), MAP),
    "sqrt abs": (lambda x: tf.sqrt(tf.abs(x)), MAP),
    "space to depth": (lambda x: tf.nn.depth_to_space(tf.nn.space_to_depth(x, 2), 2), MAP),
    "power": (lambda x: tf.pow(x, 2.5) / 3, MAP),
    "squared difference": (lambda x: tf.math.squared_difference(x, tf.reverse(x, [1])), MAP),
    "minimum maximum": (lambda x: tf.minimum(tf.maximum(x, 0.2), 0.8), MAP),
    "tile": (lambda x: tf.tile(x, (1, 2, 1, 1)), MAP),
    "cumsum": (lambda x: tf.cumsum(x, 1), MAP),
    "one hot": (lambda x: tf.one_hot(tf.cast(x[0, 0], tf.int32), 5), MAP),
    "sign": (tf.sign, MAP),
    "int32 abs": (lambda x: tf.abs(tf.cast(x * 9, tf.int32)), MAP),
    "erf": (tf.math.erf, MAP),
}  # fmt: skip
INT8, INT16 = (
    tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
    tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
)


def samples(shape: tuple[int, ...]) -> Callable[[], Iterator[list[Any]]]:
    return lambda: ([np.random.default_rng(seed).random(shape, np.float32)] for seed in range(4))


def convert(net: Callable[[Any], Any], shape: tuple[int, ...], kind: str) -> bytes:
    """Return a network as TFLite: fp32, fp16, dynamic (TensorFlow's default), int8 or int16x8."""
    function = tf.function(net).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    if kind != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16x8"):
        converter.representative_dataset = samples(shape)
        converter.target_spec.supported_ops = [INT8 if kind == "int8" else INT16, tf.lite.OpsSet.TFLITE_BUILTINS]
    return bytes(converter.convert())


def main(folder: Path, names: list[str], kinds: list[str]) -> None:
    for name in names or NETS:
        for kind in kinds:
            try:
                content = convert(*NETS[name], kind)
            except Exception as error:  # noqa: BLE001  a net the converter itself refuses in a kind is left out
                print(f"{name} {kind}: not converted ({type(error).__name__})")
                continue
            (folder / f"{name.replace(' ', '-')}_{kind}.tflite").write_bytes(content)


if __name__ == "__main__":
    chosen = sys.argv[2].split(",") if len(sys.argv) > 2 else ["fp32", "fp16", "dynamic", "int8", "int16x8"]
    main(Path(sys.argv[1]), sys.argv[3:], chosen)
