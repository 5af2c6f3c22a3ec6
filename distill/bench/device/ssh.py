"""Boards and other machines over ssh."""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from distill.bench.device.connection import COMMAND_SECONDS, Answer, answer_of, call, remote_script
from distill.errors import ConfigError, DeviceError

_PUSH_SECONDS = 300
# Without a terminal nobody can type a password; a key or an agent is needed.
_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-T")


class Ssh:
    """A machine with a POSIX shell, reached with the keys and settings of the user's ssh."""

    scratch = None

    def __init__(self, host: str, port: int | None = None) -> None:
        """Try the connection.

        Raises:
            ConfigError: ssh is not installed.
            DeviceError: no connection.
        """
        if shutil.which("ssh") is None:
            raise ConfigError("--target ssh: ssh is not on PATH; install OpenSSH's client")
        self.name = f"ssh:{host}" + (f":{port}" if port else "")
        self._ssh = ["ssh", *_OPTIONS, *(["-p", str(port)] if port else []), "--", host]
        done = call(self.name, [*self._ssh, remote_script(["true"])], COMMAND_SECONDS)
        try:
            answer_of(self.name, done)
        except DeviceError as error:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise DeviceError(
                f"{self.name}: no connection ({lines[-1].strip()[:200]}); `ssh {host}` must work without a password"
            ) from error

    def run(self, words: Sequence[str], seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command on the device."""
        return answer_of(self.name, call(self.name, [*self._ssh, remote_script(words)], seconds))

    def push(self, file: Path, to: str) -> None:
        """Copy a file to the device, without scp or sftp, which small systems lack.

        Raises:
            DeviceError: it did not arrive.
        """
        script = remote_script(["sh", "-c", f"cat > {shlex.quote(to)}"])
        answer = answer_of(self.name, call(self.name, [*self._ssh, script], _PUSH_SECONDS, file))
        if answer.status:
            lines = answer.text.strip().splitlines() or ["no reason given"]
            raise DeviceError(f"{self.name}: cannot copy {file.name} to it ({lines[-1].strip()[:200]})")
