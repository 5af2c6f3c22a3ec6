"""Trackers beside W&B: TensorBoard, MLflow and Trackio, each an optional package.

They receive numbers by their exact step, the configuration that W&B receives, group, job type, tags and notes; no
model, picture or machine data.
"""

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from distill.errors import ConfigError
from distill.files import write_text
from distill.training.config import TrackedConfig
from distill.training.lineage import job_type
from distill.training.loggers.mirror import PATIENCE_S, Mirror, Sink
from distill.training.loggers.wandb import public_config, require_wandb, without_folders

# Seconds that the end of a training waits for a store on this machine, whose first use makes its tables.
_LOCAL_PATIENCE_S = 120.0
_SERVER = "MLFLOW_TRACKING_URI"
# Seconds of one request to an MLflow server.
_REQUEST_S = 5


class TensorBoardSink:
    """Event files in `tensorboard/` of the run folder, rewritten when a run is resumed; numbers are float32."""

    name = "tensorboard"

    def __init__(self, config: TrackedConfig, folder: Path, facts: Mapping[str, Any]):
        require_package("torch.utils.tensorboard", self.name)
        self.folder, self.content = folder, described(config, facts)
        self.log: Any = None

    def open(self) -> None:
        from pytorch_lightning.loggers import TensorBoardLogger

        shutil.rmtree(self.folder / self.name, ignore_errors=True)
        self.log = TensorBoardLogger(self.folder, name=self.name, version="", default_hp_metric=False)
        self.log.log_hyperparams(self.content)

    def recorded(self) -> set[tuple[int, str]]:
        return set()

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        self.log.log_metrics(dict(metrics), step)

    def close(self, success: bool) -> None:
        self.log.finalize("success" if success else "failed")


class MlflowSink:
    """A run in `mlflow.db` of the run folder, or in the server that `MLFLOW_TRACKING_URI` names.

    It is the same run after a resumption.
    """

    name = "mlflow"

    def __init__(self, config: TrackedConfig, folder: Path, facts: Mapping[str, Any]):
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_REQUEST_S))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        require_package("mlflow", self.name)
        self.config, self.folder, self.content = config, folder, described(config, facts)
        self.uri = os.environ.get(_SERVER) or f"sqlite:///{(folder / 'mlflow.db').absolute()}"
        self.log: Any = None

    def open(self) -> None:
        from pytorch_lightning.loggers import MLFlowLogger

        for name in ("mlflow", "alembic", "pytorch_lightning.loggers.mlflow"):
            logging.getLogger(name).setLevel(logging.ERROR)
        stored = self.folder / "mlflow_run.txt"
        uri, _, run_id = (
            stored.read_text(encoding="utf-8").strip().partition("\n") if stored.is_file() else ("", "", "")
        )
        log = self.config.log
        tags = {name: str(self.content[name]) for name in ("group", "job_type")}
        tags |= {"tags": ", ".join(log.tags)} if log.tags else {}
        tags |= {"mlflow.note.content": log.notes} if log.notes else {}
        self.log = MLFlowLogger(
            log.project, self.config.name, self.uri, tags, run_id=run_id if uri == self.uri else None
        )
        if uri == self.uri:
            self.log.experiment.update_run(run_id, status="RUNNING")
            return
        self.log.log_hyperparams(self.content)
        write_text(stored, f"{self.uri}\n{self.log.run_id}\n")

    def recorded(self) -> set[tuple[int, str]]:
        client, run_id = self.log.experiment, self.log.run_id
        names = client.get_run(run_id).data.metrics
        return {(item.step, name) for name in names for item in client.get_metric_history(run_id, name)}

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        self.log.log_metrics(dict(metrics), step)

    def close(self, success: bool) -> None:
        self.log.finalize("success" if success else "failed")


class TrackioSink:
    """A run in the local store `trackio/` of the folder of all runs, or in the one that `TRACKIO_DIR` names."""

    name = "trackio"

    def __init__(self, config: TrackedConfig, folder: Path, facts: Mapping[str, Any]):
        os.environ.setdefault("TRACKIO_DIR", str((config.runs / self.name).absolute()))
        for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID"):
            os.environ.pop(name, None)  # nothing leaves the machine
        require_package("trackio", self.name)
        self.config, self.content = config, described(config, facts)
        self.run: Any = None
        # Here and not in `open`: it prints, and the output of a process is redirected for all threads.
        with contextlib.redirect_stdout(io.StringIO()):
            self.run = self._init()

    def _init(self) -> Any:
        import trackio

        return trackio.init(
            self.config.log.project,
            self.config.name,
            group=str(self.content["group"]),
            config=self.content,
            resume="allow" if self.config.resume else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def open(self) -> None:
        """The run is open."""

    def recorded(self) -> set[tuple[int, str]]:
        if not self.config.resume:
            return set()
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs(self.config.log.project, self.config.name, run_id=self.run.id)
        return {(int(row["step"]), name) for row in rows for name in row if name not in ("step", "timestamp")}

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        self.run.log(dict(metrics), step)

    def close(self, success: bool) -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # it says "uploading", into the local store
            self.run.finish()


_SINKS: dict[str, Callable[[TrackedConfig, Path, Mapping[str, Any]], Sink]] = {
    "tensorboard": TensorBoardSink,
    "mlflow": MlflowSink,
    "trackio": TrackioSink,
}


def require_trackers(config: TrackedConfig) -> None:
    """Check that the packages of all trackers of a run are installed.

    Nothing but wandb is imported: Trackio and MLflow read on import the environment that their sinks set.

    Raises:
        ConfigError: one is not installed.
    """
    for name in config.log.trackers:
        if name == "wandb":
            require_wandb(config)
        elif importlib.util.find_spec(name) is None:
            raise _not_installed(name, f"No module named '{name}'")


def make_mirrors(config: TrackedConfig, folder: Path, facts: Mapping[str, Any]) -> list[Logger]:
    """Return a mirror for each tracker of `log.to` beside W&B; one that cannot be opened is one line and left out.

    Raises:
        ConfigError: the package of a tracker is not installed.
    """
    mirrors: list[Logger] = []
    for name in config.log.trackers:
        if name not in _SINKS:
            continue
        local = name != "mlflow" or not os.environ.get(_SERVER)
        try:
            sink = _SINKS[name](config, folder, facts)
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001  the training goes on, whatever the tracker does
            print(f"{name} failed ({error}): the training goes on; metrics.csv has every number", flush=True)
            continue
        mirrors.append(Mirror(sink, _LOCAL_PATIENCE_S if local else PATIENCE_S))
    return mirrors


def described(config: TrackedConfig, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration as W&B receives it, with group, job type, tags and notes."""
    log = config.log
    run = {"group": log.group or config.name, "job_type": job_type(config), "tags": list(log.tags), "notes": log.notes}
    content: dict[str, Any] = {**public_config(config), **without_folders(dict(facts)), **run}
    return content


def require_package(module: str, tracker: str) -> None:
    """Import the package of a tracker.

    Raises:
        ConfigError: it is not installed, with the command that installs it.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _not_installed(tracker, str(error)) from error


def _not_installed(tracker: str, reason: str) -> ConfigError:
    return ConfigError(
        f"--log.to {tracker} needs a package that is not installed ({reason}): "
        f"pip install 'distill-landmarks[{tracker}]', or leave {tracker} out"
    )
