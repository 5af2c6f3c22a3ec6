"""Train a network: `train_teacher` without and `train_student` with distillation."""

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from distill.data.datamodule import FaceData
from distill.data.shards.faces import full_name
from distill.data.trained_photos import photo_fingerprints
from distill.errors import ConfigError
from distill.losses.distillation import kd_options
from distill.plugins import load_plugins
from distill.training.annotation_shift import fit_annotation_shift
from distill.training.build import (
    detector_crop,
    make_data,
    make_net,
    notify,
    origin,
    simulate_int8,
    task_parts,
    with_crop,
    with_input_size,
)
from distill.training.callbacks.checkpointing import RunCheckpoints, remove_leftovers
from distill.training.callbacks.stored_config import StoredConfig
from distill.training.compilation import compile_network
from distill.training.config import RunConfig, StudentConfig
from distill.training.distillation_task import StudentTask
from distill.training.failure import ending_together
from distill.training.lineage import record_training, training_facts, training_inputs
from distill.training.loggers.csv import is_first_process
from distill.training.precision import prepare_cpu, slow_precision
from distill.training.resume import not_resumable, require_same_options
from distill.training.session import Session, training_session
from distill.training.summary import write_summary
from distill.training.tasks import LandmarkTask
from distill.training.teacher import FrozenTeacher
from distill.training.teacher_cache.factory import with_cache
from distill.training.trainer import make_loggers, make_trainer, without_known_warnings


def train_teacher(config: RunConfig) -> Path:
    """Train a network on annotated faces alone; return the folder of the run."""
    load_plugins(config.plugin)
    config = with_input_size(config)
    with training_session(config) as session:
        net = make_net(config)
        data = make_data(config, net)
        config = with_crop(config, data.val.crop)
        fit(config, LandmarkTask(**task_parts(config, net, data)), data, session)
    return session.folder


def train_student(config: StudentConfig) -> Path:
    """Train a student with its teacher, or without one if `kd.kind` is `none`; return the folder of the run."""
    if config.kd.kind == "none":
        return train_teacher(config)
    load_plugins(config.plugin)
    kd_options(config.kd)  # before anything slow
    config = with_input_size(config)
    with training_session(config) as session:
        frozen = FrozenTeacher.load(config.teachers, config.kd.flip, config.data.scheme)
        if frozen.spec.scheme == config.data.scheme:
            config = with_crop(config, frozen.spec.crop)
        net = make_net(config)
        data = make_data(config, net)
        config = with_crop(config, data.val.crop)
        parts = task_parts(config, net, data)
        frozen.require_same_input(parts["spec"])
        teacher = with_cache(frozen, config, data.train)
        fit(config, StudentTask(**parts, teacher=teacher, kd=config.kd), data, session)
    return session.folder


def fit(config: RunConfig, task: LandmarkTask, data: FaceData, session: Session) -> None:
    """Run or resume one training; leaves `last.ckpt`, `best.ckpt`, `metrics.csv`, `config.yaml`, `summary.json` and a
    record in `lineage.jsonl`.

    Raises:
        ConfigError: the run was started with another crop, or Lightning does not take the options of the trainer.
    """
    folder = session.folder
    if config.resume:
        require_same_options(folder, config)  # again: the crop is known by now
    remove_leftovers(folder)
    stored = StoredConfig(folder, config, resumed=session.resume_from is not None)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    if line := slow_precision(config.trainer):
        notify(line)
    simulate_int8(config, task)
    task.origin = origin(config, data)
    task.accumulate = config.trainer.accumulate
    task.accept_data = config.accept_data
    task.skip_nonfinite = config.trainer.nonfinite == "skip"
    records = data.train.records
    # A function, as the averaged weights are a deep copy of the task.
    task.name_of = lambda face: full_name(records, face)
    trained_on = photo_fingerprints(data.train.records)
    task.spec = replace(task.spec, detected=detector_crop(config, data), trained_on=trained_on)
    started = time.monotonic()
    checkpoints = RunCheckpoints(folder, config.trainer.checkpoint_every)
    # Lightning's lines about hardware and its own products are no facts of the run.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    inputs = training_inputs(config, task, data) if is_first_process() else []
    try:
        loggers = make_loggers(config, folder, training_facts(task, data), inputs)
        trainer = make_trainer(config, task, checkpoints, session, loggers)
    except MisconfigurationException as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"--trainer: Lightning does not take these options here ({reason})") from error
    trainer.callbacks.append(stored)  # type: ignore[attr-defined]
    if trainer.strategy.root_device.type == "cpu":
        prepare_cpu(config.trainer, task.net)
    if config.trainer.compile:
        compile_network(task, notify)
    with without_known_warnings():
        _run(trainer, task, data, session, checkpoints)
    try:
        if trainer.is_global_zero:
            shift = fit_annotation_shift(config, data, folder, trainer.strategy.root_device, notify)
            write_summary(config, task, data, checkpoints, folder, time.monotonic() - started, shift)
            record_training(config, folder, inputs)
    finally:
        trainer.strategy.barrier()  # every process reads the summary


def _run(
    trainer: pl.Trainer, task: LandmarkTask, data: FaceData, session: Session, checkpoints: RunCheckpoints
) -> None:
    """Train, from the session's checkpoint where there is one.

    Raises:
        CheckpointError: what the checkpoint stores is not what Lightning restores.
    """
    try:
        with ending_together(trainer, data):
            trainer.fit(task, datamodule=data, ckpt_path=session.resume_from, weights_only=True)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if session.resume_from is None or checkpoints.training:
            raise
        reason = (str(error).strip().splitlines() or [""])[0][:150]
        raise not_resumable(session.resume_from, f"{type(error).__name__} {reason}") from error
