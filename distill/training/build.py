"""Build the parts of a training run from its configuration: network, faces, loss and task."""

from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from distill.data.build import build_data, fit_detector_crop, validation_normaliser
from distill.data.datamodule import FaceData
from distill.data.multi_dataset import derived_schemes
from distill.data.splits import data_hash
from distill.errors import ConfigError
from distill.files import sha256
from distill.geometry import CropSpec
from distill.landmarks import load_scheme, own_definitions, scheme_name
from distill.losses.cross_format import CrossFormatLoss
from distill.losses.derived import DerivedPointLoss
from distill.losses.supervised import make_loss, require_loss_fits
from distill.metrics.landmarks import LandmarkMetrics
from distill.models import create_model
from distill.models.activation_checkpointing import checkpoint_activations
from distill.models.checkpoint import without_pretrained
from distill.models.regression import schemes_of
from distill.models.weights import load_backbone_weights
from distill.models.zoo import input_size, zoo_entry
from distill.plugins import plugin_list
from distill.spec import ModelSpec
from distill.training.callbacks.seeding import step_seed
from distill.training.config import NEEDS_INIT, RunConfig, StudentConfig
from distill.training.loggers.csv import is_first_process
from distill.training.precision import resolved
from distill.training.pretrained import start_from
from distill.training.tasks import LandmarkTask, blank_prediction
from distill.training.teacher_cache.factory import parts_of

Config = TypeVar("Config", bound=RunConfig)


def notify(line: str) -> None:
    """Print a line, in one process of several."""
    if is_first_process():
        print(line)


def with_input_size(config: Config) -> Config:
    """Return the configuration with the size of the crop: the one it names, else what the network is made for."""
    size, options = input_size(config.model.arch, config.model.options, config.data.crop.size)
    # A scheme is called by its declared name from here on: its file may lie elsewhere when the model is used.
    data = replace(config.data, crop=replace(config.data.crop, size=size), scheme=scheme_name(config.data.scheme))
    return replace(config, data=data, model=replace(config.model, options=options))


def make_net(config: RunConfig) -> nn.Module:
    """Build the network of a run; its first weights depend on the seed and the files of `model` alone.

    A resumed run has weights of its own: it reads no other files and downloads nothing.
    """
    torch.manual_seed(step_seed(config.seed, 0))
    model = config.model
    if resolved(config.trainer) == "int8" and model.init is None:
        raise ConfigError(f"--trainer.precision int8 {NEEDS_INIT}")
    options = without_pretrained(model.options) if config.resume else model.options
    net = create_model(model.arch, config.data.scheme, **options)
    if config.trainer.recompute:
        checkpoint_activations(net)
    if config.resume:
        return net
    if model.init is not None:
        notify(start_from(net, model.init, config.data.scheme))
    if model.weights is not None:
        notify(str(load_backbone_weights(net, model.weights)))
    return net


def make_data(config: RunConfig, net: nn.Module) -> FaceData:
    """Read the faces of a run, for all heads of its network.

    Raises:
        ConfigError: faces, or options of the loss, that do not fit the network.
    """
    make_run_loss(config, net)  # refuses options that do not fit, before all faces are read
    heads = schemes_of(net, config.data.scheme)
    progress = is_first_process()
    return build_data(config.data, heads, config.seed, config.trainer.epochs, progress=progress, notify=notify)


def simulate_int8(config: RunConfig, task: LandmarkTask) -> None:
    """Let a task train with rounded weights and activations, if the run is a quantization-aware one."""
    if resolved(config.trainer) == "int8":
        size = task.spec.crop.size
        task.simulate_int8(torch.zeros(1, 3, size, size), lambda prediction: prediction.landmarks)


def with_crop(config: Config, crop: CropSpec) -> Config:
    """Return the configuration with the extent of this crop where it names none."""
    given = config.data.crop
    if given.scale is not None or given.shift_y is not None:
        crop = CropSpec(crop.size, given.scale or crop.scale, crop.shift_y if given.shift_y is None else given.shift_y)
    filled = replace(given, scale=crop.scale, shift_y=crop.shift_y)
    return replace(config, data=replace(config.data, crop=filled))


def task_parts(config: RunConfig, net: nn.Module, data: FaceData) -> dict[str, Any]:
    """Return the arguments of a task, with a loss that fits the network.

    Raises:
        ConfigError: crops or a loss that the network is not made for.
    """
    model = config.model
    scheme = load_scheme(config.data.scheme)
    normaliser = validation_normaliser(data.val.records, config.data.scheme, notify)
    return {
        "net": net,
        "loss": make_run_loss(config, net),
        "metric": LandmarkMetrics(scheme, normaliser),
        "optim": config.optim,
        "total_steps": len(data.sampler(world=config.trainer.devices * config.trainer.num_nodes)),
        "spec": ModelSpec(
            model.arch,
            config.data.scheme,
            scheme.n_points,
            config.data.crop.spec(),
            dict(model.options),
            definitions=own_definitions(schemes_of(net, config.data.scheme)),
        ),
    }


def make_run_loss(config: RunConfig, net: nn.Module) -> nn.Module:
    """Return the supervised loss of a run: one module, or one a head for batches of several data sets."""
    name = config.loss.name
    name = zoo_entry(config.model.arch).loss if name == "default" else name
    options = config.loss.given_options
    heads = schemes_of(net, config.data.scheme)
    losses = {s: make_loss(name, load_scheme(s), **options) for s in heads}
    derived = {s: DerivedPointLoss(heads[0], s, name) for s in derived_schemes(config.data.sets, heads)}
    size = config.data.crop.size  # its extent may depend on faces that are not read yet
    assert size is not None  # see with_input_size
    require_loss_fits(name, blank_prediction(net, size))
    mixed = len(losses) > 1 or config.data.sets or config.data.balance
    return CrossFormatLoss(losses, derived) if mixed else losses[config.data.scheme]


def detector_crop(config: RunConfig, data: FaceData) -> CropSpec | None:
    """Return how a detector's box is cut out for the network of a run."""
    faces = parts_of(data.train)[0].records  # boxes of further sets may come from another source
    return fit_detector_crop(faces, config.data.boxes, config.data.crop.spec(), notify)


def origin(config: RunConfig, data: FaceData) -> dict[str, Any]:
    """Return what decides a run beside its options, in plain types: `--data.root` and `--teacher` may have moved."""
    teachers = config.teachers if isinstance(config, StudentConfig) and config.kd.kind != "none" else []
    return {
        "precision": resolved(config.trainer),
        "train_hash": data_hash(data.train.records),
        "val_hash": data_hash(data.val.records),
        "teachers": [sha256(path) for path in teachers],
        "plugins": [sha256(path) for path in plugin_list(config.plugin)],
    }
