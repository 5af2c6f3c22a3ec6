"""One training of limited time on a device: the schedule follows the clock, and the state is saved every minute."""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from distill.data.augment import AugmentConfig
from distill.errors import CheckpointError, ConfigError
from distill.files import atomic_path, remove_unfinished
from distill.landmarks import load_scheme
from distill.losses.distillation import distillation
from distill.losses.reduction import inside_crop
from distill.metrics.functional import nme_per_face, normaliser
from distill.models import Prediction
from distill.spec import ModelSpec
from distill.training.annotation_shift import face_residuals
from distill.training.base_task import parameter_groups
from distill.training.config import OptimConfig
from distill.training.interrupt import StopRequest
from distill.training.optimizers import lr_factor
from distill.training.teacher import FrozenTeacher
from scripts.studies.gpu.faces import Batch, DeviceFaces

# Progress is measured in thousandths of the time, so that `lr_factor` serves as it does for steps.
_TICKS = 1000
_LOG_EVERY = 20
_SAVE_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """What is trained and how.

    Attributes:
        name: of the files.
        spec: of the network.
        minutes: of training; starting, measuring and saving come on top.
        batch_size: crops per step.
        unlabelled: share of a batch without labels; needs targets.
        kd_weight: weight of the distance to the landmarks that a teacher predicted; without effect where none did.
        optim: optimiser.
        augment: of the crops.
        compile: run the network through `torch.compile`.
    """

    name: str
    spec: ModelSpec
    minutes: float
    batch_size: int
    optim: OptimConfig
    augment: AugmentConfig
    unlabelled: float = 0.0
    kd_weight: float = 120.0
    compile: bool = False


@dataclass
class Progress:
    """How far a stage is: steps, seconds of training, and what was logged."""

    steps: int = 0
    seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)


