"""Multiply-accumulates by kind of block in Lite-HRNet and Lite-HRNet Plus: `python -m scripts.studies.block_cost`.

Figure 2 of Lite-HRNet Plus: stem, conditional channel weighting, transition (what begins a branch), fusion and head at
96 px and 68 points. Writes results/studies/block_cost.json.
"""

import argparse
from collections import Counter

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from distill.models import create_model
from distill.models.channel_weighting import ChannelWeighting
from distill.models.lite_hrnet import LiteHRNetBody, Stem
from distill.provenance import write_result

OUT = "results/studies/block_cost.json"
NETS = ("lite_hrnet_18", "lite_hrnet_plus_10m", "lite_hrnet_plus_30m")
SCHEME, SIZE = "ibug68", 96


def blocks_of(net: nn.Module) -> dict[str, str]:
    """Return the kind of block by the path of its module: `stem`, `ccw`, `transition`, `fusion`, `head`."""
    kinds = {}
    for path, module in net.named_modules():
        if isinstance(module, Stem):
            kinds[path] = "stem"
        elif isinstance(module, LiteHRNetBody):
            kinds |= {f"{path}.first": "transition", f"{path}.begin": "transition"}
            for stage_name, stage in module.stages.named_children():
                for name, layer in stage.named_children():
                    kind = "ccw" if isinstance(layer, ChannelWeighting) else "fusion"
                    kinds[f"{path}.stages.{stage_name}.{name}"] = kind
    return kinds | {"head": "head"}


def cost_by_block(net: nn.Module, size: int) -> dict[str, int]:
    """Return multiply-accumulates by kind of block for one image of `size` px.

    Raises:
        ValueError: some of them belong to no block.
    """
    net.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, size, size))
    by_module = counter.get_flop_counts()
    root = type(net).__name__
    found: Counter[str] = Counter()
    for path, kind in blocks_of(net).items():
        found[kind] += sum(sum(by_module.get(f"{root}.{inner}", {}).values()) for inner in _calls(net, path)) // 2
    total = counter.get_total_flops() // 2
    if found.total() != total:
        raise ValueError(f"{found.total()} multiply-accumulates in blocks, {total} in all")
    return {**found, "total": total}


def _calls(net: nn.Module, path: str) -> list[str]:
    """Return the modules that are called: a list is not, its entries are."""
    module = net.get_submodule(path)
    return [f"{path}.{name}" for name, _ in module.named_children()] if isinstance(module, nn.ModuleList) else [path]


def main() -> None:
    """Count, write, print."""
    argparse.ArgumentParser(description=str(__doc__).splitlines()[0]).parse_args()
    found = {name: cost_by_block(create_model(name, SCHEME), SIZE) for name in NETS}
    write_result(OUT, {"scheme": SCHEME, "size": SIZE, "macs": found})
    print(found)


if __name__ == "__main__":
    main()
