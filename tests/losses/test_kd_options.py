"""An option of a distillation loss changes the loss, or is refused by an error that names the losses it belongs to."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import ConfigError
from distill.losses.built_in import BUILT_IN_KD, FEATURE
from distill.losses.config import CacheConfig, KDConfig
from distill.losses.distillation import kd_options, per_landmark
from distill.losses.registry import KDEntry, kd_losses, option_names, resolve_options
from distill.models import Prediction
from distill.training.config import StudentConfig

OPTIONS = sorted({name for entry in kd_losses().values() for name in option_names(entry.options)})
CHANGED: dict[str, Any] = {
    "weight": 1.0, "extra": {"coordinate": 1.0}, "temperature": 3.0, "options": {"temperature": 3.0}, "decay": "linear",
    "supervised": False, "flip": True, "head_only": True, "inherit_heads": True, "cache": CacheConfig("maps"),
}  # fmt: skip


def _prediction(seed: int) -> Prediction:
    rng = torch.Generator().manual_seed(seed)
    maps = torch.rand(2, 5, 8, 8, generator=rng)
    return Prediction(torch.rand(2, 5, 2, generator=rng), maps, sigmas=torch.rand(2, 5, 2, generator=rng) + 0.1)


def _loss(kd: KDConfig) -> torch.Tensor:
    return per_landmark(kd.kind, _prediction(1), _prediction(2), kd_options(kd)[kd.kind])


# Options by a name of their own, and all of them by `--kd.options`.
GIVEN = [(option, {"options": {option: 3.0}}) for option in OPTIONS]
GIVEN += [(option, {option: 3.0}) for option in OPTIONS if option in CHANGED]


@pytest.mark.parametrize(("option", "given"), GIVEN)
@pytest.mark.parametrize("name", kd_losses())
def test_an_option_changes_the_loss_or_is_refused(name: str, option: str, given: dict[str, Any]) -> None:
    kd = KDConfig(name, **given)
    if option in option_names(kd_losses()[name].options):
        assert not torch.equal(_loss(kd), _loss(KDConfig(name)))
        return
    having = next(other for other, entry in kd_losses().items() if option in option_names(entry.options))
    with pytest.raises(ConfigError, match=rf"{option} has no effect with --kd.kind {name}: .*{having}") as caught:
        kd_options(kd)
    assert "\n" not in str(caught.value)


def test_an_option_may_belong_to_an_extra_loss() -> None:
    options = kd_options(KDConfig("mse", extra={"kl": 1.0}, temperature=2.0))
    assert options == {"mse": {}, "kl": {"temperature": 2.0}}


def test_every_option_of_the_configuration_is_in_this_test() -> None:
    assert set(CHANGED) == {field.name for field in fields(KDConfig)} - {"kind"}


@pytest.mark.parametrize("option", CHANGED)
def test_without_distillation_every_option_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"--kd.{option}.* needs a teacher, but --kd.kind is none"):
        KDConfig("none", **{option: CHANGED[option]})


@pytest.mark.parametrize("option", ["flip", "cache"])
def test_options_of_outputs_are_refused_for_features(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"--kd.{option}"):
        KDConfig(FEATURE, **{option: CHANGED[option]})
    with pytest.raises(ConfigError, match=r"temperature has no effect with --kd.kind feature"):
        kd_options(KDConfig(FEATURE, temperature=2.0))


def test_further_teachers_without_effect_are_refused() -> None:
    several = [Path("a.ckpt"), Path("b.ckpt")]
    with pytest.raises(ConfigError, match=r"--kd.kind feature takes one --teacher"):
        StudentConfig(teacher=several, kd=KDConfig(FEATURE))
    with pytest.raises(ConfigError, match=r"--teacher contradicts --kd.kind none"):
        StudentConfig(teacher=several, kd=KDConfig("none"))
    assert StudentConfig(teacher=several, kd=KDConfig(FEATURE, extra={"mse": 1.0})).teachers == several


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--kd.temperature and temperature in --kd.options: give one of them"):
        KDConfig("kl", temperature=2.0, options={"temperature": 2.0})


def test_the_names_of_the_package_are_those_of_the_registry() -> None:
    assert {*kd_losses(), FEATURE} == set(BUILT_IN_KD)


@pytest.mark.parametrize("value", ["2", True, None])
def test_values_of_another_type_are_refused(value: Any) -> None:
    entry: KDEntry = kd_losses()["kl"]
    with pytest.raises(ConfigError, match=r"--kd.kind kl: option temperature is .*, which is no float"):
        resolve_options("--kd.kind kl", entry.options, {"temperature": value})


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown --kd.kind 'covarance': did you mean 'covariance'"):
        StudentConfig(teacher=Path("t.ckpt"), kd=KDConfig("covarance"))
    with pytest.raises(ConfigError, match=r"unknown --kd.kind 'covarance': did you mean 'covariance'"):
        kd_options(KDConfig("covarance"))


def test_a_weight_of_zero_needs_another_loss() -> None:
    with pytest.raises(ConfigError, match=r"--kd\.weight 0 has no effect: train without a teacher by --kd\.kind none"):
        KDConfig("mse", weight=0)
    with pytest.raises(ConfigError, match=r"--kd\.weight 0 has no effect"):
        KDConfig("mse", weight=0, inherit_heads=True, supervised=False)
    assert KDConfig("mse", weight=0, inherit_heads=True).inherit_heads
    assert KDConfig("mse", weight=0, extra={"coordinate": 1.0}).weights["coordinate"] == 1
