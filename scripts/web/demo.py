"""Open the page of `distill demo web` in a browser: written to a temporary folder and served there."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distill.errors import ConfigError
from distill.web.server import address_of, open_server
from distill.web.site import DEFAULT_MODELS, write_site
from scripts.web.browser import ENVIRONMENT, Browser, find_chromium

_SHOWN = "document.body.dataset.ready"


@contextmanager
def open_demo(models: Sequence[str] = DEFAULT_MODELS, camera: Path | None = None) -> Iterator[Browser]:
    """Yield a browser in which the page is ready.

    Args:
        models: as of `write_site`.
        camera: Y4M or MJPEG file that the camera shows.

    Raises:
        ConfigError: no Chromium, or no LiteRT.js.
    """
    program = find_chromium()
    if program is None:
        raise ConfigError(f"Chromium is not on PATH: install it, or give its path in {ENVIRONMENT}")
    with TemporaryDirectory(prefix="distill_web_") as folder:
        write_site(Path(folder), models)
        with open_server(Path(folder), 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                with Browser(program, camera) as browser:
                    browser.open(address_of(server))
                    browser.wait_for(_SHOWN)
                    yield browser
            finally:
                server.shutdown()


def show_photo(browser: Browser, photo: Path, timeout: float = 60) -> dict[str, Any]:
    """Open a photo in the page and return its result: faces, model, width, height, milliseconds."""
    browser.evaluate("window.result = null")
    browser.choose_files("#photo", photo)
    result: dict[str, Any] = browser.wait_for("window.result || undefined", timeout)
    return result


def choose_model(browser: Browser, name: str) -> None:
    """Choose a landmark model in the page; it is loaded when the next result names it."""
    choose = f"model.value = '{name}'; model.dispatchEvent(new Event('change'))"
    browser.evaluate(f"{{ const model = document.getElementById('model'); {choose} }}")


def start_camera(browser: Browser) -> None:
    """Start the camera and wait for the first result."""
    browser.evaluate("window.result = null; document.getElementById('camera').click()")
    browser.wait_for("window.result !== null")
