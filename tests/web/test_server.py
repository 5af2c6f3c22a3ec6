"""The page is served on this machine alone, with the types that browsers ask of modules and WebAssembly."""

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from distill.errors import ConfigError
from distill.web.server import address_of, open_server


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    for name in ("index.html", "page.js", "net.wasm", "net.tflite"):
        (tmp_path / name).write_text(name)
    with open_server(tmp_path, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert server.server_address[0] == "127.0.0.1"
        yield address_of(server)
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("page.js", "text/javascript"), ("net.wasm", "application/wasm"), ("net.tflite", "application/octet-stream")],
)
def test_types(address: str, name: str, kind: str) -> None:
    with urlopen(address + name) as reply:
        assert (reply.headers["Content-Type"], reply.read().decode()) == (kind, name)
        assert reply.headers["Cache-Control"] == "no-cache"


def test_the_address_is_the_page(address: str) -> None:
    with urlopen(address) as reply:
        assert reply.read() == b"index.html"


def test_a_port_in_use_or_out_of_range_is_one_line(tmp_path: Path) -> None:
    with open_server(tmp_path, 0) as server, pytest.raises(ConfigError, match=r"--port \d+: cannot be opened"):
        open_server(tmp_path, server.server_address[1])
    with pytest.raises(ConfigError, match=r"--port 70000: cannot be opened"):
        open_server(tmp_path, 70000)
