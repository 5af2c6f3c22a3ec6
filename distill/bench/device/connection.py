"""Commands on a device, with the exit status that adb and ssh alone do not report in every case."""

import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from distill.errors import DeviceError
from distill.system.processes import ending_with_parent

# Old versions of adb return 0 always, and ssh's 255 may be its own or the command's. Output without this mark was cut.
_MARK = "distill-exit-status:"
COMMAND_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """Exit status and output (standard output and error together) of a command on a device."""

    status: int
    text: str


class Connection(Protocol):
    """A device that commands and files are sent to.

    Attributes:
        name: of the device, for messages and tables.
        scratch: folder in which a folder of our own is made; None is the system's.
    """

    @property
    def name(self) -> str: ...

    @property
    def scratch(self) -> str | None: ...

    def run(self, words: Sequence[str], seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command on the device, words quoted for its shell."""
        ...

    def push(self, file: Path, to: str) -> None:
        """Copy a file to the device."""
        ...


def remote_script(words: Sequence[str]) -> str:
    """Return a command for a shell on a device, quoted, that prints its exit status after its output.

    Within `sh -c`, because the shell of an ssh account may be another than a POSIX one.
    """
    script = f"{shlex.join(words)} 2>&1; status=$?; echo; echo {_MARK}$status"
    return shlex.join(["sh", "-c", script])


def call(
    name: str, command: Sequence[str], seconds: float, stdin: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program of this machine that talks to a device.

    Raises:
        DeviceError: no answer in time.
    """
    try:
        with stdin.open("rb") if stdin else Path("/dev/null").open("rb") as source:
            return subprocess.run(
                ending_with_parent(command), stdin=source, capture_output=True, text=True, errors="replace",
                timeout=seconds,
            )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"{name}: no answer within {seconds:g} s; is it asleep or out of reach?") from error


def answer_of(name: str, done: "subprocess.CompletedProcess[str]") -> Answer:
    """Return the answer of a `remote_script`.

    Raises:
        DeviceError: the connection ended before the command did.
    """
    text, mark, status = done.stdout.replace("\r\n", "\n").rpartition(_MARK)
    if not mark or not status.strip().isdigit():
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"exit status {done.returncode}"]
        raise DeviceError(f"{name}: the connection was lost ({lines[-1].strip()[:200]})")
    return Answer(int(status), text.removesuffix("\n"))


def make_folder(device: Connection) -> str:
    """Make a folder of our own on a device.

    Raises:
        DeviceError: it has no place for one.
    """
    pattern = [f"{device.scratch}/distill-bench.XXXXXX"] if device.scratch else []
    answer = device.run(["mktemp", "-d", *pattern])
    folder = (answer.text.strip().splitlines() or [""])[-1]
    if answer.status or not folder.startswith("/"):
        raise DeviceError(f"{device.name}: cannot make a folder ({folder[:200] or 'no output of mktemp'})")
    return folder


def remove_folder(device: Connection, folder: str) -> None:
    """Remove a folder of `make_folder`; a device that is gone keeps it."""
    with suppress(DeviceError):
        device.run(["rm", "-rf", folder])
