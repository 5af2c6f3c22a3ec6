"""What each choice of the student's graph costs: `python -m scripts.bench.graph --json results/bench/graph.json`.

Random weights, which take as long as trained ones. Every row is exported, counted, and timed on one thread of LiteRT in
one run with MediaPipe's FaceMesh landmark net, in turns. Files are kept in --folder and used again.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnx
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from distill.bench.latency import compare, tflite_call
from distill.bench.machine import LoadMeter, busy_warning, describe_machine
from distill.bench.peers import peer_path
from distill.bench.runners import load_tflite
from distill.errors import ExportError
from distill.export import to_onnx
from distill.export.to_tflite import export_tflite
from distill.files import sha256
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models.heads import Prediction
from distill.opcheck.check import check_model
from distill.provenance import write_result
from distill.spec import ModelSpec
from distill.tflite.complexity import tflite_complexity
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.serialization import read_model
from scripts.bench.untrained import untrained

_LIMIT_PX = 0.01
ARCH, SCHEME, PEER = "mobilevit_v2_050", "inner51", "FaceMesh"


class SimCC(nn.Module):
    """Coordinates as two classifications (SimCC, arXiv 2107.03332) instead of maps, on stride 16 joined with 32.

    For its cost only: 1x1 to one channel a point, flattened, one dense layer an axis to two bins a pixel, soft-argmax.
    """

    def __init__(self, net: Any, size: int) -> None:
        super().__init__()
        k, self.bins = load_scheme(SCHEME).n_points, 2 * size
        self.backbone, self.lateral = net.backbone, net.neck.lateral[2:]
        self.points = nn.Conv2d(net.head.heatmap.in_channels, k, 1)
        self.axes = nn.ModuleList(nn.Linear((size // 16) ** 2, self.bins) for _ in "xy")

    def forward(self, images: Tensor) -> Prediction:
        middle, deep = (conv(x) for conv, x in zip(self.lateral, self.backbone(images)[2:], strict=True))
        maps = self.points((middle + nn.functional.interpolate(deep, scale_factor=2.0)).relu()).flatten(2)
        centres = (torch.arange(self.bins) + 0.5) / self.bins
        return Prediction(torch.stack([axis(maps).softmax(-1) @ centres for axis in self.axes], -1))


@dataclass(frozen=True)
class Row:
    """A graph to measure: options of the network, and whether it is exported without any rewriting."""

    options: dict[str, Any] = field(default_factory=dict)
    stock: bool = False
    wrap: Callable[[nn.Module, int], nn.Module] | None = None
    sizes: tuple[int, ...] = (256,)


FAST = {"activation": "relu", "norm": "batch"}
ROWS = {
    "stock": Row(stock=True, sizes=(256, 128)),
    "rewritten": Row(sizes=(256, 128)),
    "relu_batch": Row(FAST, sizes=(256, 128)),
    "hard_swish_batch": Row({"activation": "hard_swish", "norm": "batch"}),
    "batch": Row({"norm": "batch"}),
    "nearest": Row({"neck": "nearest"}),
    "width32": Row({"width": 32}),
    "simcc": Row(wrap=SimCC),
    "deconv": Row({"neck": "deconv"}),
    "relu_batch_width32": Row({**FAST, "width": 32}),
}


def _stored_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store constants instead of computing them: onnx2tf 1.28 fails on the scale of a stock GroupNorm otherwise."""
    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        value = onnx.helper.get_attribute_value(node.attribute[0])
        value.name = node.output[0]
        model.graph.initializer.append(value)
        model.graph.node.remove(node)
    return model


def network(row: Row, size: int) -> nn.Module:
    """Return the row's network with the same random weights in every run."""
    torch.manual_seed(0)
    net = untrained(ARCH, SCHEME, row.options)
    return (row.wrap(net, size) if row.wrap else net).eval()


