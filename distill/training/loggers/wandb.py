"""A Weights & Biases mirror of a run, of the same run after every resumption.

W&B receives numbers by their exact step, an allow-list of the configuration, pictures and the finished model. Machine
data, code, git state, packages, logs and console output are not sent, and paths are cut to their last part.

Nothing of it holds up the training: without a key or a server the run is recorded offline, and what fails later ends
the mirror with one line. `metrics.csv` has every number in any case.
"""

import io
import uuid
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from distill.errors import ConfigError
from distill.files import write_text
from distill.training.config import RunConfig
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import Row
from distill.training.loggers.wandb_server import why_offline
from distill.training.loggers.wandb_settings import drop_logs, private_settings

# Seconds that the end of a training waits for the upload.
_FINISH_S = 15.0


class WandbLog(Logger):
    """Opens the W&B run of a training, or continues it under the id it had.

    Args:
        config: of the training.
        folder: of the run; W&B writes into `wandb/` there.

    Raises:
        ConfigError: wandb is not installed.
    """

    def __init__(self, config: RunConfig, folder: Path):
        super().__init__()
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"--log.wandb {config.log.wandb} needs wandb, which is not installed ({error}): "
                "pip install 'distill[track]', or --log.wandb disabled"
            ) from error

        self.folder, self.lost = folder, False
        drop_logs(folder)
        id_file = folder / "wandb_id.txt"
        if not id_file.is_file():
            write_text(id_file, uuid.uuid4().hex[:12] + "\n")
        run_id = id_file.read_text().strip()
        mode = self._mode(config, run_id)
        self.run = wandb.init(
            project=config.log.project,
            name=config.name,
            id=run_id,
            dir=folder,
            resume="allow" if mode == "online" else None,
            mode=mode,
            config=public_config(config),
            settings=private_settings(_FINISH_S),
        )

    def _mode(self, config: RunConfig, run_id: str) -> Literal["online", "offline"]:
        """Return `online` where that was asked for and is possible, else `offline`."""
        if config.log.wandb != "online":
            return "offline"
        reason = why_offline(config.log.project, config.name, run_id)
        if reason is None:
            return "online"
        print(
            f"W&B cannot record online ({reason}): recording offline; "
            f"later: wandb login, then wandb sync {self.folder}/wandb/offline-run-*"
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
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            print(f"W&B failed ({reason}): the training goes on; later: wandb sync {self.folder}/wandb/*run-*")

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return str(self.run.id)

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
        if self.run.offline:
            for step, group in groupby(rows, key=lambda row: row[0]):
                self.log_metrics({name: value for _, name, value in group}, step)

    def finalize(self, status: str) -> None:
        """Add the finished model as an artifact and close the run."""
        if status == "success":
            self._send(self._log_model)
        self._send(lambda: self.run.finish(exit_code=0 if status == "success" else 1))
        drop_logs(self.folder)

    def _log_model(self) -> None:
        import wandb

        artifact = wandb.Artifact(f"{self.run.id}-model", type="model")
        for file in ("best.ckpt", "config.yaml", "metrics.csv"):
            if (self.folder / file).is_file():
                # `immutable`: read where it lies; W&B copies files into the home folder otherwise.
                artifact.add_file(str(self.folder / file), policy="immutable")
        self.run.log_artifact(artifact)


def public_config(config: RunConfig) -> dict[str, Any]:
    """Return what W&B may know of a configuration: everything but where files lie."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(v) for name, v in value.items()}
        if isinstance(value, list):
            return [clean(v) for v in value]
        return Path(value).name if isinstance(value, str) and value.startswith(("/", "~", ".")) else value

    plain = plain_config(config)
    plain["data"]["root"] = config.data.root.name
    if plain.get("teacher"):
        given = plain["teacher"]
        plain["teacher"] = [Path(path).name for path in given] if isinstance(given, list) else Path(given).name
    return clean({name: value for name, value in plain.items() if name not in ("runs", "log")})
