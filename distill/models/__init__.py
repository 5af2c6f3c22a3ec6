"""Model zoo: create networks by name."""

from distill.models.heads import Prediction
from distill.models.zoo import create_model, list_models

__all__ = ["Prediction", "create_model", "list_models"]
