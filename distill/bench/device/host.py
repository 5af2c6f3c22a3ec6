"""This machine as a device: `benchmark_model` runs here, in processes of its own."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from distill.bench.device.connection import COMMAND_SECONDS, Answer, answer_of, call, remote_script
from distill.errors import DeviceError


class Host:
    """The machine that this program runs on, for boards on which it is installed, and to try a program out."""

    name = "host"
    scratch = None

    def run(self, words: Sequence[str], seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command."""
        return answer_of(self.name, call(self.name, ["sh", "-c", remote_script(words)], seconds))

    def push(self, file: Path, to: str) -> None:
        """Copy a file.

        Raises:
            DeviceError: it cannot be written.
        """
        try:
            shutil.copyfile(file, to)
        except OSError as error:
            raise DeviceError(f"{self.name}: cannot copy {file.name} to {to} ({error.strerror})") from error