def exported(name: str, row: Row, size: int, folder: Path) -> Path:
    """Return the row's fp32 file, made now or before."""
    stem = f"{name}_{size}"
    path = folder / f"{stem}_fp32.tflite"
    if path.is_file():
        return path
    spec = ModelSpec(ARCH, SCHEME, load_scheme(SCHEME).n_points, CropSpec(size=size), row.options)
    with ExitStack() as changes:
        if row.stock:
            # The comparison a user cannot ask for: what a plain export of the same network would give.
            changes.enter_context(patch.object(to_onnx, "export_form", lambda net: net))
            changes.enter_context(patch.object(to_onnx, "compose", _stored_constants))
        made = to_onnx.export_onnx(network(row, size), spec, folder / f"{stem}.onnx")
    return export_tflite(made, spec, folder, ("fp32",), stem)["fp32"]


def distance(net: nn.Module, path: Path, size: int) -> float:
    """Return how far the file's points are from the network's on random pixels, at most, in pixels."""
    image = torch.rand(1, size, size, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net(image.permute(0, 3, 1, 2)).landmarks
    return float((torch.from_numpy(TFLiteNet(path)(image.numpy())[0]) - expected).abs().max()) * size


def delegates(path: Path) -> int:
    """Return into how many pieces XNNPACK cuts the graph; whatever lies between them runs in TFLite's own kernels."""
    interpreter = load_tflite(path, 1)
    return sum(operator["op_name"] == "DELEGATE" for operator in interpreter._get_ops_details())


def describe(name: str, size: int, path: Path) -> dict[str, Any]:
    """Count what a file holds, and check that it is the network it was made of.

    Raises:
        ExportError: its points are more than 0.01 px away.
    """
    pixels = distance(network(ROWS[name], size), path, size)
    if not pixels <= _LIMIT_PX:
        raise ExportError(f"{path}: {pixels:.3g} px from PyTorch, more than {_LIMIT_PX}; the conversion is wrong")
    model = read_model(path)
    cost = tflite_complexity(model)
    return {
        "operators": len(model.main.operators),
        "transposes": sum(node.op == "TRANSPOSE" for node in model.main.operators),
        "xnnpack_pieces": delegates(path),
        "macs": cost.macs,
        "bytes": cost.bytes,
        "max_px": pixels,
        "oldest_runtime": check_model(path, "2.11.0").min_runtime,
        "sha256": sha256(path),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path("runs/graph"), help="where the exported files are kept")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    args.folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=120)
    jobs = [(name, size) for name in args.rows for size in ROWS[name].sizes]
    files = {
        (name, size): exported(name, ROWS[name], size, args.folder)
        for name, size in track(jobs, description="Exporting", console=Console(stderr=True))
    }
    load = LoadMeter()
    calls = {PEER: tflite_call(peer_path("facemesh"))}
    calls |= {f"{name} {size}": tflite_call(path) for (name, size), path in files.items()}
    timings = compare(calls, args.rounds, progress=True)
    disturbance = load.read()
    rows = {key: describe(*key, path) | timings[f"{key[0]} {key[1]}"].to_dict() for key, path in files.items()}

    table = Table(title=f"{ARCH}, one thread, LiteRT, in turns with {PEER} ({timings[PEER].median_ms:.2f} ms)")
    for heading in ("row", "ops", "TRANSPOSE", "pieces", "M MACs", "kB", "runs from", "ms", f"x {PEER}"):
        table.add_column(heading, justify="left" if heading == "row" else "right")
    for (name, size), row in rows.items():
        counts = (row["operators"], row["transposes"], row["xnnpack_pieces"], round(row["macs"] / 1e6))
        rest = (row["bytes"] // 1000, row["oldest_runtime"] or "none", f"{row['median_ms']:.2f}", f"{row['ratio']:.2f}")
        table.add_row(f"{name} {size}", *map(str, (*counts, *rest)))
    console.print(table)
    if warning := busy_warning(disturbance):
        console.print(warning)
    if args.json:
        list_rows = [{"row": name, "size": size} | row for (name, size), row in rows.items()]
        about = {"machine": describe_machine(), "load": disturbance, "rounds": args.rounds}
        write_result(args.json, about | {PEER: timings[PEER].to_dict(), "rows": list_rows})


if __name__ == "__main__":
    main()
