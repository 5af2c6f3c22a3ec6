"""Serve a folder of static files on this machine only."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from distill.errors import ConfigError

# Browsers give the camera to pages of localhost and of https alone.
HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    # The registry of Windows may name other types, with which browsers refuse modules and WebAssembly.
    extensions_map = {  # noqa: RUF012  as in the base class
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".tflite": "application/octet-stream",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # modules of a former version must not be mixed with new ones
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print no line for each file."""


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a folder, to be run with `serve_forever`.

    Args:
        folder: with `index.html`.
        port: on 127.0.0.1; 0 takes a free one.

    Raises:
        ConfigError: the port is in use or out of range.
    """
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--port {port}: cannot be opened ({error}); give another one, or 0 for a free one"
        ) from error


def address_of(server: ThreadingHTTPServer) -> str:
    """Return the address of the page."""
    return f"http://localhost:{server.server_address[1]}/"
