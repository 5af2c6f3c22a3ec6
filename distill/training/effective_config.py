"""Configuration of a run as it takes effect: current names, and defaults in place of what was left out.

Two configurations of the same training are equal in this form, also where one was written by an earlier version.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, fields
from typing import Any

from distill.data.box_sources import source_from_file
from distill.losses.config import FEATURE, KDConfig
from distill.losses.registry import kd_losses, option_names, resolve_options, supervised_losses
from distill.models.zoo import input_size, zoo_entry
from distill.training.config import OptimConfig, RunConfig, StudentConfig
from distill.training.loggers.csv import plain_config

Plain = dict[str, Any]


def effective_config(plain: Mapping[str, Any]) -> Plain:
    """Return a configuration in plain types as it takes effect.

    Args:
        plain: content of a run's `config.yaml`.
    """
    config = _with_defaults(_with_current_names(deepcopy(dict(plain))))
    config["optim"] = _effective_optim(config["optim"])
    model, crop = config["model"], config["data"]["crop"]
    crop["size"], model["options"] = input_size(model["arch"], model["options"], crop["size"])
    loss = config["loss"]
    if loss["name"] == "default":
        loss["name"] = zoo_entry(model["arch"]).loss
    if loss["name"] in supervised_losses():
        _set_options(loss, [supervised_losses()[loss["name"]].options])
    if "kd" in config:
        config["kd"] = _effective_kd(config["kd"])
    return config


def _with_current_names(config: Plain) -> Plain:
    """Replace the keys and values that earlier versions wrote."""
    loss, data, kd = config.get("loss", {}), config.get("data", {}), config.get("kd", {})
    if "kind" in loss:
        loss["name"] = loss.pop("kind")
    if "only" in kd:
        kd["supervised"] = not kd.pop("only")
    if "gigabytes" in kd.get("cache", {}):
        kd["cache"]["max_gb"] = kd["cache"].pop("gigabytes")
    if "rounds" in data:
        data["augment_period"] = data.pop("rounds")
    if "boxes" in data:
        data["boxes"] = [source_from_file(source) for source in data["boxes"]]
    return config


def _with_defaults(config: Plain) -> Plain:
    """Add the options that an earlier version did not have, with their defaults."""
    default = plain_config(StudentConfig(kd=KDConfig("none")) if "kd" in config else RunConfig())
    return _filled(config, default)


def _filled(values: Plain, default: Plain) -> Plain:
    missing = {name: value for name, value in default.items() if name not in values}
    nested = {
        name: _filled(value, default[name])
        for name, value in values.items()
        if isinstance(value, dict) and isinstance(default.get(name), dict)
    }
    return {**values, **missing, **nested}


def _effective_optim(optim: Plain) -> Plain:
    known = {field.name for field in fields(OptimConfig)}
    config = OptimConfig(**{name: value for name, value in optim.items() if name in known})
    return {
        **asdict(config),
        "head_lr": config.head_lr_or_lr,
        "momentum": config.momentum_or_default,
        "milestones": config.milestones_or_default,
        "gamma": config.gamma_or_default,
    }


def _effective_kd(kd: Plain) -> Plain:
    if kd["kind"] == "none":
        return {"kind": "none"}
    losses = kd_losses()
    names = [name for name in (kd["kind"], *kd["extra"]) if name != FEATURE and name in losses]
    _set_options(kd, [losses[name].options for name in names])
    return kd


def _set_options(group: Plain, options: list[type]) -> None:
    """Write the value of every option that a loss has, and drop those that it has not."""
    given = {**{name: value for name, value in group.items() if value is not None}, **group["options"]}
    values: Plain = {}
    for dataclass in options:
        own = {name: given[name] for name in option_names(dataclass) if name in given}
        values |= resolve_options("the loss", dataclass, own)
    flat = _FLAT_OPTIONS & group.keys()
    group.update({name: values.get(name) for name in flat})
    group["options"] = {name: value for name, value in values.items() if name not in flat}


# Options of the package's losses, which are fields of the configuration; those of plugins are in `options`.
_FLAT_OPTIONS = {"star", "star_eigen", "point", "edge", "sigma", "temperature"}
