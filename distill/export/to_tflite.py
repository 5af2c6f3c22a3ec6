"""ONNX -> TensorFlow Lite with onnx2tf, in a child process and a folder of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from distill.errors import ExportError
from distill.export.flatbuffer import read_graph
from distill.export.to_onnx import INPUT
from distill.files import write_bytes
from distill.spec import ModelSpec, write_sidecar

KINDS = {"fp32": "float32", "fp16": "float16"}

# What onnx2tf downloads when it does not find it in its working directory; only its shape matters here.
_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"

# Converted as plain arithmetic: TFLite has no Erf, and GELU v1 would need a runtime of 2.9.
_PSEUDO = ("erf", "gelu")


def export_tflite(
    onnx_path: str | Path,
    spec: ModelSpec,
    out_dir: str | Path,
    kinds: Sequence[str] = ("fp32", "fp16"),
    stem: str = "student",
    timeout_s: float = 1800,
) -> dict[str, Path]:
    """Convert a graph of `export_onnx` and return one file per kind, `out_dir/STEM_KIND.tflite` with its sidecar.

    Input (1, h, w, 3) float32 RGB in [0, 1]; output (1, k, 2) float32. fp16 stores weights in half precision and
    computes in single. Nothing appears in `out_dir` unless every kind converted and has that interface.

    Raises:
        ExportError: an unknown kind, a conversion that failed (with the path of its log) or took too long, or a file
            with another interface.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ExportError(f"unknown kind of TFLite file {unknown}; valid: {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory(prefix="onnx2tf-") as folder:
        made = _convert(Path(onnx_path), Path(folder), timeout_s)
        content = {kind: (made / f"model_{KINDS[kind]}.tflite").read_bytes() for kind in kinds}
    for kind, blob in content.items():
        check_interface(blob, spec, f"{stem}_{kind}.tflite")
    paths = {kind: Path(out_dir) / f"{stem}_{kind}.tflite" for kind in kinds}
    for kind, path in paths.items():
        write_bytes(path, content[kind])
        write_sidecar(path, spec)
    return paths


def check_interface(blob: bytes, spec: ModelSpec, name: str) -> None:
    """Check that a TFLite file has one NHWC input and one output of landmarks, both float32.

    Raises:
        ExportError: naming what it has instead.
    """
    graph, size = read_graph(blob, name), spec.crop.size
    found = [(tensor.shape, tensor.dtype) for tensor in (*graph.inputs, *graph.outputs)]
    expected = [((1, size, size, 3), "FLOAT32"), ((1, spec.n_points, 2), "FLOAT32")]
    if found != expected:
        raise ExportError(
            f"{name}: inputs and outputs are {found}, not {expected}; the conversion changed the interface"
        )


def _convert(onnx_path: Path, folder: Path, timeout_s: float) -> Path:
    """Run onnx2tf on the graph in `folder`; return the folder of its results."""
    np.save(folder / _SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    onnx.save(channels_first(onnx.load(str(onnx_path))), str(folder / "model.onnx"))
    command = [sys.executable, "-m", "onnx2tf", "-i", "model.onnx", "-o", "out", "-b", "1", "-n", "-rtpo", *_PSEUDO]
    # onnx2tf calls onnxsim by name: the environment this Python belongs to must come first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, timeout=timeout_s, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"onnx2tf took more than {timeout_s:.0f} s; give it more time or a smaller network"
        ) from error
    missing = [name for name in KINDS.values() if not (folder / "out" / f"model_{name}.tflite").is_file()]
    if done.returncode or missing:
        log = _keep_log(onnx_path, done.stdout)
        raise ExportError(f"onnx2tf failed (status {done.returncode}): {last_line(done.stdout)}; full log: {log}")
    return folder / "out"


def channels_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the transpose an NHWC input starts with.

    onnx2tf takes every 4-D input for NCHW and turns the whole graph to NHWC itself, so this is how the TFLite file
    ends up with NHWC pixels and no transpose at all.
    """
    graph = model.graph
    readers = [node for node in graph.node if INPUT in node.input]
    if len(readers) != 1 or readers[0].op_type != "Transpose":
        raise ExportError(
            f"the ONNX graph does not start with one transpose of '{INPUT}'; export it with `export_onnx`"
        )
    renamed = readers[0].output[0]
    for node in graph.node:
        node.input[:] = [INPUT if name == renamed else name for name in node.input]
    graph.node.remove(readers[0])
    dims = graph.input[0].type.tensor_type.shape.dim
    sizes = [dims[axis].dim_value for axis in (0, 3, 1, 2)]
    for dim, size in zip(dims, sizes, strict=True):
        dim.dim_value = size
    return model


def last_line(log: str) -> str:
    """Return the last line of a converter's log that says something, without colours."""
    import re

    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    lines = [line.strip() for line in plain.splitlines() if any(char.isalpha() for char in line)]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1][:200]


def _keep_log(onnx_path: Path, log: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"{onnx_path.stem}-onnx2tf-", suffix=".log")
    os.close(handle)
    Path(name).write_text(log)
    return Path(name)
