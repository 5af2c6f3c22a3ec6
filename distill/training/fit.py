"""From a configuration to a trained network: read the faces, build the parts, fit."""

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.progress import track
from torch import nn

from distill.data.box_sources import DETECTOR
from distill.data.class_balance import attribute_weights
from distill.data.config import DataConfig, SetConfig
from distill.data.datamodule import FaceData
from distill.data.dataset import FaceDataset
from distill.data.detector_boxes import detected_crop, with_detector_boxes
from distill.data.multi_dataset import MixedDataset, TrainingSet, relabelled
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord, known_normalisers, require_points
from distill.data.splits import data_hash, split_by_group, without_groups_of
from distill.detection.detector import FaceDetector
from distill.errors import ConfigError
from distill.files import sha256, write_json, write_text
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.losses.cross_format import CrossFormatLoss
from distill.losses.supervised import make_loss, require_loss_fits
from distill.metrics import LandmarkMetrics
from distill.models import create_model
from distill.models.regression import schemes_of
from distill.models.zoo import zoo_entry
from distill.provenance import commit
from distill.spec import ModelSpec
from distill.training.callbacks.checkpointing import AtomicCheckpointIO, RunCheckpoints, remove_leftovers
from distill.training.callbacks.early_stopping import StopWithoutProgress
from distill.training.callbacks.ema import WeightEMA
from distill.training.callbacks.grad_norms import TermGradients
from distill.training.callbacks.seeding import StatelessSeeding, step_seed
from distill.training.config import RunConfig, StudentConfig
from distill.training.distillation_task import StudentTask
from distill.training.loggers.csv import CsvLog, Tracking, is_first_process, plain_config
from distill.training.loggers.wandb import WandbLog
from distill.training.memory import keep_freed_memory
from distill.training.precision import resolved, slow_precision
from distill.training.pretrained import start_from
from distill.training.resume import checkpoint_to_resume
from distill.training.tasks import LandmarkTask, blank_prediction
from distill.training.teacher import FrozenTeacher
from distill.training.teacher_cache.factory import parts_of, with_cache

# Training on the detector's boxes helped where this was 8 % (boxes around the 51 inner points of 300-W, shown the
# detector's: 9.0 -> 6.4 % NME) and did harm where it was 3 % (around 68: 6.2 -> 6.5); scripts/reproduce/found_boxes.py.
_WANDER = 0.05


def train_teacher(config: RunConfig) -> Path:
    """Train a network on annotated faces alone; return the folder of the run."""
    net = make_net(config)
    data = make_data(config, schemes_of(net, config.data.scheme))
    return fit(config, LandmarkTask(**_parts(config, net, data)), data)


def train_student(config: StudentConfig) -> Path:
    """Train a student, with its teacher unless `kd.kind` is `none`; return the folder of the run."""
    if config.kd.kind == "none":
        return train_teacher(config)
    frozen = FrozenTeacher.load(config.teachers, config.kd.flip)
    net = make_net(config)
    data = make_data(config, schemes_of(net, config.data.scheme))
    parts = _parts(config, net, data)
    frozen.require_same_input(parts["spec"])
    teacher = with_cache(frozen, config, data.train)
    return fit(config, StudentTask(**parts, teacher=teacher, kd=config.kd), data)


def read_split(data: DataConfig, seed: int) -> tuple[list[FaceRecord], list[FaceRecord]]:
    """Return the training and validation faces; no photo is on both sides, none is among the test faces."""
    train = read_faces(data.format, data.root, parse_subsets(data.subset), data.scheme)
    if data.test_subset is not None:
        test = read_faces(data.format, data.root, parse_subsets(data.test_subset), data.scheme)
        train = without_groups_of(train, test)
    if data.val_subset is None:
        return split_by_group(train, data.val_fraction, seed)
    val = read_faces(data.format, data.root, parse_subsets(data.val_subset), data.scheme)
    return without_groups_of(train, val), val


def make_net(config: RunConfig) -> nn.Module:
    """Build the network of a run; its first weights depend on the seed and `model.init` alone.

    A resumed run has weights of its own and does not read `model.init` again.
    """
    torch.manual_seed(step_seed(config.seed, 0))
    net = create_model(config.model.arch, config.data.scheme, **config.model.options)
    if config.model.init is not None and not config.resume:
        line = start_from(net, config.model.init)
        if is_first_process():
            print(line)
    return net


def measurable(faces: Sequence[FaceRecord], scheme: str) -> str:
    """Return the normaliser that validation faces can be measured by, the first of the scheme that all of them know.

    Raises:
        AnnotationError: a face without a single marked point.
    """
    require_points(faces, "validation faces", "choose others with --data.val_subset")
    found, first = known_normalisers(faces, scheme)[0], load_scheme(scheme).normalisers[0]
    if found != first and is_first_process():
        print(f"Validation by the {found} distance: not every face has the points of the {first} distance marked")
    return found


