"""Run commands in a process that reports every attempt to leave the machine, with all its children."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.environments import environment_variables

ROOT = Path(__file__).resolve().parents[2]
# Imported by Python itself at the start of every process whose PYTHONPATH leads here.
TRAP = '''
import os, socket, sys
LOCAL = ("localhost", "::1", "0.0.0.0", "::", "", None)

def report(what):
    with open(os.environ["CONNECT_TRAP"], "a") as file:
        file.write(f"{what} by {' '.join(sys.argv)[:80]}\\n")

def check(host):
    host = host.decode() if isinstance(host, bytes) else host
    if host not in LOCAL and not str(host).startswith("127."):
        report(f"connection to {host}")
        raise ConnectionRefusedError(f"trapped: {host}")

def guard(name):
    original = getattr(socket.socket, name)
    def guarded(self, *args):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            check(args[-1][0])
        return original(self, *args)
    setattr(socket.socket, name, guarded)

for name in ("connect", "connect_ex", "sendto"):
    guard(name)
resolve = socket.getaddrinfo
def getaddrinfo(host, *args, **options):
    check(host)
    return resolve(host, *args, **options)
socket.getaddrinfo = getaddrinfo

class CompiledCode:
    """onnxruntime connects in compiled code, which no patch of Python sees: its switch must be set at its import."""
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime" and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
            report("onnxruntime imported with its telemetry on")
sys.meta_path.insert(0, CompiledCode())
'''
# What other libraries and the tests themselves set; the package must do without. WANDB_SERVICE is the service of a run
# in this process, which a child would use.
_NEUTRAL = (
    "HF_HUB_OFFLINE",
    "WANDB_MODE",
    "WANDB_SILENT",
    "NO_ALBUMENTATIONS_UPDATE",
    "ORT_DISABLE_TELEMETRY",
    "WANDB_SERVICE",
)


def run_trapped(code: str, folder: Path, timeout_s: float) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run Python code in a fresh process with an empty home; return it and the attempts, one line each."""
    (folder / "trap").mkdir()
    (folder / "trap" / "sitecustomize.py").write_text(TRAP)
    home = folder / "home"
    home.mkdir()
    attempts = folder / "attempts.txt"
    environment = {name: value for name, value in os.environ.items() if name not in _NEUTRAL}
    environment |= environment_variables()
    given = filter(None, [os.environ.get("PYTHONPATH")])  # packages beside this environment
    path = os.pathsep.join([str(folder / "trap"), str(ROOT), *given])
    environment |= {"PYTHONPATH": path, "CONNECT_TRAP": str(attempts), "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder, timeout=timeout_s
    )
    found = attempts.read_text().splitlines() if attempts.is_file() else []
    # Where onnxruntime keeps its device id and what it has not sent yet.
    return done, found + [f"wrote {path}" for path in home.rglob("*Microsoft*")]
