"""Build a supervised loss by name, for teacher and student."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from distill.errors import ConfigError, suggest
from distill.landmarks import Scheme
from distill.losses.registry import LossEntry, option_names, resolve_options, supervised_losses
from distill.models import Prediction


def make_loss(name: str, scheme: Scheme, **options: Any) -> nn.Module:
    """Build a supervised loss by name.

    Args:
        name: a name of `supervised_losses`.
        scheme: landmark scheme of the annotations.
        options: options of this loss; None is its default.

    Raises:
        ConfigError: unknown name, an option the loss does not have, or a scheme without the points it needs.
    """
    losses = supervised_losses()
    if name not in losses:
        raise ConfigError(f"unknown --loss.name '{name}': {suggest(name, ['default', *losses])}")
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        _require_option(losses, name, option)
    module: nn.Module = losses[name].make(scheme, **resolve_options(f"--loss.name {name}", losses[name].options, given))
    return module


def _require_option(losses: Mapping[str, LossEntry], name: str, option: str) -> None:
    if option not in option_names(losses[name].options):
        having = ", ".join(other for other, entry in losses.items() if option in option_names(entry.options))
        if not having:
            raise ConfigError(f"--loss.options: no loss has an option '{option}'; leave it out")
        raise ConfigError(
            f"--loss.{option} has no effect with --loss.name {name}: leave it out, or choose --loss.name {having}"
        )


def require_loss_fits(name: str, prediction: Prediction) -> None:
    """Refuse a loss that reads what a network does not predict.

    Raises:
        ConfigError: naming the losses that fit.
    """
    losses = supervised_losses()
    if not prediction.has(losses[name].needs):
        fitting = ", ".join(other for other, entry in losses.items() if prediction.has(entry.needs))
        raise ConfigError(
            f"--loss.name {name} needs {', '.join(losses[name].needs)}, and the network predicts only "
            f"{', '.join(prediction.parts)}: take {fitting}"
        )
