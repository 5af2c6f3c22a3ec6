"""PyTorch -> ONNX: NHWC crops in, landmarks out."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ExportError
from distill.export.rewrites.fold_convolutions import compose
from distill.export.rewrites.rewrite import export_form
from distill.files import atomic_path
from distill.models.heatmaps import MASS_FLOOR, cell_centres
from distill.spec import ModelSpec, write_sidecar

INPUT, OUTPUT = "image", "landmarks"

# onnx2tf 1.28 knows every operator of it, and it still has ReduceMean with its axes as attributes.
OPSET = 16


class LandmarksOnly(nn.Module):
    """The exported form of a network: (1, h, w, 3) RGB in [0, 1] -> (1, k, 2) normalised to the crop.

    Maps are decoded in a form that converts well; a network without maps gives its landmarks as they are.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b k 2"]:
        prediction = self.net(image.permute(0, 3, 1, 2))
        return prediction.landmarks if prediction.heatmaps is None else decode(prediction.heatmaps)


def decode(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 2"]:
    """`distill.models.heatmaps.soft_argmax` on the sums of rows and columns: h + w numbers a map instead of h * w.

    Four axes up to the end and no matrix products: onnx2tf keeps such tensors channel-last, where it confuses the axes
    of others in graphs too large for its corrections. Only the result is ever transposed.
    """
    _, _, h, w = (int(size) for size in heatmaps.shape)
    columns, rows = heatmaps.sum(2, keepdim=True), heatmaps.sum(3, keepdim=True)
    x = (columns * cell_centres(w, heatmaps).view(1, 1, 1, w)).sum(3, keepdim=True)
    y = (rows * cell_centres(h, heatmaps).view(1, 1, h, 1)).sum(2, keepdim=True)
    mass = columns.sum(3, keepdim=True).clamp_min(MASS_FLOOR)
    return (torch.cat([x, y], 3) / mass).flatten(2)


def export_onnx(net: nn.Module, spec: ModelSpec, path: str | Path) -> Path:
    """Write `net` as ONNX with its weights inside, and its sidecar; return the path.

    Args:
        net: returns a `Prediction` for (b, 3, h, w) images in [0, 1]; it is copied, not changed.
        spec: fixes the input's size and the number of points.
        path: `.onnx` file to write, atomically.

    Raises:
        ExportError: an operator without an ONNX form, or a graph that is not one input and one output of this spec.
    """
    path = Path(path)
    shipped = LandmarksOnly(export_form(net).cpu().float()).eval()
    size = spec.crop.size
    with atomic_path(path) as temporary:
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracer notes about sizes being constant: here they are meant to be
                torch.onnx.export(
                    shipped,
                    (torch.rand(1, size, size, 3),),
                    str(temporary),
                    input_names=[INPUT],
                    output_names=[OUTPUT],
                    opset_version=OPSET,
                    dynamo=False,
                )
        except (RuntimeError, AssertionError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise ExportError(
                f"{spec.arch} has no ONNX form: {reason}; try another input size, "
                "or register a rewrite of the layer (distill.models.rewrite)"
            ) from error
        onnx.save(_described(compose(simplify(temporary)), spec), str(temporary))
    write_sidecar(path, spec)
    return path


def simplify(path: Path) -> onnx.ModelProto:
    """Return the file's model with constants folded and dead nodes gone.

    onnxsim runs in a child process: it is compiled code that keeps global state and may crash.
    """
    code = "import sys, onnx, onnxsim; m, ok = onnxsim.simplify(sys.argv[1]); assert ok; onnx.save(m, sys.argv[1])"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise ExportError(f"onnxsim could not simplify the graph ({last}); report the model's name and options")
    return onnx.load(str(path))


def _described(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """Check the graph against the spec and write the spec into its metadata."""
    check_graph(model, spec)
    for key, value in {"arch": spec.arch, "scheme": spec.scheme, "input": "NHWC float32 RGB in [0, 1]"}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return model


def check_graph(model: onnx.ModelProto, spec: ModelSpec) -> None:
    """Check that the graph has one input and one output of the right shapes and no node the output does not need.

    Raises:
        ExportError: naming the difference.
    """
    graph, size = model.graph, spec.crop.size
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (*graph.input, *graph.output)]
    expected = [[1, size, size, 3], [1, spec.n_points, 2]]
    if shapes != expected:
        raise ExportError(f"the ONNX graph has inputs and outputs {shapes}, not {expected}; does the spec fit the net?")
    needed = {value.name for value in graph.output}
    dead = []
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            dead.append(f"{node.op_type} {node.name}")
        else:
            needed.update(node.input)
    if dead:
        raise ExportError(f"the ONNX graph has {len(dead)} nodes its output does not need, first {dead[-1]}")
