"""Data workers, processes and devices of a training."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distill.errors import ConfigError
from distill.models.config import ModelConfig
from distill.training.fit import train_teacher
from distill.training.loggers.csv import plain_config
from tests.support.training_runs import numbers, same_weights

EFLD = ModelConfig("efld", {"image_size": 64, "uncertainty": True})


def test_workers_change_nothing(make_config: Any) -> None:
    folders = [
        train_teacher(make_config(f"workers{n}", data={"workers": n, "cache": n == 1}, trainer={"epochs": 1}))
        for n in (0, 1, 2)
    ]
    assert numbers(folders[0]) == numbers(folders[1]) == numbers(folders[2])
    assert same_weights(folders[0] / "last.ckpt", folders[1] / "last.ckpt")
    assert same_weights(folders[0] / "last.ckpt", folders[2] / "last.ckpt")


def test_what_is_not_there_is_one_line(make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    nowhere = {"root": tmp_path / "nowhere"}  # it is said before the faces are read
    with pytest.raises(ConfigError, match=r"--log\.wandb offline needs wandb, which is not installed .*disabled"):
        train_teacher(make_config("run", log={"wandb": "offline"}, data=nowhere))
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"--log\.to mlflow needs a package that is not installed"):
        train_teacher(make_config("mirrored", log={"to": ["mlflow"]}, data=nowhere))
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match=r"--trainer\.accelerator gpu: torch finds none here"):
            train_teacher(make_config("other", trainer={"accelerator": "gpu"}))
    with pytest.raises(ConfigError, match=r"--trainer\.sync_batchnorm needs GPUs"):
        train_teacher(make_config("norms", trainer={"sync_batchnorm": True}))
    with pytest.raises(ConfigError, match=r"--trainer\.num_nodes 2 needs a launcher on every machine"):
        train_teacher(make_config("alone", trainer={"num_nodes": 2}))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_agree_to_stop(make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes to the first alone, and every step that could be agreed at is one before a validation.

    The spread of a landmark has no part in the loss of points; a step must not wait for its gradient.
    """
    config = make_config(
        "two", trainer={"epochs": 1000, "devices": 2}, data={"cache": False}, log={"every": 2}, model=EFLD
    )
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(plain_config(config)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [sys.executable, "-m", "distill", "teacher", "--config", str(tmp_path / "two.yaml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (config.runs / "two" / "last.ckpt").is_file():
            time.sleep(0.1)
        process.terminate()
        _, errors = process.communicate(timeout=400)  # returns when the last process that holds the pipe ends
    assert process.returncode == 143, errors[-2000:]
    assert errors.count("stopped by SIGTERM: continue with --resume") == 1
    assert "Traceback" not in errors
