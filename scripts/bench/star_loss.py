"""Time the STAR loss of this package against the published form, forward and backward, on the CPU.

    python -m scripts.bench.star_loss [--rounds 15] [--json OUT]

The published form (arXiv 2306.02763; written afresh from its formulas) spreads the coordinates over every cell of
every map, forms the covariance as a batched product of them and decomposes it with `torch.linalg.eigh` on the CPU.
Both forms take turns in one process with the same number of threads; what counts is processor time, so that other
programs on the machine do not, and the ratio is that of the medians.
Exit status 1 when the closed form is less than five times as fast.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from distill.losses.star import star_loss
from distill.models.heatmaps import gaussian_maps
from distill.provenance import write_result

SHAPE = (32, 51, 64, 64)
WANTED = 5.0


def published_star_loss(heatmaps: Tensor, target: Tensor, weight: float = 1.0) -> Tensor:
    """Return the STAR loss (b, k) as published, but for cells centred as in this package and columns as vectors."""
    b, k, h, w = heatmaps.shape
    p = heatmaps / heatmaps.sum((2, 3), keepdim=True).clamp_min(1e-6)
    y, x = (2 * (torch.arange(n, dtype=p.dtype) + 0.5) / n - 1 for n in (h, w))
    grid_y, grid_x = (grid.expand(b, k, h, w) for grid in torch.meshgrid(y, x, indexing="ij"))
    mean = torch.stack([(p * grid_x).sum((2, 3)), (p * grid_y).sum((2, 3))], -1)
    dx, dy = grid_x - mean[..., 0, None, None], grid_y - mean[..., 1, None, None]
    offsets = torch.stack([dx.flatten(2), dy.flatten(2)], 2).flatten(0, 1)
    weighted = p.flatten(2).flatten(0, 1)[:, None].expand(-1, 2, -1) * offsets
    scatter = torch.bmm(weighted, offsets.transpose(1, 2)).view(b, k, 2, 2)
    v1, v2 = p.sum((2, 3)) + 1e-5, p.pow(2).sum((2, 3)) + 1e-5
    covariance = scatter / (v1 - v2 / v1)[..., None, None]
    values, vectors = torch.linalg.eigh(covariance)
    along = (vectors * (2 * target - 1 - mean)[..., None]).sum(-2)
    distance = torch.where(along.abs() < 0.01, 50 * along.square(), along.abs() - 0.005)
    return (distance / (values + 1e-5).sqrt()).sum(-1) + weight * values.abs().sum(-1)


def example(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return maps as a network half-way through training predicts them, with noise so that none is isotropic."""
    torch.manual_seed(seed)
    points = torch.rand(*SHAPE[:2], 2) * 0.8 + 0.1
    maps = gaussian_maps(points, *SHAPE[2:], sigma=2.0) + 0.05 * torch.rand(SHAPE)
    return maps, points + 0.02 * torch.randn_like(points)


def seconds(loss: Callable[[Tensor, Tensor], Tensor], maps: Tensor, target: Tensor) -> float:
    """Return the processor time of one forward and backward."""
    maps = maps.clone().requires_grad_()
    start = time.process_time()
    loss(maps, target).mean().backward()
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    maps, target = example()
    forms = {"closed": star_loss, "published": published_star_loss}
    difference = float((forms["closed"](maps, target) - forms["published"](maps, target)).abs().max())
    times: dict[str, list[float]] = {name: [] for name in forms}
    for round_number in range(options.rounds + 2):
        for name, loss in forms.items():
            taken = seconds(loss, maps, target)
            if round_number >= 2:  # the first rounds warm up allocator and caches
                times[name].append(taken)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["published"] / medians["closed"]
    print(f"STAR loss, forward + backward, {SHAPE} float32, {options.threads} thread(s), torch {torch.__version__}")
    for name, median in medians.items():
        print(f"  {name:9}  {median * 1e3:8.1f} ms  (median of {options.rounds})")
    print(f"  largest difference of a loss {difference:.1e}")
    print(f"ratio {ratio:.1f} (wanted: at least {WANTED:g})")
    if options.json:
        milliseconds = {f"{name}_ms": median * 1e3 for name, median in medians.items()}
        write_result(options.json, {**milliseconds, "ratio": ratio, "shape": SHAPE, "threads": options.threads})
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
