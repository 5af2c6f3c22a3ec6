"""Image decoding and crop extraction: damaged files are refused, crops are anti-aliased. Uses no torch."""

from distill.images.decode import decode_image, image_layout, image_size, read_image
from distill.images.orientation import Layout
from distill.images.warp import Photo, warp

__all__ = ["Layout", "Photo", "decode_image", "image_layout", "image_size", "read_image", "warp"]