def make_data(config: RunConfig, heads: Sequence[str]) -> FaceData:
    """Read the faces of a run, for heads of these schemes, and wrap them for Lightning."""
    data = config.data
    train, val = read_split(data, config.seed)
    mixed = len(heads) > 1 or bool(data.sets) or bool(data.balance)
    scheme = data.scheme
    if mixed:
        train, scheme = _as_annotated(data, train)
    train, detector_crop = _with_detector(train, data.boxes, data.crop)
    faces = FaceDataset(
        train, data.crop, scheme, data.augment, data.boxes, config.seed, data.cache, data.rounds, detector_crop
    )
    weights = attribute_weights(train, data.balance) if data.balance else None
    further = [_training_set(data, one, config.seed + place, val) for place, one in enumerate(data.sets, 1)]
    return FaceData(
        MixedDataset([TrainingSet(faces, weights), *further], heads) if mixed else faces,
        FaceDataset(val, data.crop, data.scheme, None, data.boxes[:1], config.seed, data.cache),
        batch_size=data.batch_size,
        epochs=config.trainer.epochs,
        workers=data.workers,
        seed=config.seed,
    )


def _with_detector(
    records: list[FaceRecord], boxes: Sequence[str], crop: CropSpec
) -> tuple[list[FaceRecord], CropSpec | None]:
    """Return the faces with what our detector finds, where that is trained on, and how its boxes are cut out.

    Raises:
        ConfigError: it finds too few of them to tell how its boxes lie to the others.
    """
    if DETECTOR not in boxes:
        return records, None
    detector = FaceDetector()
    bar = track(records, "Finding faces", console=Console(stderr=True), disable=not is_first_process())
    faces = with_detector_boxes(bar, detector, boxes[0])
    fitted, found, asked, _ = detected_crop(faces, crop, boxes[0], detector)
    if fitted is None:
        raise ConfigError(
            f"--data.boxes: the detector finds {found} of {asked} faces, too few to train on {DETECTOR} boxes"
        )
    return faces, fitted


def _as_annotated(data: DataConfig, faces: Sequence[FaceRecord]) -> tuple[list[FaceRecord], str]:
    """Return the same faces with the points they were annotated with, which may teach more heads, and their scheme."""
    names = {face.name for face in faces}
    records = read_faces(data.format, data.root, parse_subsets(data.subset))
    schemes = {record.scheme for record in records if record.name in names}
    if len(schemes) > 1:
        return list(faces), data.scheme
    return [record for record in records if record.name in names], schemes.pop()


def _training_set(data: DataConfig, further: SetConfig, seed: int, val: Sequence[FaceRecord]) -> TrainingSet:
    """Read one of `data.sets`, without the photos that are validated or tested on if it lies in the same folder."""
    records = read_faces(further.format, further.root, parse_subsets(further.subset), further.scheme)
    if further.root.resolve() == data.root.resolve():
        records = without_groups_of(records, val)
        if data.test_subset is not None:
            test = read_faces(data.format, data.root, parse_subsets(data.test_subset), data.scheme)
            records = without_groups_of(records, test)
    if not records:
        raise ConfigError(f"--data.sets: no face of {further.root} is left to train on; choose another subset")
    records = relabelled(records, further.labels)
    scheme = further.scheme or records[0].scheme
    boxes = further.boxes or data.boxes
    records, detector_crop = _with_detector(records, boxes, data.crop)
    faces = FaceDataset(records, data.crop, scheme, data.augment, boxes, seed, data.cache, data.rounds, detector_crop)
    return TrainingSet(faces, further.weight, further.share)


def _parts(config: RunConfig, net: nn.Module, data: FaceData) -> dict[str, Any]:
    """Return what a task is made of, with a loss that fits the network.

    Raises:
        ConfigError: crops or a loss that the network is not made for.
    """
    model, scheme = config.model, load_scheme(config.data.scheme)
    return {
        "net": net,
        "loss": _loss(config, net),
        "metric": LandmarkMetrics(scheme, measurable(data.val.records, config.data.scheme)),
        "optim": config.optim,
        "total_steps": len(data.sampler(world=config.trainer.devices * config.trainer.num_nodes)),
        "spec": ModelSpec(model.arch, config.data.scheme, scheme.n_points, config.data.crop, dict(model.options)),
    }


def detected(config: RunConfig, data: FaceData) -> CropSpec | None:
    """Return how a detector's box is to be cut out for what is trained here, as its faces tell; say so in a line."""
    kind, crop, fitted, wander = config.data.boxes[0], config.data.crop, None, 0.0
    try:
        detector = FaceDetector()
    except ConfigError as error:
        what = f"No detector ({error})"
    else:
        faces = parts_of(data.train)[0].records  # boxes of further sets may be of another kind
        fitted, found, asked, wander = detected_crop(faces, crop, kind, detector)
        what = f"The detector finds {found} of {asked} training faces"
    then = (
        f"its box is cut out {fitted.scale:.2f} times, a {kind} box {crop.scale:g}, {100 * wander:.0f} % of a crop off"
        if fitted
        else f"its boxes will be cut out as {kind} boxes are"
    )
    if is_first_process():
        print(f"{what}: {then}")
        if wander > _WANDER and DETECTOR not in config.data.boxes:
            print(f'--data.boxes \'["{kind}", "{DETECTOR}"]\' would also train on the detector\'s boxes (docs/data.md)')
    return fitted


