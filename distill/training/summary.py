"""`summary.json` of a run: the best validation error, what it was trained on and how long it took."""

import math
from pathlib import Path

from distill.data.datamodule import FaceData
from distill.errors import TrainingError
from distill.files import write_json
from distill.provenance import commit
from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.config import RunConfig
from distill.training.tasks import LandmarkTask


def write_summary(
    config: RunConfig, task: LandmarkTask, data: FaceData, checkpoints: RunCheckpoints, folder: Path, seconds: float,
    shift: float,
) -> None:  # fmt: skip
    """Write the summary of a finished training.

    Raises:
        TrainingError: no validation had finite predictions for all faces, so that there are no best weights.
    """
    if not math.isfinite(checkpoints.best):
        raise TrainingError(
            f"{folder}: no validation had finite predictions for all faces, so there is no best.ckpt; start again "
            "with a lower --optim.lr, or with --model.options '{norm: group}' where the network has batch norms"
        )
    write_json(
        folder / "summary.json",
        {
            "val_nme": checkpoints.best,
            "normaliser": task.metric.normaliser,
            "annotation_shift": shift,
            "best_step": checkpoints.best_step,
            "steps": task.global_step,
            "seconds": round(seconds, 1),
            "seed": config.seed,
            "commit": commit(),
            "train_faces": len(data.train),
            "val_faces": len(data.val),
            "weights": task.weights,
            **task.origin,
        },
    )
