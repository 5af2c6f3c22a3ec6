"""onnx2tf and TensorFlow's converter and quantizer as a program of their own, which takes jobs from its standard input.

Run by path: the parent has neither TensorFlow's threads nor its memory, and a crash of the converter ends this program
only. It takes several jobs because importing TensorFlow takes longer than most of them.
A job is a line of JSON that names the files to write; the answer is a line when they are there:

    {"onnx2tf": [ARGUMENTS]}
    {"saved_model": FOLDER, "inputs": FILE.npy, "dynamic": FILE, "calibrated": FILE, "int16x8": FILE}
    {"calibrated": FILE, "integer": [{"file": FILE, "float": [NAMES OF TENSORS]}, ...]}
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any


def make_float_files(job: dict[str, Any]) -> None:
    """Run onnx2tf, as its command does."""
    from onnx2tf.onnx2tf import main

    # It makes objects by the million and keeps most of them: looking for unreachable ones after every few hundred
    # takes a tenth of its time.
    gc.set_threshold(100_000, 50, 100)
    sys.argv = ["onnx2tf", *job["onnx2tf"]]
    main()


def convert(job: dict[str, Any]) -> None:
    """Convert a SavedModel: `calibrated` is a float file with the range of every activation noted in it."""
    import numpy as np
    import tensorflow as tf

    def converter() -> Any:
        made = tf.lite.TFLiteConverter.from_saved_model(job["saved_model"])
        made.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel dense layers are FULLY_CONNECTED v12, which no runtime before 2.17 has.
        made._experimental_disable_per_channel_quantization_for_dense_layers = True
        return made

    def calibrating() -> Any:
        made, inputs = converter(), np.load(job["inputs"], mmap_mode="r")
        made.representative_dataset = lambda: ([np.array(values)] for values in inputs)
        return made

    if "dynamic" in job:
        Path(job["dynamic"]).write_bytes(converter().convert())
    if "calibrated" in job:
        made = calibrating()
        made._experimental_calibrate_only = True
        Path(job["calibrated"]).write_bytes(made.convert())
    if "int16x8" in job:
        made, ops = calibrating(), tf.lite.OpsSet
        integer = ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        made.target_spec.supported_ops = [integer, ops.TFLITE_BUILTINS]
        Path(job["int16x8"]).write_bytes(made.convert())


def quantize(job: dict[str, Any]) -> None:
    """Turn a calibrated file into integer ones; operators that write one of the `float` tensors stay as they are."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    calibrated = Path(job["calibrated"]).read_bytes()
    for made in job["integer"]:
        blob = mlir_quantize(
            calibrated,
            input_data_type=tf.float32,
            output_data_type=tf.float32,
            denylisted_nodes=set(made["float"]) or None,
            disable_per_channel_for_dense_layers=True,
        )
        Path(made["file"]).write_bytes(blob)


if __name__ == "__main__":
    # The folder of this program comes first on the path, where its neighbours could be imported instead of packages.
    del sys.path[0]
    # TensorFlow prints too; only answers go to the pipe that the parent reads.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        given = json.loads(line)
        run = make_float_files if "onnx2tf" in given else quantize if "integer" in given else convert
        run(given)
        print("done", file=answers, flush=True)
