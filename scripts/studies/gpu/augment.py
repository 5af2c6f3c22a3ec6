"""Augmented crops computed on the device: the geometry of `distill.data.augment` for whole batches of tensors.

Light, colour, noise, blur and covering are simpler than albumentations', which works on single images of the CPU.
"""

import math

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from distill.data.augment import AugmentConfig
from distill.geometry import CropSpec


def crop_squares(boxes: Float[Tensor, "b 4"], crop: CropSpec) -> Float[Tensor, "b 3"]:
    """Return side, x and y of the square that a box becomes, as `CropSpec.side_and_centre` does."""
    longer = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    x, y = (boxes[:, :2] + boxes[:, 2:]).mul(0.5).unbind(1)
    return torch.stack([longer * crop.scale, x, y + crop.shift_y * longer], 1)


def sample_squares(
    squares: Float[Tensor, "b 3"], config: AugmentConfig, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "b 3"], Float[Tensor, " b"], Bool[Tensor, " b"]]:
    """Draw moved squares, their rotation in radians and which are mirrored; the distributions of `sample_affine`."""
    device, n = squares.device, len(squares)
    rotation, right, down = torch.randn(3, n, device=device, generator=generator).clamp(-2, 2)
    zoom = torch.rand(n, device=device, generator=generator) * 2 - 1
    flip = torch.rand(n, device=device, generator=generator) < config.flip
    side, x, y = squares.unbind(1)
    moved = torch.stack(
        [side * (1 + config.scale) ** zoom, x + config.shift * right * side, y + config.shift * down * side], 1
    )
    return moved, rotation * math.radians(config.rotate), flip


def affines(
    squares: Float[Tensor, "b 3"], radians: Float[Tensor, " b"], flip: Bool[Tensor, " b"], size: int
) -> Float[Tensor, "b 2 3"]:
    """Return the affine from stored pixels to crop pixels of each face; see `distill.geometry.similarity`."""
    side, x, y = squares.unbind(1)
    zoom = size / side
    cos, sin = zoom * torch.cos(radians), zoom * torch.sin(radians)
    sign = 1 - 2 * flip.to(cos.dtype)
    linear = torch.stack([torch.stack([sign * cos, -sign * sin], 1), torch.stack([sin, cos], 1)], 1)
    shift = (size - 1) / 2 - (linear @ torch.stack([x, y], 1)[:, :, None])
    return torch.cat([linear, shift], 2)


def warp_batch(images: UInt8[Tensor, "b 3 s s"], matrices: Float[Tensor, "b 2 3"], size: int) -> Tensor:
    """Cut crops (b, 3, size, size), floats in [0, 1], out of stored images by their affines; edge pixels repeat."""
    stored = images.shape[-1]
    linear = torch.linalg.inv(matrices[:, :, :2])
    offset = -linear @ matrices[:, :, 2:]
    # grid_sample and affine_grid measure from -1 to 1 over the edges of the pixels (align_corners=False).
    half, crop_half = stored / 2, size / 2
    scaled = linear * (crop_half / half)
    centre = linear @ matrices.new_full((len(matrices), 2, 1), crop_half - 0.5) + offset
    theta = torch.cat([scaled, (centre + 0.5) / half - 1], 2)
    grid = F.affine_grid(theta, [len(images), 3, size, size], align_corners=False)
    floats = images.to(grid.dtype) / 255
    return F.grid_sample(floats, grid, mode="bilinear", padding_mode="border", align_corners=False)


def move_points(points: Float[Tensor, "b k 2"], matrices: Float[Tensor, "b 2 3"], size: int) -> Float[Tensor, "b k 2"]:
    """Return points in stored pixels as coordinates normalised to the crop."""
    moved = points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, :, 2][:, None]
    return (moved + 0.5) / size


def change_colours(
    images: Float[Tensor, "b 3 h w"], strength: float, generator: torch.Generator | None = None
) -> Tensor:
    """Change gamma, contrast, brightness and colour of each image, some to grey, some blurred, some with noise."""
    n, device = len(images), images.device

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand(n, channels, 1, 1, device=device, generator=generator) * (high - low) + low

    def chosen(share: float) -> Tensor:
        return draw(0, 1) < min(1.0, share * strength)

    gamma = torch.where(chosen(0.5), draw(0.6, 1.6), 1.0)
    images = images.clamp_min(1e-4) ** gamma
    gain = torch.where(chosen(0.5), draw(0.7, 1.3), 1.0) * torch.where(chosen(0.3), draw(0.9, 1.1, 3), 1.0)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * gain + mean + torch.where(chosen(0.5), draw(-0.2, 0.2), 0.0)
    images = torch.where(chosen(0.1), images.mean(1, keepdim=True), images)
    images = torch.where(chosen(0.2), blurred(images), images)
    noise = torch.randn(images.shape, device=device, generator=generator) * torch.where(
        chosen(0.2), draw(0.01, 0.08), 0
    )
    return (images + noise).clamp(0, 1)


def blurred(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Convolve with a symmetric 5 x 5 binomial kernel (standard deviation 1 pixel), which moves nothing."""
    taps = images.new_tensor([1, 4, 6, 4, 1]) / 16
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    rows = F.conv2d(padded, taps.view(1, 1, 1, 5).expand(3, 1, 1, 5), groups=3)
    return F.conv2d(rows, taps.view(1, 1, 5, 1).expand(3, 1, 5, 1), groups=3)


def cover(images: Float[Tensor, "b 3 h w"], probability: float, generator: torch.Generator | None = None) -> Tensor:
    """Cover part of some images with a rectangle of one random colour, a tenth to a third of the sides."""
    n, _, height, width = images.shape
    draws = torch.rand(8, n, 1, 1, 1, device=images.device, generator=generator)
    x, y = torch.arange(width, device=images.device), torch.arange(height, device=images.device)
    wide, high = (0.1 + 0.25 * draws[0]) * width, (0.1 + 0.25 * draws[1]) * height
    left, top = draws[2] * (width - wide), draws[3] * (height - high)
    columns = (x >= left) & (x < left + wide)
    rows = (y[:, None] >= top) & (y[:, None] < top + high)
    inside = columns & rows & (draws[4] < probability)
    return torch.where(inside, draws[5:8].squeeze(2).permute(1, 0, 2, 3), images)
