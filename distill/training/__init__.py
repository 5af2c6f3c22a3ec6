"""Training teacher and student with Lightning."""

import distill.torchvision_compat  # noqa: F401
