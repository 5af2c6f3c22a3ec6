"""Time training steps with and without `keep_freed_memory`: `python -m scripts.bench.memory [--rounds 3] [--json OUT]`.

The switch is the process's, so every measurement is a process of its own, one thread; both forms of a network take
turns. A step is forward, sum of squares, backward, and counts with its median time. The ratio is the median of those of
the rounds, each of two neighbours in time, because the clocks of shared machines drift.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from distill.models import create_model
from distill.provenance import write_result
from distill.training.memory import keep_freed_memory

# Network, options, side of the crop, batch: as in the configurations.
_SMALL = {"neck": "pyramid", "width": 64}
_SWIN = {"embed_dim": 48, "depths": [2, 2, 4, 2], "num_heads": [2, 4, 8, 16]}
NETS: dict[str, tuple[dict[str, Any], int, int]] = {
    "mobilevit_v2_050": ({**_SMALL, "activation": "relu", "norm": "batch"}, 128, 16),
    "swin_v2": ({**_SMALL, "image_size": 128, "backbone_args": _SWIN}, 128, 16),
    "efld": ({}, 128, 32),
    "pfld_025": ({"pose": True}, 112, 32),
    "dan_1": ({}, 112, 32),
}


def step_seconds(arch: str, keep: bool, steps: int = 6) -> dict[str, float]:
    """Return the median seconds of a step in this process."""
    torch.set_num_threads(1)
    if keep and not keep_freed_memory():
        raise SystemExit("this C library has no mallopt: nothing to measure here")
    options, size, batch = NETS[arch]
    net = create_model(arch, "inner51", **options).to(memory_format=torch.channels_last).train()
    images = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        outputs = [part for part in net(images) if isinstance(part, torch.Tensor)]
        torch.stack([part.float().square().mean() for part in outputs]).sum().backward()
        net.zero_grad()
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times[2:])}


def main() -> None:
    """Measure in turns, print, and write if requested."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("NET", "FORM"), help="measure one form in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(step_seconds(options.one[0], options.one[1] == "keep")))
        return
    found: dict[str, Any] = {}
    for arch in NETS:
        seconds: dict[str, list[float]] = {"usual": [], "keep": []}
        for _ in range(options.rounds):
            for form, measured in seconds.items():
                command = [sys.executable, __file__, "--one", arch, form]
                out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                measured.append(json.loads(out)["seconds"])
        ratios = [usual / keep for usual, keep in zip(seconds["usual"], seconds["keep"], strict=True)]
        found[arch] = {"seconds": seconds, "speedup": statistics.median(ratios)}
        medians = {form: statistics.median(measured) for form, measured in seconds.items()}
        print(f"{arch}: {medians['usual']:.3f} s, {medians['keep']:.3f} s kept, x {found[arch]['speedup']:.2f}")
    if options.json:
        write_result(options.json, found)


if __name__ == "__main__":
    main()
