"""A report in Weights & Biases: offline where no server answers, one line where W&B fails."""

from pathlib import Path
from typing import Any

import pytest

from distill.errors import ConfigError
from distill.report import wandb as module
from distill.report.page import Report
from tests.support.wandb_files import read_wandb

REPORT = Report("Demo", "two models").table(["model", "NME %"], [["student", 3.5]])


def test_without_a_server_it_is_recorded_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It hung, or ended in a traceback without a key."""
    monkeypatch.setattr(module, "why_offline", lambda *_: "no key")
    module.log_report(REPORT, tmp_path, "online", "faces")
    assert "W&B cannot record online (no key): recorded offline" in capsys.readouterr().out
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert read_wandb(file, wait_s=30).run["job_type"] == "report"


@pytest.mark.parametrize(
    ("error", "told"),
    [(BrokenPipeError("the service is gone\nand more"), "the service is gone"), (TimeoutError(), r"TimeoutError\(\)")],
)
def test_what_wandb_raises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(folder: Path, **options: Any) -> None:
        raise error

    monkeypatch.setattr(module, "open_run", fail)
    with pytest.raises(ConfigError, match=rf"^--wandb offline: W&B failed \({told}\)$"):
        module.log_report(REPORT, tmp_path, "offline", "faces")
