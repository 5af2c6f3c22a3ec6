"""Networks by name. Importing this package makes torchvision importable first, because timm needs it."""

import distill.torchvision_compat  # noqa: F401  isort: skip
from distill.models.heads import Prediction
from distill.models.zoo import create_model, list_models

__all__ = ["Prediction", "create_model", "list_models"]
