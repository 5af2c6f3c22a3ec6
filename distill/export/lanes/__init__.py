"""Converter lanes: ONNX to TFLite by onnx2tf without TensorFlow (`modern`) or with it (`classic`).

A lane takes the same job and returns the same files; gates, parity, operator check and module names do not depend on
it. Its converter runs as a child process in an environment of its own (distill.environments).
"""

from distill.export.lanes.classic import convert as classic
from distill.export.lanes.job import Job, Quantization
from distill.export.lanes.modern import convert as modern

__all__ = ["Job", "Quantization", "convert"]

_CONVERTERS = {"modern": modern, "classic": classic}


def convert(job: Job) -> dict[str, bytes]:
    """Convert an ONNX file in the lane of the job; return the content of the file of each mode.

    Raises:
        ConfigError: the environment of the lane is not there and cannot be made.
        ExportError: the converter failed or took too long.
    """
    return _CONVERTERS[job.lane](job)
