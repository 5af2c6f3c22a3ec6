"""Distillation losses by name: their options, their inputs and the mean over landmarks.

Maps are distilled from map to map. A student that regresses coordinates is distilled from the teacher's coordinates,
or its predicted spread is compared with the teacher's map. The losses are in `distill.losses.kd`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill.errors import ConfigError, suggest
from distill.losses.config import FEATURE, KDConfig
from distill.losses.reduction import masked_mean
from distill.losses.registry import KDEntry, kd_losses, option_names, resolve_options
from distill.models import Prediction

Options = Mapping[str, Any]


def distillation(
    name: str, student: Prediction, teacher: Prediction, options: Options, valid: Float[Tensor, "b k"] | Tensor
) -> Tensor:
    """Mean of a distillation loss over the landmarks by their weights `valid`, in float32.

    Args:
        name: a name of `kd_losses`.
        student: prediction of the student.
        teacher: prediction of the teacher.
        options: options of the loss; those left out have their defaults.
        valid: weight of each landmark (b, k).

    Raises:
        ConfigError: maps of unlike resolution.
    """
    with torch.autocast(student.landmarks.device.type, enabled=False):
        return masked_mean(per_landmark(name, student, teacher, options), valid)


def per_landmark(name: str, student: Prediction, teacher: Prediction, options: Options) -> Float[Tensor, "b k"]:
    """Return a distillation loss of each landmark; see `distillation`."""
    entry = kd_losses()[name]
    if entry.same_shape:
        _require_same_shape(entry, student, teacher)
    students = [student.part(part).float() for part in entry.student]
    teachers = [teacher.part(part).float() for part in entry.teacher]
    values: Tensor = entry.make(*students, *teachers, **_options_of(name, entry.options, options))
    return values


def _require_same_shape(entry: KDEntry, student: Prediction, teacher: Prediction) -> None:
    for part in entry.student:
        if part in entry.teacher and student.part(part).shape != teacher.part(part).shape:
            shapes = f"{tuple(student.part(part).shape)} and {tuple(teacher.part(part).shape)}"
            raise ConfigError(
                f"maps of student and teacher are {shapes}: give both necks of one stride, or --kd.kind coordinate"
            )


def kd_options(kd: KDConfig) -> dict[str, dict[str, Any]]:
    """Return the options of each distillation loss of a configuration, with their defaults.

    Raises:
        ConfigError: an unknown loss, or an option that none of the losses has.
    """
    losses = kd_losses()
    for name in kd.weights:
        if name not in (*losses, FEATURE):
            raise ConfigError(f"unknown --kd.kind '{name}': {suggest(name, [*losses, FEATURE, 'none'])}")
    given = kd.given_options
    chosen = [name for name in kd.weights if name != FEATURE]
    for option in given:
        if not any(option in option_names(losses[name].options) for name in chosen):
            _refuse_option(option, kd, losses)
    return {name: _options_of(name, losses[name].options, given) for name in chosen}


def _options_of(name: str, options: type, given: Options) -> dict[str, Any]:
    own = {option: value for option, value in given.items() if option in option_names(options)}
    return resolve_options(f"--kd.kind {name}", options, own)


def _refuse_option(option: str, kd: KDConfig, losses: Mapping[str, KDEntry]) -> None:
    having = ", ".join(name for name, entry in losses.items() if option in option_names(entry.options))
    hint = f"leave it out, or choose --kd.kind {having}" if having else "no distillation loss has it; leave it out"
    flag = "kd.temperature" if option == "temperature" and kd.temperature is not None else f"kd.options {option}"
    raise ConfigError(f"--{flag} has no effect with --kd.kind {kd.kind}: {hint}")


def require_kd_fits(name: str, student: Prediction, teacher: Prediction, options: Options) -> None:
    """Refuse a distillation loss that reads what student or teacher do not predict.

    Args:
        name: a name of `kd_losses`.
        student: prediction of the student for a blank crop.
        teacher: prediction of the teacher for a blank crop.
        options: options of the loss.

    Raises:
        ConfigError: what it reads is missing, naming the losses that fit; maps of unlike resolution; or a loss that
            does not return one value per landmark.
    """
    losses = kd_losses()
    entry = losses[name]
    for role, prediction, needs in (("student", student, entry.student), ("teacher", teacher, entry.teacher)):
        if not prediction.has(needs):
            fitting = [other for other, e in losses.items() if student.has(e.student) and teacher.has(e.teacher)]
            hint = " (--model.options '{uncertainty: true}' where the network has it)" if "sigmas" in needs else ""
            shared = " (of several teachers only the parts that all predict in one shape are used)"
            raise ConfigError(
                f"--kd.kind {name} needs {', '.join(needs)}{hint}, and the {role} predicts only "
                f"{', '.join(prediction.parts)}: take {', '.join(fitting)} or none{shared if role == 'teacher' else ''}"
            )
    with torch.no_grad():
        shape = tuple(per_landmark(name, student, teacher, options).shape)
    expected = tuple(student.landmarks.shape[:2])
    if shape != expected:
        raise ConfigError(f"--kd.kind {name} returned the shape {shape}: return one value per landmark, {expected}")


def require_kd_cached(name: str, cached: Prediction, form: str) -> None:
    """Refuse a distillation loss that reads outputs of the teacher that are not cached.

    Args:
        name: a name of `kd_losses`.
        cached: the cached outputs of the teacher for a blank crop.
        form: `kd.cache.form`.

    Raises:
        ConfigError: what the loss reads is not among them.
    """
    needs = kd_losses()[name].teacher
    if not cached.has(needs):
        raise ConfigError(
            f"--kd.kind {name} needs the teacher's {', '.join(needs)}, and --kd.cache.form {form} caches only its "
            f"{', '.join(cached.parts)}: give --kd.cache.form none"
        )
