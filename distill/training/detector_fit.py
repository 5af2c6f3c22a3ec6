"""Train a face detector: `train_detector`."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.loggers import Logger

from distill.data.photos.build import build_photos
from distill.data.photos.datamodule import PhotoData
from distill.detection.retinaface.distillation import DetectorKDConfig
from distill.detection.retinaface.loss import DetectionLoss
from distill.detection.retinaface.net import RetinaFace, mobilenet_v2
from distill.detection.retinaface.priors import MULTIPLE
from distill.detection.retinaface.thin import thin_weights
from distill.errors import CheckpointError, ConfigError
from distill.files import sha256, write_json
from distill.models.detector_checkpoint import DetectorSpec, load_detector
from distill.models.weights import match_by_name, match_by_order, read_tensors
from distill.training.callbacks.checkpointing import AtomicCheckpointIO, RunCheckpoints, remove_leftovers
from distill.training.callbacks.ema import WeightEMA
from distill.training.callbacks.grad_norms import TermGradients
from distill.training.callbacks.seeding import StatelessSeeding, step_seed
from distill.training.callbacks.stop_on_signal import StopOnSignal
from distill.training.callbacks.stored_config import StoredConfig
from distill.training.detector_config import DetectorConfig
from distill.training.detector_lineage import detector_facts, detector_inputs
from distill.training.detector_task import VALIDATED, DetectorTask
from distill.training.device import require_device
from distill.training.failure import ending_together
from distill.training.lineage import record_training
from distill.training.loggers.csv import Tracking, plain_config
from distill.training.loggers.trackers import require_trackers
from distill.training.precision import prepare_cpu, resolved, set_precision
from distill.training.session import Session, own_session
from distill.training.trainer import make_loggers, without_known_warnings

# Locations, speed and logging may change between two starts; what decides the weights may not.
_FREE = ("name", "runs", "data", "log", "model", "teacher")
_FREE_TRAINER = ("threads", "checkpoint_every", "accelerator")


def make_detector(config: DetectorConfig) -> RetinaFace:
    """Build the network of a run; a new run starts from `model.weights` or `model.init`, if given."""
    torch.manual_seed(step_seed(config.seed, 0))
    net = RetinaFace(config.model.net())
    if config.model.weights is not None and not config.resume:
        load_wide_weights(net, config.model.weights)
    if config.model.init is not None and not config.resume:
        load_trained(net, config.model.init)
    return net


def load_trained(net: RetinaFace, path: Path) -> None:
    """Start from a trained detector, in `net.loaded_weights` which.

    Raises:
        CheckpointError: no detector.
        ConfigError: a detector of another architecture.
    """
    trained, spec = load_detector(path)
    own = net.config
    if (spec.width, spec.pyramid, spec.anchors) != (own.width, own.pyramid_or_default, own.anchors):
        given = f"width {spec.width}, pyramid {spec.pyramid}"
        raise ConfigError(f"--model.init {path} is a detector of {given}: give the same --model options and anchors")
    net.load_state_dict(trained.state_dict())
    net.loaded_weights = {"file": path.name, "sha256": sha256(path), "width": spec.width}  # type: ignore[assignment]


def load_wide_weights(net: RetinaFace, path: Path) -> None:
    """Start the backbone from ImageNet weights of MobileNetV2 with width 1.0, in `net.loaded_weights` what was loaded.

    Raises:
        CheckpointError: no such file, or not a file of tensors.
        ConfigError: the file is not MobileNetV2 with width 1.0.
    """
    tensors = read_tensors(path)
    wide = mobilenet_v2(1.0).state_dict()
    wanted = [name for name in wide if not name.endswith("num_batches_tracked")]
    matched = match_by_name(wide, tensors)
    matched = matched if all(name in matched for name in wanted) else match_by_order(wide, tensors)
    if not all(name in matched for name in wanted):
        raise ConfigError(f"--model.weights {path}: give the weights of MobileNetV2 with width 1.0")
    own = net.backbone.state_dict()
    net.backbone.load_state_dict(thin_weights({**wide, **matched}, own))
    net.loaded_weights = {"file": path.name, "sha256": sha256(path), "width": net.config.width}  # type: ignore[assignment]


def load_teacher(config: DetectorConfig) -> RetinaFace | None:
    """Return the detector to distil from, if there is one.

    Raises:
        CheckpointError: no detector.
        ConfigError: a detector with other prior boxes.
    """
    if config.teacher is None:
        return None
    teacher, spec = load_detector(config.teacher)
    if spec.anchors != config.model.anchors:
        raise ConfigError(
            f"--teacher {config.teacher} has other prior boxes: give the student the same --model.anchors"
        )
    return teacher.requires_grad_(False)


def train_detector(config: DetectorConfig) -> Path:
    """Run or resume one training; leaves `last.ckpt`, `best.ckpt`, `metrics.csv`, `config.yaml`, `summary.json` and a
    record in `lineage.jsonl`.

    Raises:
        ConfigError: the run exists already and is not to be resumed, it was started with other options, another
            process trains in its folder, this machine has no such device, or the package of a tracker is not
            installed.
        CheckpointError: it is to be resumed and was never started.
        TrainingInterrupted: SIGINT or SIGTERM; the last step is saved.
    """
    require_device(config.trainer)
    require_trackers(config)
    folder = config.runs / config.name
    started, checkpoint = partial(_require_started, folder, config), folder / "last.ckpt"
    with own_session(folder, config.resume, started, lambda: checkpoint if checkpoint.is_file() else None) as session:
        _train(config, session)
    return folder


def _train(config: DetectorConfig, session: Session) -> None:
    folder = session.folder
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    # A run that was stopped before its first checkpoint starts from `model.weights` again.
    net, teacher = make_detector(replace(config, resume=session.resume_from is not None)), load_teacher(config)
    data = build_photos(config.data, config.seed, config.trainer.epochs)
    task = _task(config, net, data, teacher)
    remove_leftovers(folder)
    stored = StoredConfig(folder, config, resumed=session.resume_from is not None)
    checkpoints = RunCheckpoints(folder, config.trainer.checkpoint_every, VALIDATED, lowest=False)
    # Lightning's lines about hardware and its own products are no facts of the run.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    inputs, facts = detector_inputs(config, data), detector_facts(task, data)
    loggers = make_loggers(config, folder, facts, inputs)
    trainer = _trainer(config, task, checkpoints, session, loggers)
    trainer.callbacks.append(stored)  # type: ignore[attr-defined]
    if trainer.strategy.root_device.type == "cpu":
        prepare_cpu(config.trainer, task.net)
    started = time.monotonic()
    with without_known_warnings(), ending_together(trainer, data):
        trainer.fit(task, datamodule=data, ckpt_path=session.resume_from, weights_only=True)
    facts["weights"] = task.weights  # of a resumed run, those that its checkpoint names
    _write_summary(config, task, checkpoints, folder, time.monotonic() - started, facts)
    record_training(config, folder, inputs)


def _write_summary(
    config: DetectorConfig,
    task: DetectorTask,
    checkpoints: RunCheckpoints,
    folder: Path,
    seconds: float,
    facts: Mapping[str, Any],
) -> None:
    result = {
        VALIDATED: checkpoints.best,
        "best_step": checkpoints.best_step,
        "steps": task.global_step,
        "seconds": round(seconds, 1),
        "seed": config.seed,
    }
    write_json(folder / "summary.json", {**result, **facts, **task.origin})


def _task(config: DetectorConfig, net: RetinaFace, data: PhotoData, teacher: RetinaFace | None) -> DetectorTask:
    spec = DetectorSpec(config.model.width, config.model.pyramid_or_default, config.model.anchors)
    task = DetectorTask(
        net,
        DetectionLoss(config.model.anchors, config.loss),
        data.val,
        config.data.val_size,
        config.optim,
        len(data.sampler()),
        spec,
        teacher,
        config.kd,
    )
    if resolved(config.trainer) == "int8":
        task.simulate_int8(torch.zeros(1, 3, 2 * MULTIPLE, 2 * MULTIPLE))
    task.origin = {**data.hashes, "scene": asdict(config.data.scene), "model": asdict(spec)}
    if config.teacher is not None:
        task.origin["teacher"] = sha256(config.teacher)
    return task


def _trainer(
    config: DetectorConfig, task: DetectorTask, checkpoints: RunCheckpoints, session: Session, loggers: Sequence[Logger]
) -> pl.Trainer:
    tracking = Tracking(config.log.every, config.log.pictures)
    callbacks: list[pl.Callback] = [StatelessSeeding(config.seed), RichProgressBar(), tracking]
    if config.optim.ema:
        callbacks.append(WeightEMA(config.optim.ema))
    if config.log.gradients:
        callbacks.append(TermGradients(config.log.gradients))
    callbacks.append(StopOnSignal(session.stop, session.folder, config.log.every))
    per_epoch = task.total_steps // config.trainer.epochs
    return pl.Trainer(
        accelerator=config.trainer.accelerator,
        devices=1,
        precision=set_precision(config.trainer),
        max_epochs=1,  # all epochs are one stream of steps
        val_check_interval=min(config.trainer.validate_every * per_epoch, task.total_steps),
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # nothing is logged through Lightning; a larger number only warns on short runs
        logger=list(loggers),
        callbacks=[*callbacks, checkpoints],
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        enable_model_summary=False,
        default_root_dir=session.folder,
    )


def _require_started(folder: Path, config: DetectorConfig) -> None:
    """Check that `folder` holds a run that was started with these options; data are compared by their hash."""
    path = folder / "last.ckpt"
    if not (folder / "config.yaml").is_file():
        raise CheckpointError(f"{path}: nothing to resume; start the run without --resume")
    before, now = yaml.safe_load((folder / "config.yaml").read_text()), plain_config(config)
    if "kd" in before:  # runs of before the distillation of features
        before["kd"] = {"features": DetectorKDConfig().features, **before["kd"]}
    for content in (before, now):
        content["trainer"] = {name: v for name, v in content["trainer"].items() if name not in _FREE_TRAINER}
        content["batch_size"] = content["data"]["batch_size"]
    for name in now:
        if name not in _FREE and before.get(name) != now[name]:
            raise ConfigError(
                f"{folder}: --{name} was {before.get(name)}, now it is {now[name]}; resume with the same options, or "
                "start another run with --name"
            )
