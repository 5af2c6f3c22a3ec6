"""Every network of the zoo with random weights, from forward pass to TFLite: `python -m scripts.fuzz.zoo_networks`.

Forward and backward pass, weights written and read, ONNX and TFLite against PyTorch in the runtimes of this
environment but TensorFlow, and the operator check. Rounded formats are left out: random weights say nothing about
them, released weights on faces do (results/studies/deploy.json). Writes results/checks/zoo_networks.json and exits with
1 when a step fails, a file misses its gate, or a network takes more than 60 s of processor time, children included.
"""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from distill.errors import DistillError, first_line
from distill.export import pipeline
from distill.export.config import ExportConfig
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.losses.supervised import make_loss
from distill.models import create_model, list_models
from distill.models.checkpoint import load_model, save_model
from distill.models.zoo import zoo_entry
from distill.provenance import commit, write_result
from distill.spec import ModelSpec
from distill.tflite.runtimes import list_runtimes
from tests.support.zoo_tester import shaken, with_peaks

OUT = "results/checks/zoo_networks.json"
LIMIT_S = 60.0
SCHEME = "inner51"
MODES = ("onnx", "fp32")
# The attention of the teacher has transposes of rank 6, which older runtimes lack; a teacher runs on no device.
RUNTIMES = {"swin_v2": "2.12.0"}
RUNTIME = "2.11.0"
# With other scales and statistics than those of its start, its points in float32 are 0.3 px from those in float64.
CHAOTIC = ("lite_hrnet_plus_30m",)
_CROPS = 3


def processor_seconds() -> float:
    """Return the processor time of this process and its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def backward(name: str, size: int) -> bool:
    """Return whether the network's own loss gives every weight a finite gradient."""
    net: Any = create_model(name, SCHEME)
    truth, valid = torch.rand(2, load_scheme(SCHEME).n_points, 2) * 0.6 + 0.2, torch.ones(2, 51, dtype=torch.bool)
    loss = make_loss(zoo_entry(name).loss, load_scheme(SCHEME))
    loss(net(torch.rand(2, 3, size, size)), truth, valid)["loss"].backward()
    gradients = [parameter.grad for parameter in net.parameters()]
    return all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients)


def round_trip(net: nn.Module, spec: ModelSpec, folder: Path, images: torch.Tensor) -> bool:
    """Return whether the network predicts the same after it was written and read."""
    save_model(folder / "net.safetensors", net, spec)
    with torch.no_grad():
        return torch.equal(load_model(folder / "net.safetensors")[0](images).landmarks, net(images).landmarks)


def prepared(name: str, size: int) -> nn.Module:
    """Return the network with weights that make its points depend on the image, also through plain maps.

    Larger weights make sharper maps, on which rounding alone moves the points of a deep network.
    """
    torch.manual_seed(0)
    net: Any = create_model(name, SCHEME)
    if name not in CHAOTIC:
        shaken(net)
    if name == "dan_2":
        # Stages that throw landmarks about turn rounding into pixels; trained ones move them a little.
        with torch.no_grad():
            for stage in net.stages:
                stage.points.weight.mul_(0.01)
    return (with_peaks(net, size, gain=1) if name.startswith(("hrnet", "lite_hrnet")) else net).eval()


def parity(net: nn.Module, spec: ModelSpec, folder: Path) -> dict[str, float]:
    """Convert a network; return the largest change of its landmarks by format, in pixels.

    Raises:
        ExportError: a stage failed, missed its gate or needs a newer runtime.
    """
    size = spec.crop.size
    crops = np.random.default_rng(0).random((_CROPS, size, size, 3), np.float32)
    config = ExportConfig(modes=("fp32",), runtime=RUNTIMES.get(spec.arch, RUNTIME))
    quick = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
    with (
        mock.patch.object(pipeline, "list_runtimes", return_value=quick),
        pipeline.convert(net, spec, folder / "export", crops, config) as conversion,
    ):
        conversion.require()
        return {mode: conversion.parity.max_px(mode) for mode in MODES}


def try_network(name: str) -> dict[str, Any]:
    """Return what was measured of one network; `failed` lists what went wrong."""
    torch.manual_seed(0)
    start, size = processor_seconds(), zoo_entry(name).size
    spec = ModelSpec(name, SCHEME, load_scheme(SCHEME).n_points, CropSpec(size))
    failed: list[str] = []
    px: dict[str, float] = {}
    try:
        if not backward(name, size):
            failed.append("a weight without a finite gradient")
        net = prepared(name, size)
        images = torch.rand(2, 3, size, size)
        with tempfile.TemporaryDirectory() as folder:
            if not round_trip(net, spec, Path(folder), images):
                failed.append("other predictions after reading its weights")
            px = parity(net, spec, Path(folder))
    except DistillError as error:
        failed.append(first_line(error))
    seconds = round(processor_seconds() - start, 1)
    failed += [f"{seconds} s"] if seconds > LIMIT_S else []
    return {"size": size, "runtime": RUNTIMES.get(name, RUNTIME), "seconds": seconds, "max_px": px, "failed": failed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks to measure again; all by default")
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    networks = json.loads(options.out.read_text())["networks"] if options.names and options.out.is_file() else {}
    for name in options.names or list_models():
        networks[name] = {"commit": commit(), **try_network(name)}
        print(name, networks[name], flush=True)
    failed = [name for name, found in networks.items() if found["failed"]]
    write_result(options.out, {"limit_s": LIMIT_S, "failed": failed, "networks": networks})
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
