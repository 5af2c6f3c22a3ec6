"""Latency of the exported student against PyTorch, one thread, interleaved: `python scripts/bench/latency.py`.

Random weights, which take as long as trained ones. Exits with 1 when the exported
network takes more than half of PyTorch's time.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from distill.bench.complexity import complexity
from distill.bench.latency import accept
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models import create_model
from distill.spec import ModelSpec


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="mobilevit_v2_050")
    parser.add_argument("--scheme", default="inner51")
    parser.add_argument("--size", type=int, default=256, help="side of the crop in pixels")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    net = create_model(args.arch, args.scheme).eval()
    spec = ModelSpec(args.arch, args.scheme, load_scheme(args.scheme).n_points, CropSpec(size=args.size))
    cost = complexity(net, args.size)
    print(f"{args.arch} at {args.size} px: {cost.parameters / 1e6:.3f} M parameters, {cost.macs / 1e9:.3f} GMACs")
    with tempfile.TemporaryDirectory() as folder:
        path = export_tflite(export_onnx(net, spec, Path(folder, "net.onnx")), spec, folder, ("fp32",))["fp32"]
        result = accept(net, path, args.size, args.rounds)
    for timing in result.timings.values():
        print(f"{timing.name:12s} {timing.median_ms:7.2f} ms  IQR {timing.iqr_ms:.2f} ms  spread {timing.spread:.1%}")
    print(result)
    if args.json:
        args.json.write_text(json.dumps({name: timing.to_dict() for name, timing in result.timings.items()}, indent=2))
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
