"""Downloads from a hub on the loopback interface: kept once, compared with SHA-256, told in one line."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from distill.errors import CheckpointError, ConfigError
from distill.pretrained.hub import download

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder as the files of owner/faces at revision main, and return the folder."""
    folder = tmp_path / "hub/owner/faces/resolve/main"
    folder.mkdir(parents=True)
    (folder / "net.tflite").write_bytes(CONTENT)
    (folder / "net.json").write_text("{}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "hub"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    server.server_close()


def test_a_file_is_downloaded_once_with_its_sidecar(hub: Path) -> None:
    (hub / "SHA256SUMS").write_text(f"{DIGEST}  net.tflite\n")
    path = download("hf:owner/faces/net.tflite")
    assert path.read_bytes() == CONTENT
    assert path.with_suffix(".json").read_text() == "{}"
    for file in hub.iterdir():
        file.unlink()
    assert download("hf:owner/faces/net.tflite") == path


def test_the_hash_in_the_name_is_enough(hub: Path) -> None:
    assert download(f"hf:owner/faces/net.tflite#sha256={DIGEST}").read_bytes() == CONTENT


def test_another_hash_leaves_nothing_behind(hub: Path) -> None:
    (hub / "SHA256SUMS").write_text(f"{'0' * 64}  net.tflite\n")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        download("hf:owner/faces/net.tflite")
    (hub / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        download("hf:owner/faces/net.tflite")


def test_files_without_a_published_hash_are_refused(hub: Path) -> None:
    with pytest.raises(CheckpointError, match="has no SHA256SUMS"):
        download("hf:owner/faces/net.tflite")


def test_names_of_another_form_and_hubs_out_of_reach(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="write hf:OWNER"):
        download("hf:faces")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="cannot be reached"):
        download("hf:owner/faces/net.tflite")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    with pytest.raises(ConfigError, match="give an https address"):
        download("hf:owner/faces/net.tflite")
