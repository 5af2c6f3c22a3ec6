"""Lineage in Weights & Biases: artifacts that a run uses and logs, also offline.

A version of an artifact is its content, so that the model a teacher logs and the one a student uses are one version:
the file has the same name inside whatever it is called on disk, and a data set is described by its hash alone.
"""

import json
from typing import TYPE_CHECKING, Any

from distill.spec import sidecar_path
from distill.tracking.artifact import FILES_SENT, Artifact

if TYPE_CHECKING:
    import wandb


def use(run: "wandb.Run", artifact: Artifact) -> None:
    """Record that a run reads an artifact.

    `Run.use_artifact` refuses to work offline; what it does for a new artifact does not need a server.
    """
    made = _wandb_artifact(artifact)
    run._log_artifact(made, aliases=list(artifact.aliases), is_user_created=True, use_after_commit=True)


def log(run: "wandb.Run", artifact: Artifact) -> None:
    """Record that a run made an artifact."""
    run.log_artifact(_wandb_artifact(artifact), aliases=list(artifact.aliases))


def _wandb_artifact(artifact: Artifact) -> "wandb.Artifact":
    import wandb

    metadata: dict[str, Any] = {**artifact.metadata, "sha256": artifact.sha256}
    made = wandb.Artifact(artifact.name, type=artifact.type, metadata=json.loads(json.dumps(metadata, default=str)))
    path = artifact.path
    if artifact.type in FILES_SENT and path is not None and path.is_file():
        # `immutable`: read where it lies; W&B copies files into the home folder otherwise.
        made.add_file(str(path), name=f"{artifact.type}{path.suffix}", policy="immutable")
        if path.suffix in (".onnx", ".tflite") and sidecar_path(path).is_file():
            made.add_file(str(sidecar_path(path)), name=f"{artifact.type}.json", policy="immutable")
    else:
        with made.new_file(f"{artifact.type}.json", mode="w") as file:
            file.write(json.dumps({"type": artifact.type, "sha256": artifact.sha256}))
    return made
