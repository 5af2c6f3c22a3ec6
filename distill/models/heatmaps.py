"""Heatmap encoding and decoding, in the pixel convention of `distill.geometry`.

All coordinates here are normalised to the crop (0 and 1 are its outer edges), so cell j of w cells is centred at
(j + 0.5) / w and no resolution ever enters a loss or a decoder.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.landmarks import Edge, Scheme

# Below this sum a map holds no mass worth a position (the constant of the STAR code, arXiv 2306.02763).
MASS_FLOOR = 1e-6
# What stands below this share of a map's peak is taken for background where the peak is decoded.
_BACKGROUND = 0.2
# Numbers of a temporary of `edge_maps` on a CPU: 4 MB.
_CACHED_VALUES = 2**20


def cell_centres(n: int, like: Tensor) -> Float[Tensor, " n"]:
    """Return the normalised centres of n cells, in the type and on the device of `like`."""
    return (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5) / n


def as_distribution(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
    """Divide non-negative maps by their sum; an (almost) empty map stays (almost) empty."""
    return heatmaps / heatmaps.sum((-2, -1), keepdim=True).clamp_min(MASS_FLOOR)


def soft_argmax(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 2"]:
    """Decode non-negative maps to their centre of mass, normalised (x, y) in [0, 1], in the type of the maps."""
    return centre_of_mass(heatmaps).flatten(2)


def centre_of_mass(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 1 2"]:
    """Return `soft_argmax` with an axis of one, in the form that converts well.

    Works on the sums of rows and columns: h + w numbers a map instead of h * w. Four axes up to the end and no matrix
    products: onnx2tf keeps such tensors channel-last, where it confuses the axes of others in graphs too large for its
    corrections. Only the result is ever transposed.
    """
    _, _, h, w = (int(size) for size in heatmaps.shape)
    # Autocast would make the products bfloat16, whose 8 bits of mantissa are half a pixel of a 128 pixel crop.
    with torch.autocast(heatmaps.device.type, enabled=False):
        columns, rows = heatmaps.sum(2, keepdim=True), heatmaps.sum(3, keepdim=True)
        x = (columns * cell_centres(w, heatmaps).view(1, 1, 1, w)).sum(3, keepdim=True)
        y = (rows * cell_centres(h, heatmaps).view(1, 1, h, 1)).sum(2, keepdim=True)
        mass = columns.sum(3, keepdim=True).clamp_min(MASS_FLOOR)
        return torch.cat([x, y], 3) / mass


def peaks(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
    """Cut non-negative maps off at a fifth of their peak: what `soft_argmax` decodes of maps with a background.

    A map of sigmoids is nowhere 0, and one percent over 24 x 24 cells weighs as much as the peak: its centre of mass is
    cells away from it. The centre of the part above is within 0.03 cells of a Gaussian's of deviation 1 to 1.5, and it
    has a gradient.
    """
    return (heatmaps - _BACKGROUND * heatmaps.amax((-2, -1), keepdim=True)).relu()


def quarter_peak(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 1 2"]:
    """Decode maps to their highest cell, moved by a quarter of a cell towards the higher neighbour of each axis.

    HRNet's decoder (arXiv 1908.07919); normalised (x, y), without a gradient. Written without indices, which
    converters spread over a dozen operators; of several equally high cells it takes the middle.
    """
    with torch.no_grad():
        _, _, h, w = (int(size) for size in heatmaps.shape)
        top = (heatmaps >= heatmaps.amax((-2, -1), keepdim=True)).to(heatmaps.dtype)
        columns, rows = (torch.nn.functional.pad(heatmaps, pad) for pad in ((1, 1, 0, 0), (0, 0, 1, 1)))
        x = ((columns[..., 2:] - columns[..., :-2]) * top).sum((-2, -1), keepdim=True).sign() / w
        y = ((rows[..., 2:, :] - rows[..., :-2, :]) * top).sum((-2, -1), keepdim=True).sign() / h
        return centre_of_mass(top) + 0.25 * torch.cat([x, y], 3)


def gaussian_maps(points: Float[Tensor, "b k 2"], height: int, width: int, sigma: float) -> Float[Tensor, "b k h w"]:
    """Encode normalised points as Gaussians of peak 1 and standard deviation `sigma` in cells, never rounded."""
    x = (cell_centres(width, points) - points[..., :1]) * (width / sigma)
    y = (cell_centres(height, points) - points[..., 1:]) * (height / sigma)
    return torch.exp(-0.5 * y.square())[..., :, None] * torch.exp(-0.5 * x.square())[..., None, :]


def curve_weights(edge: Edge, n_points: int, samples: int) -> Float[Tensor, "s k"]:
    """Return the matrix that turns the k points of a scheme into samples along one edge, from its start to its end.

    The curve is the uniform Catmull-Rom spline: it passes through every point of the edge and is
    linear in them, so that one matrix product draws an edge for a whole batch. `samples` per segment; a closed
    curve ends where it began.
    """
    knots = list(edge.points)
    n, segments = len(knots), len(knots) if edge.closed else len(knots) - 1
    rows = []
    for segment in range(segments):
        around = [segment - 1, segment, segment + 1, segment + 2]
        ids = [i % n if edge.closed else min(max(i, 0), n - 1) for i in around]
        for step in range(samples):
            t = step / samples
            basis = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3)
            row = torch.zeros(n_points)
            for index, weight in zip(ids, basis, strict=True):
                row[knots[index]] += weight / 2
            rows.append(row)
    last = torch.zeros(n_points)
    last[knots[0 if edge.closed else -1]] = 1
    return torch.stack([*rows, last])


def edge_weights(scheme: Scheme, samples: int = 4) -> list[Float[Tensor, "s k"]]:
    """Return `curve_weights` of every edge of a scheme, in order."""
    return [curve_weights(edge, scheme.n_points, samples) for edge in scheme.edges]


def edge_maps(
    points: Float[Tensor, "b k 2"], weights: list[Float[Tensor, "s k"]], height: int, width: int, sigma: float
) -> Float[Tensor, "b e h w"]:
    """Draw each edge as a ridge of height 1 and Gaussian profile (`sigma` in cells) around its curve.

    ADNet and STAR rasterise a spline on the CPU per sample; the distance to the lines between samples of the curve
    gives the same picture on the training device for the whole batch. (The distance to the samples alone leaves gaps
    in long segments: at 64 cells a brow's closing side was a row of dots, down to 0.14 between them.)

    The maps have no gradient. On a CPU, edges and faces are drawn in parts that stay in its cache, which is faster
    than all at once; other devices draw all edges at once, because there each operation costs a launch.

    Args:
        weights: of each edge, from `curve_weights`.
    """
    # Autocast would make the product bfloat16, which moves a curve by up to a quarter of a cell.
    with torch.no_grad(), torch.autocast(points.device.type, enabled=False):
        scale = width / sigma, height / sigma
        if points.device.type != "cpu":
            squares = _square_distances(points, weights, height, width, scale)
        else:
            edges = []
            for weight in weights:
                faces = max(1, _CACHED_VALUES // (len(weight) * height * width))
                parts = (_square_distances(part, [weight], height, width, scale) for part in points.split(faces))
                edges.append(torch.cat(list(parts)))
            squares = torch.cat(edges, 1)
        return squares.mul_(-0.5).exp_()


def _square_distances(
    points: Float[Tensor, "b k 2"],
    weights: list[Float[Tensor, "s k"]],
    height: int,
    width: int,
    scale: tuple[float, float],
) -> Float[Tensor, "b e h w"]:
    """Return the squared distance of every cell to each curve, in units that have `scale` to the side of the crop.

    A curve is a chain of lines; cells are (x, y) from the start of a line, which is (dx, dy) long.
    """
    start = torch.cat([weight[:-1] for weight in weights]).to(points) @ points
    line = torch.cat([weight.diff(dim=0) for weight in weights]).to(points) @ points
    x = (cell_centres(width, points) - start[..., :1]) * scale[0]
    y = (cell_centres(height, points) - start[..., 1:]) * scale[1]
    dx, dy = line[..., :1] * scale[0], line[..., 1:] * scale[1]
    square = (dx.square() + dy.square())[..., None]
    along = (y * dy)[..., :, None] + (x * dx)[..., None, :]
    nearest = (along / square.clamp_min(1e-12)).clamp_(0, 1)
    # |cell - nearest * line|^2 = |cell|^2 + nearest * (nearest * |line|^2 - 2 * along), without another map.
    squares = (nearest * square).sub_(along, alpha=2).mul_(nearest)
    squares.add_(y.square()[..., :, None]).add_(x.square()[..., None, :])
    return torch.stack([part.amin(1) for part in squares.split([len(weight) - 1 for weight in weights], 1)], 1)
