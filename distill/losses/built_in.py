"""Names of the distillation losses in this package, a constant: their registry would import torch."""

# The distillation loss between features; all others compare predictions and are in `distill.losses.registry`.
FEATURE = "feature"
# A test compares them with the registry. Files of `--plugin` may add others.
BUILT_IN_KD = ("coordinate", "covariance", FEATURE, "gaussian", "kl", "l2", "mse")
