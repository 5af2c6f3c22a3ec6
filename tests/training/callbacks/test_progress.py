"""What a training shows: facts on a terminal and in a file, and no waiting for the device."""

import contextlib
import io
import os
import pty
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.callbacks.progress import Facts, Progress, duration
from distill.training.fit import train_teacher
from distill.training.loggers.csv import Tracking


def test_all_facts_are_on_the_line() -> None:
    losses = {"loss": 3.21, "star": 2.1, "kd": 1.11}
    facts = Facts(240, 1200, 120, losses, nme=0.0341, best_nme=0.032, best_step=120, seconds_left=754.0)
    assert facts.line() == (
        "epoch  2/10  step 120/120  loss 3.21 (star 2.1, kd 1.11)  val NME 3.41 %  best 3.20 % (epoch 1)  13 min left"
    )
    assert Facts(0, 12, 4, {}, None, None, 0, None).line() == "epoch 1/3  step 0/4"
    assert "epoch 2/3  step 1/4" in Facts(5, 12, 4, {}, None, None, 0, None).line()


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (90, "2 min"), (3601, "1 h 00 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_file_gets_one_line_per_epoch(make_config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    train_teacher(make_config("run", trainer={"epochs": 4, "validate_every": 2}))
    printed = capsys.readouterr().out
    assert "\r" not in printed
    assert "\x1b" not in printed
    lines = [line for line in printed.splitlines() if line.startswith("epoch")]
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/4", "epoch 2/4", "epoch 3/4", "epoch 4/4"]
    facts = r"epoch \d/4  step 4/4  loss [\d.]+ \(l1 [\d.]+\)"
    assert re.fullmatch(facts + r"  \d+ s left", lines[0])  # not validated yet
    assert all(
        re.fullmatch(facts + r"  val NME [\d.]+ %  best [\d.]+ % \(epoch [24]\)  \d+ s left", x) for x in lines[1:]
    )


def test_a_resumed_run_has_its_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = RunCheckpoints(tmp_path, every=100)
    checkpoints.load_state_dict({"best_nme": 0.03, "best_step": 4})
    progress = Progress(Tracking(every=10), checkpoints, epochs=3, per_epoch=4)
    trainer: Any = SimpleNamespace(global_step=8, callback_metrics={"val/nme": torch.tensor(0.05)})
    progress.on_train_start(trainer, None)  # type: ignore[arg-type]
    progress.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert capsys.readouterr().out == "epoch 2/3  step 4/4  val NME 5.00 %  best 3.00 % (epoch 1)\n"


def test_a_terminal_shows_a_bar(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    main, terminal = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    parts: list[bytes] = []
    reader = threading.Thread(target=lambda: parts.extend(read_terminal(main)))
    reader.start()
    with os.fdopen(terminal, "w") as stream, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        train_teacher(make_config("run", trainer={"epochs": 2}))
    reader.join()
    shown = b"".join(parts).decode()
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert "epoch 2/2  step 4/4" in text
    assert re.search(r"loss [\d.]+ \(l1 [\d.]+\)  val NME [\d.]+ %  best [\d.]+ %", text)
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def read_terminal(handle: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until it is closed."""
    with contextlib.suppress(OSError):  # how Linux reports the end
        while part := os.read(handle, 4096):
            yield part
    os.close(handle)


def test_showing_a_step_does_not_wait_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor on the meta device has no value: reading it, as waiting for a GPU would, is an error."""
    losses = {"loss": torch.zeros((), device="meta")}
    with pytest.raises(RuntimeError):
        losses["loss"].item()
    tracking = Tracking(every=10)
    progress = Progress(tracking, RunCheckpoints(tmp_path, every=100), epochs=2, per_epoch=9)
    monkeypatch.setattr("distill.training.callbacks.progress.is_terminal", lambda: True)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    trainer: Any = SimpleNamespace(global_step=0, val_check_batch=9, loggers=[])
    progress.on_train_start(trainer, None)  # type: ignore[arg-type]
    for trainer.global_step in range(1, 10):
        tracking.on_train_batch_end(trainer, None, losses, None, 0)  # type: ignore[arg-type]
        progress.on_train_batch_end(trainer, None, losses, None, 0)  # type: ignore[arg-type]
    assert progress.bar is not None
    assert progress.bar.tasks[0].completed == 9
    progress.on_train_end(trainer, None)  # type: ignore[arg-type]
