"""TensorBoard, MLflow and Trackio hold the numbers of `metrics.csv`, and none of them can hold up a training."""

import importlib.util
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.training.config import LogConfig, RunConfig
from distill.training.fit import train_teacher
from distill.training.loggers.metrics_csv import Row, read_rows
from distill.training.loggers.trackers import make_mirrors, require_trackers

TRACKERS = {"tensorboard": "tensorboard", "mlflow": "mlflow", "trackio": "trackio"}
INSTALLED = [name for name, module in TRACKERS.items() if importlib.util.find_spec(module) is not None]
ROWS = [(step, name, step / 7) for step in range(1, 7) for name in ("train/loss", "val/nme")]


def need(name: str) -> None:
    if name not in INSTALLED:
        pytest.skip(f"{name} is not installed: pip install 'distill-landmarks[{name}]'")


@pytest.fixture(autouse=True, scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trackio reads the folder of its store once, when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", os.environ.get("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio"))))
        yield


def from_tensorboard(config: RunConfig) -> list[Row]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(config.runs / config.name / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return [(item.step, name, item.value) for name in events.Tags()["scalars"] for item in events.Scalars(name)]


def from_mlflow(config: RunConfig) -> list[Row]:
    from mlflow.tracking import MlflowClient

    uri, run_id = (config.runs / config.name / "mlflow_run.txt").read_text().split()
    client = MlflowClient(uri)
    names = client.get_run(run_id).data.metrics
    return [(item.step, name, item.value) for name in names for item in client.get_metric_history(run_id, name)]


def from_trackio(config: RunConfig) -> list[Row]:
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs(config.log.project, config.name)
    names = [(row, name) for row in rows for name in row if name not in ("step", "timestamp")]
    return [(row["step"], name, row[name]) for row, name in names]


READ: dict[str, Callable[[RunConfig], list[Row]]] = {
    "tensorboard": from_tensorboard,
    "mlflow": from_mlflow,
    "trackio": from_trackio,
}


def same(name: str, found: list[Row], expected: list[Row]) -> None:
    assert sorted(row[:2] for row in found) == sorted(row[:2] for row in expected)
    values, others = ([value for _, _, value in sorted(rows)] for rows in (found, expected))
    if name == "tensorboard":  # its files hold float32
        values, others = (np.float32(part).tolist() for part in (values, others))
    assert values == others


@pytest.mark.slow
def test_every_tracker_has_the_rows_of_a_training(make_config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    if not INSTALLED:
        pytest.skip("none of tensorboard, mlflow and trackio is installed")
    log = {"to": list(INSTALLED), "project": "all_trackers", "group": "study", "tags": ["a"], "notes": "n", "every": 1}
    config = make_config("run", log={**log, "wandb": "offline"}, trainer={"epochs": 1})
    folder = train_teacher(config)
    rows = read_rows(folder / "metrics.csv")
    assert len(rows) > 20
    for name in INSTALLED:
        same(name, READ[name](config), rows)
    assert "failed" not in capsys.readouterr().out
    assert not (folder / "wandb").exists(), "--log.to does not name it"


@pytest.mark.parametrize("name", TRACKERS)
def test_a_run_that_was_killed_and_resumed_is_one_run(name: str, make_config: Any) -> None:
    need(name)
    config = make_config(f"resumed_{name}", log={"to": [name], "wandb": "offline", "project": "resumed"})
    folder = config.runs / config.name
    folder.mkdir(parents=True)
    (first,) = make_mirrors(config, folder, {})
    for step, metric, value in ROWS[:8]:
        first.log_metrics({metric: value}, step)
    first.finalize("failed")
    (second,) = make_mirrors(replace(config, resume=True), folder, {})
    second.replay(ROWS[:4])  # type: ignore[attr-defined]
    for step, metric, value in ROWS[4:]:
        second.log_metrics({metric: value}, step)
    second.finalize("success")
    same(name, READ[name](config), ROWS)


def test_mlflow_has_configuration_and_tags(make_config: Any) -> None:
    need("mlflow")
    from mlflow.tracking import MlflowClient

    log = {"to": ["mlflow"], "wandb": "offline", "project": "p", "group": "study", "tags": ["a", "b"], "notes": "note"}
    config = make_config("run", log=log)
    folder = config.runs / "run"
    folder.mkdir(parents=True)
    (mirror,) = make_mirrors(config, folder, {"commit": "abc"})
    mirror.finalize("success")
    uri, run_id = (folder / "mlflow_run.txt").read_text().split()
    client = MlflowClient(uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert (run.info.run_name, client.get_experiment(run.info.experiment_id).name) == ("run", "p")
    assert {"group": "study", "job_type": "teacher", "tags": "a, b"}.items() <= run.data.tags.items()
    assert run.data.tags["mlflow.note.content"] == "note"
    assert (run.data.params["commit"], run.data.params["optim/lr"]) == ("abc", str(config.optim.lr))
    assert str(config.data.root.parent) not in str(run.data.params), "paths are cut"


@pytest.mark.parametrize("answers", [False, True], ids=["closed", "silent"])
def test_an_unreachable_server_is_one_line(
    answers: bool, make_config: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port is closed, or takes connections and never answers."""
    need("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        if not answers:
            door.close()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        config = make_config("run", log={"to": ["mlflow"], "wandb": "offline"})
        folder = config.runs / "run"
        folder.mkdir(parents=True)
        import pytorch_lightning.loggers  # noqa: F401  whose import is not what is timed

        (mirror,) = make_mirrors(config, folder, {})
        started = time.monotonic()
        for step, metric, value in ROWS:
            mirror.log_metrics({metric: value}, step)
        assert time.monotonic() - started < 1
        mirror.finalize("success")
        assert time.monotonic() - started < 18
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0] for line in lines] == ["mlflow failed"]


def test_asking_for_a_package_does_not_import_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On import it would read an environment in which telemetry and the folder of its store are not set yet."""
    for name in TRACKERS:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    require_trackers(RunConfig(log=LogConfig(to=list(TRACKERS))))


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTALLED)
def test_nothing_leaves_the_machine(name: str, make_config: Any, tmp_path: Path) -> None:
    """In a process of its own: telemetry is sent by threads and at exit."""
    from tests.support.connect_trap import run_trapped

    code = f"""
from pathlib import Path
from distill.training.config import LogConfig, RunConfig
from distill.training.loggers.trackers import make_mirrors, require_trackers
config = RunConfig(runs=Path("runs"), log=LogConfig(to=[{name!r}]))
Path("runs/teacher").mkdir(parents=True)
(mirror,) = make_mirrors(config, Path("runs/teacher"), {{}})
mirror.log_metrics({{"train/loss": 1.0}}, 1)
mirror.finalize("success")
assert not mirror.lost
"""
    done, attempts = run_trapped(code, tmp_path, 300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert attempts == []


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_one_line(name: str, make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"tensorboard": "torch.utils.tensorboard"}.get(name, name)
    for loaded in [item for item in sys.modules if item == module or item.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    config = make_config("run", log={"to": [name], "wandb": "offline"})
    with pytest.raises(ConfigError, match=rf"--log.to {name} needs .*'distill-landmarks\[{name}\]', or leave {name}"):
        make_mirrors(config, config.runs, {})


def test_several_trackers_in_one_option() -> None:
    parser = options_of("teacher", "", RunConfig)
    given = ["--log.to", "[wandb, tensorboard, mlflow, trackio]"]
    log = RunConfig(**parse(parser, given)).log
    assert log.trackers == ["wandb", "tensorboard", "mlflow", "trackio"]
    assert RunConfig(**parse(parser, ["--log.to", "mlflow", "trackio"])).log.trackers == ["mlflow", "trackio"]
    assert LogConfig().trackers == ["wandb"]
    assert LogConfig(wandb="disabled").trackers == []
    with pytest.raises(ConfigError, match=r"--log\.to"):
        parse(parser, ["--log.to", "[comet]"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"to": ["wandb"], "wandb": "disabled"}, "--log.to wandb contradicts --log.wandb disabled"),
        ({"to": ["mlflow"], "wandb": "online"}, "--log.wandb online has no effect"),
    ],
)
def test_options_without_effect_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LogConfig(**wrong)
