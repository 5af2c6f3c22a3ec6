"""Offline runs are uploaded in the order they were recorded; an upload that fails can be continued."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from distill.cli.main import main
from distill.tracking import sync as module

# Stands for `wandb sync`: marks the run as done, or fails for one name.
# `wandb sync` says so and leaves its mark whether or not there is a server.
UPLOADER = """
import sys, pathlib
folder = pathlib.Path(sys.argv[1])
if "broken" in folder.name:
    sys.exit("wandb: ERROR\\nserver said no")
for file in folder.glob("*.wandb"):
    pathlib.Path(f"{file}.synced").touch()
    print(f"Syncing: https://wandb.ai/me/faces/runs/{file.stem[4:]} ... done.")
"""


_REQUIRE_ARRIVAL = module.require_arrival


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "uploader.py"
    script.write_text(UPLOADER)
    monkeypatch.setattr(module, "UPLOAD", (sys.executable, str(script)))
    monkeypatch.setattr(module, "require_arrival", lambda output: None)
    for run, name in (
        ("student", "offline-run-20260102_000000-bbb"),
        ("teacher", "offline-run-20260101_235959-aaa"),
        ("student", "offline-run-20260103_000000-ccc"),
        ("teacher", "run-20260101_000000-online"),
    ):
        folder = tmp_path / "runs" / run / "wandb" / name
        folder.mkdir(parents=True)
        (folder / f"run-{name[-3:]}.wandb").write_bytes(b":W&B\xbe\xe1\0" + b"records")
    return tmp_path / "runs"


def test_a_file_without_a_record_is_not_waiting(runs: Path) -> None:
    """It holds up all runs after it: `wandb sync` uploads nothing of it and names no run."""
    empty = runs / "teacher" / "wandb" / "offline-run-20250101_000000-lost"
    empty.mkdir()
    (empty / "run-lost.wandb").write_bytes(b":W&B\xbe\xe1\0")
    assert [folder.name[-3:] for folder in module.offline_runs(runs)] == ["aaa", "bbb", "ccc"]


def test_the_oldest_first_and_each_once(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    assert main(["sync", str(runs), "--dry_run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 runs to upload"
    assert main(["sync", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("-")[2] for line in lines] == ["aaa", "bbb", "ccc"]
    assert lines[0].startswith("1/3  ")
    assert main(["sync", str(runs)]) == 0
    assert capsys.readouterr().out == "0 runs to upload\n"


def test_a_failure_is_one_line_and_the_rest_is_kept(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    broken = runs / "student" / "wandb" / "offline-run-20260102_000000-broken"
    (runs / "student" / "wandb" / "offline-run-20260102_000000-bbb").rename(broken)
    assert main(["sync", str(runs)]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err == f"error: {broken}: not uploaded (server said no); the same command continues here\n"
    assert len(module.offline_runs(runs)) == 2


class _Empty(BaseHTTPRequestHandler):
    """A server with the user and without runs."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"data": {"viewer": {"entity": "me", "username": "me", "flags": "{}"}, "project": null}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def empty_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_run_that_the_server_does_not_have_is_not_uploaded(
    runs: Path, empty_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setenv("WANDB_BASE_URL", empty_server)
    monkeypatch.setattr(module, "require_arrival", _REQUIRE_ARRIVAL)
    assert main(["sync", str(runs)]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert "-aaa: not uploaded (the server does not show the run: " in err
    assert err.endswith("; the same command continues here")
    assert len(module.offline_runs(runs)) == 3


def test_no_key_is_one_line(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    assert main(["sync", str(runs)]) == 2
    assert "W&B has no key on this machine: run `wandb login`" in capsys.readouterr().err
    assert len(module.offline_runs(runs)) == 3


def test_no_such_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
