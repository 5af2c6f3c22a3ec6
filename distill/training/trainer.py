"""The Lightning trainer of a run: loggers, callbacks, precision and devices."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from distill.tracking.artifact import Artifact
from distill.training.callbacks.checkpointing import AtomicCheckpointIO, RunCheckpoints
from distill.training.callbacks.early_stopping import StopWithoutProgress
from distill.training.callbacks.ema import WeightEMA
from distill.training.callbacks.grad_norms import TermGradients
from distill.training.callbacks.progress import Progress
from distill.training.callbacks.seeding import StatelessSeeding
from distill.training.callbacks.stop_on_signal import StopOnSignal
from distill.training.config import RunConfig, TrackedConfig
from distill.training.loggers.csv import CsvLog, Tracking, is_first_process
from distill.training.loggers.trackers import make_mirrors
from distill.training.loggers.wandb import WandbLog
from distill.training.precision import set_precision
from distill.training.session import Session
from distill.training.tasks import LandmarkTask


def make_loggers(
    config: TrackedConfig, folder: Path, facts: Mapping[str, Any], inputs: Sequence[Artifact]
) -> list[Logger]:
    """Return `metrics.csv` and, in the first process, the trackers that mirror it.

    Args:
        config: of the run.
        folder: of the run.
        facts: facts for the trackers beside the options, as from `training_facts`.
        inputs: artifacts that the training starts from.
    """
    loggers: list[Logger] = [CsvLog(folder / "metrics.csv")]
    if is_first_process():
        if "wandb" in config.log.trackers:
            loggers.append(WandbLog(config, folder, facts, inputs))
        loggers += make_mirrors(config, folder, facts)
    return loggers


def make_trainer(
    config: RunConfig, task: LandmarkTask, checkpoints: RunCheckpoints, session: Session, loggers: Sequence[Logger]
) -> pl.Trainer:
    """Return a trainer that runs all epochs as one stream of steps."""
    folder = session.folder
    per_epoch = task.total_steps // config.trainer.epochs
    tracking = Tracking(config.log.every, config.log.pictures)
    callbacks: list[pl.Callback] = [StatelessSeeding(config.seed), tracking]
    if is_first_process():
        callbacks.append(Progress(tracking, checkpoints, config.trainer.epochs, per_epoch))
    if config.optim.ema:
        callbacks.append(WeightEMA(config.optim.ema))
    if config.log.gradients:
        callbacks.append(TermGradients(config.log.gradients))
    if config.trainer.patience:
        callbacks.append(StopWithoutProgress(config.trainer.patience))
    callbacks.append(StopOnSignal(session.stop, folder, config.log.every))
    several = config.trainer.devices * config.trainer.num_nodes > 1
    return pl.Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.num_nodes,
        # Heads of other schemes, spreads and pose nets take part in some losses only.
        strategy="ddp_find_unused_parameters_true" if several else "auto",
        precision=set_precision(config.trainer),
        max_epochs=1,  # all epochs are one stream of steps
        val_check_interval=min(config.trainer.validate_every * per_epoch, task.total_steps),
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # nothing is logged through Lightning; a larger number only warns on short runs
        logger=list(loggers),
        callbacks=[*callbacks, checkpoints],
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        sync_batchnorm=config.trainer.sync_batchnorm,
        enable_model_summary=False,
        enable_progress_bar=False,  # `Progress` is its own
        default_root_dir=folder,
    )


@contextmanager
def without_known_warnings() -> Iterator[None]:
    """Hide warnings of Lightning about what is meant so in these trainings."""
    with warnings.catch_warnings():
        # The stream of batches starts at the right step by itself (see StepSampler); Lightning cannot know.
        warnings.filterwarnings("ignore", message=".*(dataloader is not resumable|does not have many workers).*")
        warnings.filterwarnings("ignore", message=".*in eval mode at the start.*")  # frozen stages and backbones
        warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # torchmetrics has summed over all processes
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of an old torch name
        yield
