"""litert-quantizer as a program of its own: `modern_worker.py JOB.json`.

Run by path in the modern environment, which has neither this package nor torch. The job names the files to write:

    {"float": FILE, "ranges": {NAME OF TENSOR: [NUMBER OF AXES, LEAST, GREATEST]},
     "files": [{"file": FILE, "mode": MODE, "float": [NAMES OF TENSORS]}, ...]}
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_2D_TRANSPOSE")
# Smaller ones stay in floats, as TensorFlow does it: with those of the AAM head, tflite-runtime 2.14 returned NaN.
_MIN_WEIGHTS = 1024
_BITS = {"int8": 8, "int8_hybrid": 8, "int16x8": 16}


def quantizer_of(path: str, mode: str, floats: Sequence[str]) -> Any:
    """Return a quantizer with the recipe of a mode; operators that write one of `floats` stay as they are."""
    from litert_quantizer import qtyping, quantizer
    from litert_quantizer.algorithm_manager import AlgorithmName

    made = quantizer.Quantizer(path)
    operations, granularity = qtyping.TFLOperationName, qtyping.QuantGranularity
    if mode in _BITS:
        made.add_static_config(".*", operations.ALL_SUPPORTED, _BITS[mode], 8, granularity.CHANNELWISE)
        if floats:
            names = "|".join(re.escape(name) for name in floats)
            made.update_quantization_recipe(
                f"^(?:{names});?$", operations.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE
            )
        # Both stay float32: files of all modes are interchangeable.
        for end in (operations.INPUT, operations.OUTPUT):
            made.update_quantization_recipe("^.*$", end, algorithm_key=AlgorithmName.NO_QUANTIZE)
        return made
    for layer in _LAYERS:
        # One scale per channel makes dense layers FULLY_CONNECTED v12, which no runtime before 2.17 has.
        scales = granularity.TENSORWISE if layer == "FULLY_CONNECTED" else granularity.CHANNELWISE
        weights = qtyping.TensorQuantizationConfig(num_bits=8, symmetric=True, granularity=scales)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.INTEGER,
            explicit_dequantize=False,
            min_weight_elements=_MIN_WEIGHTS,
        )
        made.update_quantization_recipe(".*", operations[layer], config)
    return made


def ranges_of(job: dict[str, Any]) -> Any:
    """Return the ranges of activations as the quantizer takes them.

    `Quantizer.calibrate` takes moving averages instead, which cut off what few faces reach: EFLD was 25 px off.
    """
    import numpy as np

    return {
        name: {"min": np.full((1,) * axes, low, np.float32), "max": np.full((1,) * axes, high, np.float32)}
        for name, (axes, low, high) in job["ranges"].items()
    }


def work(job: dict[str, Any]) -> None:
    """Write the files of a job."""
    for entry in job["files"]:
        made = quantizer_of(job["float"], entry["mode"], entry["float"])
        ranges = ranges_of(job) if made.need_calibration else None
        blob = made.quantize(ranges, enable_progress_report=False).quantized_model
        Path(entry["file"]).write_bytes(bytes(blob))


if __name__ == "__main__":
    # The folder of this program comes first on the path, where its neighbours could be imported instead of packages.
    del sys.path[0]
    work(json.loads(Path(sys.argv[1]).read_text()))
