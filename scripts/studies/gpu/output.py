"""Weights in files of limited size, and the share of a device's peak speed that a training reaches."""

from pathlib import Path

import torch
from torch import nn

from distill.bench.complexity import complexity
from distill.files import sha256, write_bytes
from distill.models.checkpoint import save_model
from distill.spec import ModelSpec

PART_BYTES = 15 * 10**6
# Dense bf16 multiply-adds of the tensor cores, in operations (two per multiply-add) per second: NVIDIA's data sheets.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40": 181e12, "L4": 121e12, "4090": 165e12}


def save_half(folder: Path, name: str, net: nn.Module, spec: ModelSpec) -> dict[str, object]:
    """Write weights in half precision, in parts where the file is too large, and return names and SHA-256 of the whole.

    The parts joined in order (`cat NAME.part* > NAME`) are the file.
    """
    path = folder / f"{name}.safetensors"
    save_model(path, net, spec, half=True)
    digest, size, files = sha256(path), path.stat().st_size, [path.name]
    if size > PART_BYTES:
        content = path.read_bytes()
        files = []
        for number, start in enumerate(range(0, size, PART_BYTES)):
            part = folder / f"{path.name}.part{number}"
            write_bytes(part, content[start : start + PART_BYTES])
            files.append(part.name)
        path.unlink()
    return {"files": files, "sha256": digest, "bytes": size}


def share_of_peak(net: nn.Module, size: int, images_per_second: float, device: torch.device) -> float | None:
    """Return the share of the device's peak, None where that is not known; a training step is three forward passes."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    peak = next((value for part, value in PEAKS.items() if part in name), None)
    return None if peak is None else 3 * 2 * complexity(net, size).macs * images_per_second / peak