class StageRun:
    """State of a stage in training.

    Args:
        stage: what and how.
        net: network to be trained, on the device.
        loss: supervised loss.
        faces: the faces.
        roles: role -> indices of its faces, on the device.
        scheme: landmark scheme of the faces.
        folder: where the state is saved.
        stop: request of a signal, after which the state is saved and the training ends.
    """

    def __init__(
        self, stage: Stage, net: nn.Module, loss: nn.Module,
        faces: DeviceFaces, roles: Mapping[str, Tensor], scheme: str, folder: Path, stop: StopRequest | None = None,
    ):  # fmt: skip
        self.stop = stop
        self.stage, self.loss, self.faces, self.roles = stage, loss, faces, roles
        self.scheme, self.path = load_scheme(scheme), folder / f"{stage.name}.state.pt"
        self.net = net.to(faces.device).to(memory_format=torch.channels_last).train()
        self.average = deepcopy(self.net).eval().requires_grad_(False)
        self.run = torch.compile(self.net) if stage.compile else self.net
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.net, stage.optim), fused=True if faces.device.type == "cuda" else None
        )
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.generator = torch.Generator(faces.device).manual_seed(0)
        self.progress = Progress()
        self.size = stage.spec.crop.size

    def resume(self) -> None:
        """Continue from the saved state, if there is one.

        Raises:
            CheckpointError: the state cannot be read.
            ConfigError: the state is of another network.
        """
        remove_unfinished(self.path.parent, self.path.stem)
        if not self.path.is_file():
            return
        try:
            state = torch.load(self.path, map_location=self.faces.device, weights_only=True)
        except (RuntimeError, EOFError, UnpicklingError, OSError) as error:
            raise CheckpointError(f"{self.path}: not a whole state; remove it to start the stage again") from error
        try:
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ConfigError(f"{self.path}: of another network; remove it or choose another --out") from error
        self.generator.set_state(state["generator"].cpu())
        self.progress = Progress(**state["progress"])

    @property
    def finished(self) -> bool:
        """Whether the time is over."""
        return self.progress.seconds >= 60 * self.stage.minutes

    def save(self) -> None:
        """Write the whole state."""
        state = {
            "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(), "generator": self.generator.get_state(),
            "progress": vars(self.progress),
        }  # fmt: skip
        with atomic_path(self.path) as temporary:
            torch.save(state, temporary)

    def train(self, notify: Callable[[str], None]) -> None:
        """Train until the time is over; save every minute, and when a signal comes.

        Raises:
            ConfigError: the loss is not finite.
            TrainingInterrupted: SIGINT or SIGTERM; the last step is saved.
        """
        budget = 60 * self.stage.minutes
        saved = last = time.perf_counter()
        while not self.finished:
            self._set_rates(self.progress.seconds / budget)
            terms = self.step()
            self.progress.steps += 1
            if self.progress.steps % _LOG_EVERY == 0 or self.faces.device.type == "cpu":
                loss = float(terms["loss"])  # waits for the device, so that the clock is right
                self._require_finite(loss)
            now = time.perf_counter()
            self.progress.seconds += now - last
            last = now
            if now - saved > _SAVE_SECONDS or self.finished:
                self._log({name: float(value) for name, value in terms.items()}, notify)
                self.save()
                saved = last = time.perf_counter()
            if self.stop is not None and self.stop.number:
                self._require_finite(float(terms["loss"]))
                self.save()
                self.stop.raise_if_requested()

    def step(self) -> dict[str, Tensor]:
        """Do one optimiser step and return the terms of its loss, on the device."""
        batch = self.faces.batch(self._indices(), self.size, self.stage.augment, self.generator)
        terms = self.losses(batch)
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.stage.optim.clip)
        self.optimizer.step()
        self._average()
        return {name: value.detach() for name, value in terms.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the loss of a batch and their sum as `loss`."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with self._autocast():
            prediction = self.run(images)
        terms: dict[str, Tensor] = dict(self.loss(prediction, batch.landmarks, batch.known))
        if batch.targets is not None:
            target, valid = Prediction(batch.targets), inside_crop(batch.targets)
            terms["kd"] = self.stage.kd_weight * distillation("coordinate", prediction, target, {}, valid)
            terms["loss"] = terms["loss"] + terms["kd"]
        return terms

    @torch.no_grad()
    def validate(self, batch_size: int = 64) -> float:
        """Return the NME of the averaged weights on the validation faces, as a fraction."""
        errors = []
        for indices in self.roles["val"].split(batch_size):
            batch = self.faces.batch(indices, self.stage.spec.crop.size, None)
            predicted = self.average(batch.images).landmarks.float()
            distance = normaliser(self.scheme, batch.landmarks, self.scheme.normalisers[0], batch.box_size)
            errors.append(nme_per_face(predicted, batch.landmarks, distance.to(predicted.device), batch.known))
        return float(torch.cat(errors).mean())

    @torch.no_grad()
    def residuals(self, count: int = 400, batch_size: int = 64) -> list[float]:
        """Return how far annotations lie to the right of predictions, in sides of the crop, face by face or NaN.

        Args:
            count: at most so many training faces, evenly spread.
            batch_size: crops per forward pass.
        """
        symmetric = FrozenTeacher([self.average], [self.stage.spec], flip=True)
        faces = self.roles["train"]
        chosen = faces[torch.linspace(0, len(faces) - 1, min(count, len(faces)), device=faces.device).long()]
        found: list[float] = []
        for indices in chosen.split(batch_size):
            batch = self.faces.batch(indices, self.size, None)
            predicted = symmetric(batch.images).landmarks.float()
            found += face_residuals(predicted, batch.landmarks, batch.known).tolist()
        return found

    def _indices(self) -> Tensor:
        """Draw the faces of a batch: labelled ones, and the chosen share of unlabelled ones."""
        unlabelled = round(self.stage.unlabelled * self.stage.batch_size)
        counts = {"train": self.stage.batch_size - unlabelled, "unlabelled": unlabelled}
        drawn = []
        for role, count in counts.items():
            if count:
                chosen = torch.randint(
                    len(self.roles[role]), (count,), device=self.faces.device, generator=self.generator
                )
                drawn.append(self.roles[role][chosen])
        return torch.cat(drawn)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.faces.device.type, torch.bfloat16, enabled=self.faces.device.type == "cuda")

    def _set_rates(self, share: float) -> None:
        factor = lr_factor(int(share * _TICKS), _TICKS, self.stage.optim)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.stage.optim.ema, (1 + self.progress.steps) / (10 + self.progress.steps))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), 1 - decay)
        torch._foreach_copy_(list(self.average.buffers()), list(self.net.buffers()))

    def _log(self, terms: Mapping[str, float], notify: Callable[[str], None]) -> None:
        self._require_finite(terms["loss"])
        entry = {"seconds": self.progress.seconds, "steps": float(self.progress.steps), **terms, "nme": self.validate()}
        self.progress.log.append(entry)
        notify(
            f"{self.stage.name}: {entry['seconds'] / 60:.1f} of {self.stage.minutes:g} min, "
            f"step {self.progress.steps}, "
            f"loss {terms['loss']:.3f}, validation NME {100 * entry['nme']:.2f} %"
        )

    def _require_finite(self, loss: float) -> None:
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise ConfigError(
                f"{self.stage.name}: the loss is {loss} near step {self.progress.steps}; lower the learning rate and "
                f"start again from {self.path.name}"
            )


def seconds_of_parts(run: StageRun, repeats: int = 10) -> dict[str, float]:
    """Return seconds per step of crops, forward pass with loss, backward pass and optimiser; changes no weights.

    The gradients of one batch are computed again and again, and the optimiser runs with a learning rate of 0.
    """
    rates = [group["lr"] for group in run.optimizer.param_groups]
    for group in run.optimizer.param_groups:
        group["lr"] = 0.0
    parts = dict.fromkeys(("crops", "forward", "backward", "optimizer"), 0.0)
    state = run.generator.get_state()
    buffers = {name: value.clone() for name, value in run.net.named_buffers()}
    for repeat in range(repeats + 2):
        times = _timed_step(run)
        if repeat >= 2:  # the first steps compile and allocate
            parts = {name: parts[name] + times[name] / repeats for name in parts}
    for group, rate in zip(run.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    run.optimizer.state.clear()
    run.generator.set_state(state)
    for name, value in run.net.named_buffers():
        value.copy_(buffers[name])
    return parts


def _timed_step(run: StageRun) -> dict[str, float]:
    times: dict[str, Any] = {}
    batch = _timed(run, times, "crops", lambda: run.faces.batch(
        run._indices(), run.size, run.stage.augment, run.generator))  # fmt: skip
    terms = _timed(run, times, "forward", lambda: run.losses(batch))
    run.optimizer.zero_grad(set_to_none=True)
    _timed(run, times, "backward", lambda: terms["loss"].backward())
    _timed(run, times, "optimizer", run.optimizer.step)
    return times


def _timed(run: StageRun, times: dict[str, Any], name: str, call: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = call()
    if run.faces.device.type == "cuda":
        torch.cuda.synchronize()
    times[name] = time.perf_counter() - start
    return result
