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
from distill.spec import ModelSpec, write_sidecar
from distill.system.processes import ending_with_parent

INPUT, OUTPUT, CONFIDENCE = "image", "landmarks", "landmarks_confidence"

# onnx2tf 1.28 converts every operator of it, and it still has ReduceMean with its axes as attributes.
OPSET = 16


class LandmarksOnly(nn.Module):
    """The exported form of a network: (b, h, w, 3) RGB in [0, 1] -> (b, k, 2) normalised to the crop."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b k 2"]:
        landmarks: Tensor = self.net(image.permute(0, 3, 1, 2)).landmarks
        return landmarks


class WithConfidence(LandmarksOnly):
    """The exported form of a heatmap network that also returns the confidence (b, k) of each point, in [0, 1]."""

    def forward(self, image: Float[Tensor, "b h w 3"]) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        prediction = self.net(image.permute(0, 3, 1, 2))
        return prediction.landmarks, prediction.confidence


def has_confidence(net: nn.Module, spec: ModelSpec) -> bool:
    """Return whether a network gives a confidence of its points; one without heatmaps does not."""
    was_training, device = net.training, next(net.parameters()).device
    with torch.inference_mode():
        prediction = net.eval()(torch.zeros(1, 3, spec.crop.size, spec.crop.size, device=device))
    net.train(was_training)
    return getattr(prediction, "confidence", None) is not None


def export_onnx(net: nn.Module, spec: ModelSpec, path: str | Path, confidence: bool = False, batch: int = 1) -> Path:
    """Write `net` as ONNX with its weights inside, and its sidecar; return the path.

    Args:
        net: returns a `Prediction` for (b, 3, h, w) images in [0, 1]; it is copied, not changed.
        spec: fixes the input's size and the number of points.
        path: `.onnx` file to write, atomically.
        confidence: add a second output, the confidence (b, k) of each point; the network must have heatmaps.
        batch: size b of the fixed batch dimension.

    Raises:
        ExportError: an operator without an ONNX form, or a graph that has not the inputs and outputs of this spec.
    """
    path = Path(path)
    shipped = (WithConfidence if confidence else LandmarksOnly)(export_form(net).cpu().float()).eval()
    size = spec.crop.size
    with atomic_path(path) as temporary:
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracer notes about sizes being constant: here they are meant to be
                torch.onnx.export(
                    shipped,
                    (torch.rand(batch, size, size, 3),),
                    str(temporary),
                    input_names=[INPUT],
                    output_names=[OUTPUT, CONFIDENCE] if confidence else [OUTPUT],
                    opset_version=OPSET,
                    dynamo=False,
                )
        except (RuntimeError, AssertionError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise ExportError(
                f"{spec.arch} has no ONNX form: {reason}; try another input size, "
                "or register a rewrite of the layer (distill.models.rewrite)"
            ) from error
        onnx.save(_described(compose(simplify(temporary)), spec, batch), str(temporary))
    write_sidecar(path, spec, batch)
    return path


def simplify(path: Path) -> onnx.ModelProto:
    """Return the file's model with constants folded and dead nodes gone.

    onnxsim runs in a child process: it is compiled code that keeps global state and may crash.
    """
    # Without torch and sympy, which onnxsim imports when it can and needs for nothing here: most of the child's time.
    code = (
        "import sys; sys.modules |= {'torch': None, 'sympy': None}; import onnx, onnxsim; "
        "m, ok = onnxsim.simplify(sys.argv[1]); assert ok; onnx.save(m, sys.argv[1])"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = ending_with_parent([sys.executable, "-c", code, str(path)])
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise ExportError(f"onnxsim could not simplify the graph ({last}); report the model's name and options")
    return onnx.load(str(path))


def _described(model: onnx.ModelProto, spec: ModelSpec, batch: int) -> onnx.ModelProto:
    """Check the graph against the spec and write the spec into its metadata."""
    check_graph(model, spec, batch)
    for key, value in {"arch": spec.arch, "scheme": spec.scheme, "input": "NHWC float32 RGB in [0, 1]"}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return model


def check_graph(model: onnx.ModelProto, spec: ModelSpec, batch: int = 1) -> None:
    """Check that the graph has one input, the landmarks and perhaps their confidence, and no node these do not need.

    Raises:
        ExportError: naming the difference.
    """
    graph, size = model.graph, spec.crop.size
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (*graph.input, *graph.output)]
    expected = [[batch, size, size, 3], [batch, spec.n_points, 2]]
    if shapes not in (expected, [*expected, [batch, spec.n_points]]):
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