def _loss(config: RunConfig, net: nn.Module) -> nn.Module:
    options = asdict(config.loss)
    kind = options.pop("kind")
    kind = zoo_entry(config.model.arch).loss if kind == "default" else kind
    losses = {s: make_loss(kind, load_scheme(s), **options) for s in schemes_of(net, config.data.scheme)}
    require_loss_fits(kind, blank_prediction(net, config.data.crop.size))
    mixed = len(losses) > 1 or config.data.sets or config.data.balance
    return CrossFormatLoss(losses) if mixed else losses[config.data.scheme]


def fit(config: RunConfig, task: LandmarkTask, data: FaceData) -> Path:
    """Run or resume one training; leaves `last.ckpt`, `best.ckpt`, `metrics.csv`, `config.yaml` and `summary.json`.

    Raises:
        ConfigError: the run exists already and is not to be resumed, or it was started with other options.
        CheckpointError: it is to be resumed and has no checkpoint.
    """
    folder = config.runs / config.name
    resume_from = checkpoint_to_resume(folder, config) if config.resume else None
    if resume_from is None and (folder / "last.ckpt").exists():
        raise ConfigError(f"{folder}: this run exists; continue it with --resume, or choose another --name")
    remove_leftovers(folder)
    if is_first_process():
        write_text(folder / "config.yaml", yaml.safe_dump(plain_config(config), sort_keys=False))
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    if (line := slow_precision(config.trainer)) and is_first_process():
        print(line)
    task.origin, task.spec = origin(config, data), replace(task.spec, detected=detected(config, data))
    started = time.monotonic()
    checkpoints = RunCheckpoints(folder, config.trainer.checkpoint_every)
    # What hardware there is and which product to try next is no news to somebody who started a training.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    try:
        trainer = _make_trainer(config, task, data, checkpoints, folder)
    except MisconfigurationException as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"--trainer: this machine cannot do that ({reason}); --trainer.accelerator auto") from error
    if trainer.strategy.root_device.type == "cpu":
        keep_freed_memory()
    with warnings.catch_warnings():
        # The stream of batches starts at the right step by itself (see StepSampler); Lightning cannot know.
        warnings.filterwarnings("ignore", message=".*dataloader is not resumable.*")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*in eval mode at the start.*")  # frozen stages and backbones
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of an old torch name
        trainer.fit(task, datamodule=data, ckpt_path=resume_from, weights_only=True)
    if trainer.is_global_zero:
        _summarise(config, task, data, checkpoints, folder, time.monotonic() - started)
    return folder


def origin(config: RunConfig, data: FaceData) -> dict[str, Any]:
    """Return what decides a run beside its options, in plain types: `--data.root` and `--teacher` may have moved."""
    teachers = config.teachers if isinstance(config, StudentConfig) and config.kd.kind != "none" else []
    return {
        "precision": resolved(config.trainer),
        "train_hash": data_hash(data.train.records),
        "val_hash": data_hash(data.val.records),
        "teachers": [sha256(path) for path in teachers],
    }


def _make_trainer(
    config: RunConfig, task: LandmarkTask, data: FaceData, checkpoints: RunCheckpoints, folder: Path
) -> pl.Trainer:
    loggers: list[Logger] = [CsvLog(folder / "metrics.csv")]
    if config.log.wandb != "disabled" and is_first_process():
        loggers.append(WandbLog(config, folder))
    callbacks: list[pl.Callback] = [
        StatelessSeeding(config.seed),
        RichProgressBar(),
        Tracking(config.log.every, config.log.pictures),
    ]
    if config.optim.ema:
        callbacks.append(WeightEMA(config.optim.ema))
    if config.log.gradients:
        callbacks.append(TermGradients(config.log.gradients))
    if config.trainer.patience:
        callbacks.append(StopWithoutProgress(config.trainer.patience))
    per_epoch = task.total_steps // config.trainer.epochs
    several = config.trainer.devices * config.trainer.num_nodes > 1
    return pl.Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.num_nodes,
        # Heads of other schemes, spreads and pose nets take part in some losses only.
        strategy="ddp_find_unused_parameters_true" if several else "auto",
        precision={"32": "32-true", "bf16": "bf16-mixed"}[resolved(config.trainer)],  # type: ignore[arg-type]
        max_epochs=1,  # all epochs are one stream of steps
        val_check_interval=min(config.trainer.validate_every * per_epoch, task.total_steps),
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # nothing is logged through Lightning; a larger number only warns on short runs
        logger=loggers,
        callbacks=[*callbacks, checkpoints],
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _summarise(
    config: RunConfig, task: LandmarkTask, data: FaceData, checkpoints: RunCheckpoints, folder: Path, seconds: float
) -> None:
    write_json(
        folder / "summary.json",
        {
            "val_nme": checkpoints.best_nme,
            "normaliser": task.metric.normaliser,
            "best_step": checkpoints.best_step,
            "steps": task.global_step,
            "seconds": round(seconds, 1),
            "seed": config.seed,
            "commit": commit(),
            "train_faces": len(data.train),
            "val_faces": len(data.val),
            **task.origin,
        },
    )
