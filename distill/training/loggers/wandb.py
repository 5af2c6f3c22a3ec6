"""A Weights & Biases mirror of a run, of the same run after every resumption.

W&B receives numbers by their exact step, an allow-list of the configuration, pictures, the finished model and what it
was made from. Machine data, code, git state, packages, logs and console output are not sent, and paths are cut to their
last part.

Nothing of it holds up the training: without a key or a server the run is recorded offline, and what fails later ends
the mirror with one line. `metrics.csv` has every number in any case.
"""

import io
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from distill.errors import ConfigError
from distill.tracking.artifact import Artifact
from distill.tracking.run_folder import stored_id
from distill.tracking.wandb_artifacts import log as log_artifact
from distill.tracking.wandb_artifacts import use as use_artifact
from distill.tracking.wandb_server import why_offline
from distill.tracking.wandb_service import drop_lost_service, open_run
from distill.tracking.wandb_settings import drop_logs, private_settings
from distill.training.config import TrackedConfig
from distill.training.lineage import best_metrics, best_model, job_type
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import Row

Mode = Literal["online", "offline"]
# Seconds that the end of a training waits for the upload.
_FINISH_S = 15.0
# Parts of the configuration that are not sent.
_PRIVATE = ("runs", "log")
# Which value of a metric is the best: the summary of the run holds it.
_BEST = {
    **dict.fromkeys(("val/nme", "val/fr8", "val/fr10"), "min"),
    **dict.fromkeys(("val/auc8", "val/auc10", "val/ap", "val/recall", "val/recall_24px"), "max"),
}


def require_wandb(config: TrackedConfig) -> None:
    """Import wandb.

    Raises:
        ConfigError: it is not installed, with the command that installs it.
    """
    try:
        import wandb  # noqa: F401  fails where it is not installed
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--log.wandb {config.log.wandb} needs wandb, which is not installed ({error}): "
            "pip install 'distill-landmarks[track]', or --log.wandb disabled"
        ) from error


class WandbLog(Logger):
    """Opens the W&B run of a training, or continues it under the id it had.

    Args:
        config: of the training.
        folder: of the run; W&B writes into `wandb/` there.
        facts: added to the configuration: commit, hashes of the faces, loaded weights.
        inputs: artifacts that the training starts from.

    Raises:
        ConfigError: wandb is not installed.
    """

    def __init__(
        self,
        config: TrackedConfig,
        folder: Path,
        facts: Mapping[str, Any] | None = None,
        inputs: Sequence[Artifact] = (),
    ):
        super().__init__()
        require_wandb(config)
        self.folder, self.lost = folder, False
        drop_logs(folder)
        run_id = stored_id(folder, sweep_run_id() or uuid.uuid4().hex[:12])
        mode = self._mode(config, run_id)
        self.run: Any = None
        self._send(lambda: self._open(config, run_id, mode, facts or {}))
        self._send(lambda: self._describe(inputs))

    def _open(self, config: TrackedConfig, run_id: str, mode: Mode, facts: Mapping[str, Any]) -> None:
        self.run = open_run(
            self.folder,
            project=config.log.project,
            entity=config.log.entity,
            group=config.log.group or config.name,
            job_type=job_type(config),
            tags=list(config.log.tags),
            notes=config.log.notes,
            name=config.name,
            id=run_id,
            resume="allow" if mode == "online" else None,
            mode=mode,
            config={**public_config(config), **without_folders(dict(facts))},
            settings=private_settings(_FINISH_S, config.log.system),
        )

    def _describe(self, inputs: Sequence[Artifact]) -> None:
        """Define the summaries (best values) and log the inputs of the run."""
        for name, best in _BEST.items():
            self.run.define_metric(name, summary=f"{best},last")
        for artifact in inputs:
            use_artifact(self.run, artifact)

    def _mode(self, config: TrackedConfig, run_id: str) -> Mode:
        """Return `online` where that is requested and possible, else `offline`."""
        if config.log.wandb != "online":
            return "offline"
        if sweep_run_id() is not None:
            return "online"  # the agent has just reached the server, and a trial run would end the run of the sweep
        reason = why_offline(config.log.project, config.name, run_id, entity=config.log.entity)
        if reason is None:
            return "online"
        print(
            f"W&B cannot record online ({reason}): recording offline; "
            f"later: wandb login, then distill sync {self.folder}"
        )
        return "offline"

    def _send(self, action: Callable[[], object]) -> None:
        """Do something with the run; after a failure nothing more is sent."""
        if self.lost:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001  the training goes on, whatever the tracker does
            self.lost = True
            drop_lost_service(error)
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            print(f"W&B failed ({reason}): the training goes on; later: distill sync {self.folder}")

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return "" if self.run is None else str(self.run.id)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration was given when the run was opened."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._send(lambda: self.run.log(dict(metrics), step=step))

    def log_picture(self, name: str, png: bytes, step: int) -> None:
        """Add a PNG."""
        import wandb
        from PIL import Image

        self._send(lambda: self.run.log({name: wandb.Image(Image.open(io.BytesIO(png)))}, step=step))

    def replay(self, rows: list[Row]) -> None:
        """Repeat what was recorded before a resumption.

        An offline run is a file per start, and a kill takes the end of the last one along; this way each file holds
        the whole run. A server has the numbers already and drops what is older than the last it got.
        """
        if self.run is not None and self.run.offline:
            for step, group in groupby(rows, key=lambda row: row[0]):
                self.log_metrics({name: value for _, name, value in group}, step)

    def finalize(self, status: str) -> None:
        """Add the finished model as an artifact and close the run."""
        if status == "success":
            self._send(self._log_model)
        self._send(lambda: self.run.finish(exit_code=0 if status == "success" else 1))
        drop_logs(self.folder)

    def _log_model(self) -> None:
        model = best_model(self.folder)
        if model is not None:
            log_artifact(self.run, model)
            self.run.summary.update({f"best/{name}": value for name, value in best_metrics(self.folder).items()})


def sweep_run_id() -> str | None:
    """Return the id that a W&B sweep agent chose for this run, None outside a sweep."""
    return os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None


def public_config(config: TrackedConfig) -> dict[str, Any]:
    """Return the part of a configuration that is sent to W&B: paths are cut to their last part."""
    plain = plain_config(config, folders=False)
    public: dict[str, Any] = without_folders({name: value for name, value in plain.items() if name not in _PRIVATE})
    return public


def without_folders(value: Any) -> Any:
    """Return plain values in which a path is cut to its last part."""
    if isinstance(value, dict):
        return {name: without_folders(v) for name, v in value.items()}
    if isinstance(value, list):
        return [without_folders(v) for v in value]
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~", ".")) else value
