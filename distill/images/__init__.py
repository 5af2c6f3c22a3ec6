"""Image decoding and crop extraction: damaged files are refused, crops are anti-aliased. Uses no torch."""

from distill.images.decode import decode_image, image_layout, image_size, read_image, rgb_pixels
from distill.images.orientation import UPRIGHT, Layout
from distill.images.scaled import AnyPhoto, ScaledPhoto, coarse_level, read_scaled, warp_photo, whole_photo
from distill.images.warp import Photo, warp

__all__ = [
    "UPRIGHT",
    "AnyPhoto",
    "Layout",
    "Photo",
    "ScaledPhoto",
    "coarse_level",
    "decode_image",
    "image_layout",
    "image_size",
    "read_image",
    "read_scaled",
    "rgb_pixels",
    "warp",
    "warp_photo",
    "whole_photo",
]
