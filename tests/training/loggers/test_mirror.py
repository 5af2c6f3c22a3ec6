"""A tracker behind a mirror cannot hold up or end a training, and has every number once, also over resumptions."""

import threading
import time
from collections.abc import Mapping

import pytest

from distill.training.loggers.mirror import Mirror


class Fake:
    """A tracker that keeps what it gets, and fails or hangs where a test wants it to."""

    name = "fake"

    def __init__(self, recorded: set[tuple[int, str]] | None = None, fails_at: int | None = None):
        self.rows: list[tuple[int, str, float]] = []
        self.before, self.fails_at, self.closed = recorded or set(), fails_at, ""
        self.hang = threading.Event()
        self.hang.set()

    def open(self) -> None:
        self.hang.wait()

    def recorded(self) -> set[tuple[int, str]]:
        return self.before

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        if step == self.fails_at:
            raise ConnectionResetError("the server is gone\nand more")
        time.sleep(0.001)
        self.rows += [(step, name, value) for name, value in metrics.items()]

    def close(self, success: bool) -> None:
        self.closed = "success" if success else "failed"


def test_all_numbers_are_written_in_order_when_the_run_ends() -> None:
    sink = Fake()
    mirror = Mirror(sink)
    for step in range(50):
        mirror.log_metrics({"train/loss": step / 3, "train/lr": 0.5}, step)
    mirror.finalize("success")
    assert sink.rows == [(s, n, v) for s in range(50) for n, v in (("train/loss", s / 3), ("train/lr", 0.5))]
    assert sink.closed == "success"


def test_a_resumed_run_fills_what_a_kill_lost_and_repeats_nothing() -> None:
    """The tracker had step 1, lost 2, and had 3, which the resumed training takes again."""
    sink = Fake({(1, "loss"), (3, "loss")})
    mirror = Mirror(sink)
    mirror.replay([(1, "loss", 1.0), (2, "loss", 2.0), (2, "val/nme", 0.5)])
    for step in (3, 4):
        mirror.log_metrics({"loss": float(step)}, step)
    mirror.finalize("failed")
    assert sink.rows == [(2, "loss", 2.0), (2, "val/nme", 0.5), (4, "loss", 4.0)]
    assert sink.closed == "failed"


def test_a_lost_server_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    sink = Fake(fails_at=3)
    mirror = Mirror(sink)
    for step in range(9):
        mirror.log_metrics({"loss": 1.0}, step)
        time.sleep(0.01)
    mirror.finalize("success")
    assert [step for step, _, _ in sink.rows] == [0, 1, 2]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("fake failed (the server is gone): the training goes on")


def test_a_server_that_never_answers_delays_no_step_and_the_end_only_a_while(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = Fake()
    sink.hang.clear()
    started = time.monotonic()
    mirror = Mirror(sink, patience_s=0.3)
    for step in range(1000):
        mirror.log_metrics({"loss": 1.0}, step)
    assert time.monotonic() - started < 5
    mirror.finalize("success")
    assert time.monotonic() - started < 5
    sink.hang.set()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("fake failed (no answer in 0 s)")


def test_a_slow_tracker_is_waited_for_while_it_writes() -> None:
    sink = Fake()
    mirror = Mirror(sink, patience_s=0.2)
    for step in range(400):
        mirror.log_metrics({"loss": 1.0}, step)  # 1 ms each: longer than the patience in all
    mirror.finalize("success")
    assert len(sink.rows) == 400
    assert not mirror.lost


def test_a_full_queue_ends_the_mirror(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("distill.training.loggers.mirror._MOST_WAITING", 3)
    sink = Fake()
    sink.hang.clear()
    mirror = Mirror(sink, patience_s=0.1)
    for step in range(9):
        mirror.log_metrics({"loss": 1.0}, step)
    mirror.finalize("success")
    sink.hang.set()
    assert capsys.readouterr().out.count("fake failed (it does not answer)") == 1
