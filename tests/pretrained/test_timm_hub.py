"""Pretrained weights that cannot be had are refused at once, before torch is imported."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.pretrained import timm_hub
from distill.pretrained.timm_hub import cache_holds_files, hub_is_reachable, require_weights_or_hub

# Runs a command that must fail, and says whether torch was imported on the way.
_COMMAND = """
import sys
from distill.cli.main import main
status = main(["teacher", "--model.options", "{pretrained: true}", *sys.argv[1:]])
print(status, *[name for name in ("torch", "timm", "pytorch_lightning") if name in sys.modules])
"""


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("recipe", [[], ["--config", "teacher"]], ids=["defaults", "stages"])
def test_a_training_is_refused_before_torch_is_imported(
    recipe: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    words = [*recipe, "--runs", str(tmp_path / "runs")]
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *words], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "2\n"
    assert done.stderr.startswith("error: no pretrained weights for ")
    assert "(nothing in the local caches, and the hub cannot be reached)" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("folder", ["hub_cache/models--timm--resnet10t.c3_in1k", "torch/hub/checkpoints/resnet.pth"])
def test_caches_that_hold_anything_are_left_to_timm(folder: str, tmp_path: Path) -> None:
    assert not cache_holds_files()
    with pytest.raises(ConfigError, match="no pretrained weights for hrnet_w18"):
        require_weights_or_hub("hrnet_w18")
    (tmp_path / folder).mkdir(parents=True)
    require_weights_or_hub("hrnet_w18")


def test_offline_mode_makes_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_hub, "_request", lambda answered: answered.set())
    assert not hub_is_reachable()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert hub_is_reachable()


def test_a_hub_without_an_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(timm_hub, "_request", lambda answered: time.sleep(3))
    started = time.monotonic()
    assert not hub_is_reachable()
    assert time.monotonic() - started < 2
