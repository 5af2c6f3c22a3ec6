"""Headless Chromium over its remote debugging pipe: open a page, evaluate, take pictures. Needs no further package."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ENVIRONMENT = "DISTILL_CHROMIUM"  # path of the program where it is not on PATH
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",  # gives the camera without asking
    "--hide-scrollbars",
)

_MOVE_PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class BrowserError(RuntimeError):
    """The browser or the page reports an error."""


def find_chromium() -> str | None:
    """Return the program named by `DISTILL_CHROMIUM`, else one on PATH, else None."""
    named = os.environ.get(ENVIRONMENT)
    return named or next((path for path in map(shutil.which, _NAMES) if path), None)


class Browser:
    """One page in one browser process.

    Attributes:
        events: messages of the page so far: requests, errors, console.
    """

    def __init__(self, program: str, camera: Path | None = None, options: Sequence[str] = ()) -> None:
        """Start the browser.

        Args:
            program: of Chromium.
            camera: Y4M or MJPEG file that its camera shows, over and over.
            options: further ones of the program.
        """
        self.events: list[dict[str, Any]] = []
        self._profile = tempfile.TemporaryDirectory(prefix="distill_chromium_", ignore_cleanup_errors=True)
        fake = [] if camera is None else ["--use-fake-device-for-media-stream"]
        fake += [] if camera is None else [f"--use-file-for-fake-video-capture={camera.resolve()}"]
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # the sandbox refuses the superuser
        command = [program, *_OPTIONS, *root, *fake, *options, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._start(command)
        self._session: str | None = None
        self._count = 0
        self._buffer = b""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.send(f"{domain}.enable")

    def _start(self, command: list[str]) -> None:
        """Start the program, which reads commands from descriptor 3 and writes replies to descriptor 4."""
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        start = [sys.executable, "-c", _MOVE_PIPES, str(reads), str(writes), *command]
        self._process = subprocess.Popen(
            start, pass_fds=(reads, writes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(reads)
        os.close(writes)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def send(self, method: str, timeout: float = 60, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and return its result.

        Raises:
            BrowserError: it fails, the browser has ended, or there is no reply in `timeout` seconds.
        """
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._to, json.dumps(message).encode() + b"\0")
        except BrokenPipeError as error:
            raise BrowserError(f"{method}: the browser has ended") from error
        until = time.monotonic() + timeout
        while True:
            reply = self._receive(until, method)
            if reply.get("id") != self._count:
                self.events.append(reply)
            elif "error" in reply:
                raise BrowserError(f"{method}: {reply['error']['message']}")
            else:
                result: dict[str, Any] = reply["result"]
                return result

    def _receive(self, until: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0, until - time.monotonic()))
            block = os.read(self._from, 1 << 20) if ready else b""
            if not block:
                raise BrowserError(f"{method}: {'the browser has ended' if ready else 'no reply in time'}")
            self._buffer += block
        message, _, self._buffer = self._buffer.partition(b"\0")
        reply: dict[str, Any] = json.loads(message)
        return reply

    def open(self, address: str, timeout: float = 60) -> None:
        """Open a page and wait until it has loaded.

        Raises:
            BrowserError: it cannot be reached, or has not loaded in `timeout` seconds.
        """
        before = len(self.events)
        reply = self.send("Page.navigate", timeout, url=address)
        if "errorText" in reply:
            raise BrowserError(f"{address}: {reply['errorText']}")
        until = time.monotonic() + timeout
        while not any(event["method"] == "Page.loadEventFired" for event in self.events[before:]):
            self.events.append(self._receive(until, "Page.loadEventFired"))

    def evaluate(self, expression: str, timeout: float = 60) -> Any:
        """Return the value of a JavaScript expression in the page, awaited if it is a promise.

        Raises:
            BrowserError: it throws.
        """
        reply = self.send(
            "Runtime.evaluate", timeout, expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return reply["result"].get("value")

    def wait_for(self, expression: str, timeout: float = 60) -> Any:
        """Return the value of a JavaScript expression as soon as it is true.

        Raises:
            BrowserError: it is not in `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while not (value := self.evaluate(expression)):
            if time.monotonic() > until:
                raise BrowserError(f"not true in {timeout} s: {expression}; {self.problems()}")
            time.sleep(0.02)
        return value

    def choose_files(self, selector: str, *files: Path) -> None:
        """Choose files in a file input of the page."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file.resolve()) for file in files])

    def resize(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        """Set the size of the window in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def picture(self, **options: Any) -> bytes:
        """Return a picture of the window as PNG; options are those of `Page.captureScreenshot`."""
        return base64.b64decode(self.send("Page.captureScreenshot", **options)["data"])

    def requests(self) -> list[tuple[str, str]]:
        """Return (method, address) of every request so far."""
        sent = [event["params"]["request"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [(request["method"], request["url"]) for request in sent]

    def problems(self) -> list[str]:
        """Return the uncaught errors of the page and what the browser refused it so far."""
        thrown = [e["params"]["exceptionDetails"] for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        found = [details.get("exception", {}).get("description", details["text"]) for details in thrown]
        return found + [entry["text"] for entry in logged if entry["level"] == "error"]
