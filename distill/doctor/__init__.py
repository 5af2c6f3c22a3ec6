"""Diagnose the installation: packages, conflicts and next steps, as one block to paste into a bug report.

It works in broken installations: only the standard library and `packaging` are imported here, everything heavy is
tried in child processes. Keys are reported as present or absent, never shown; the home folder is written `~`.
"""

import netrc
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from distill.doctor.check import PROJECT, Check, Status
from distill.doctor.known_bad import known_bad_checks
from distill.doctor.packages import installed_versions, package_checks
from distill.doctor.probes import import_checks, probe_torch

__all__ = ["Check", "Diagnosis", "diagnose"]

MIN_FREE_GB = 1
LOW_FREE_GB = 10


@dataclass(frozen=True)
class Diagnosis:
    """Result of all checks.

    Attributes:
        checks: one per line, in reading order.
    """

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """1 when something cannot work, else 0."""
        return int(any(check.status == "FAIL" for check in self.checks))

    def render(self) -> str:
        """Return the block to paste."""
        lines = ["distill doctor"]
        width = max(len(check.name) for check in self.checks)
        for check in self.checks:
            lines.append(f"{check.status:<4}  {check.name:<{width}}  {check.found}")
            if check.step:
                lines.append(f"{'':<6}{'':<{width}}  -> {check.step}")
        counts = {status: sum(check.status == status for check in self.checks) for status in ("FAIL", "WARN")}
        lines.append(f"{counts['FAIL']} cannot work, {counts['WARN']} warnings")
        return _without_home("\n".join(lines))


def _without_home(text: str) -> str:
    home = str(Path.home())
    return text if home in ("/", "") else text.replace(home, "~")


def diagnose() -> Diagnosis:
    """Check the machine, the packages and the accounts; takes some seconds, most of them to try heavy imports."""
    versions = installed_versions()
    with ThreadPoolExecutor() as pool:
        torch = pool.submit(probe_torch, versions)
        imports = pool.submit(import_checks, versions)
        checks = [
            *_machine_checks(),
            *package_checks(versions),
            *known_bad_checks(versions),
            *imports.result(),
            *torch.result(),
            runtime_check(versions),
            wandb_check(versions, os.environ, _netrc_has_wandb()),
        ]
    return Diagnosis(tuple(checks))


def _machine_checks() -> Iterable[Check]:
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Check(
        "OK" if supported else "FAIL",
        "python",
        f"{version} at {sys.executable}",
        "" if supported else "use Python 3.11, 3.12 or 3.13: make setup PYTHON=/path/to/python3.11",
    )
    yield Check("OK", "platform", platform.platform())
    memory = f", {_memory_gb():.0f} GB memory" if hasattr(os, "sysconf") else ""
    yield Check("OK", "processor", f"{_processor()}, {os.cpu_count()} cores{memory}")
    yield disk_check(shutil.disk_usage(Path.cwd()).free / 1e9)


def disk_check(free_gb: float) -> Check:
    """Judge the free space where runs are written."""
    status: Status = "FAIL" if free_gb < MIN_FREE_GB else "WARN" if free_gb < LOW_FREE_GB else "OK"
    step = (
        ""
        if status == "OK"
        else f"free some: an environment takes 4 GB, a run about 1 GB (below {LOW_FREE_GB} GB is little)"
    )
    return Check(status, "disk", f"{free_gb:.1f} GB free here", step)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def runtime_check(versions: Mapping[str, str]) -> Check:
    """List what can run a .tflite file."""
    names = ("ai-edge-litert", "tflite-runtime", "tensorflow")
    found = [f"{name} {versions[name]}" for name in names if name in versions]
    if found:
        return Check("OK", "tflite", ", ".join(found))
    return Check("WARN", "tflite", "no runtime for .tflite files", "pip install ai-edge-litert")


def _netrc_has_wandb() -> bool:
    path = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    try:
        return any("wandb" in host for host in netrc.netrc(str(path)).hosts)
    except (OSError, netrc.NetrcParseError):
        return False


def wandb_check(versions: Mapping[str, str], environment: Mapping[str, str], key_in_netrc: bool) -> Check:
    """Tell whether runs can be mirrored to Weights & Biases; the key itself is never read out."""
    if "wandb" not in versions:
        step = f"to mirror runs: pip install '{PROJECT}[track]'; metrics.csv is written anyway"
        return Check("WARN", "wandb", "not installed", step)
    has_key = bool(environment.get("WANDB_API_KEY")) or key_in_netrc
    mode = environment.get("WANDB_MODE", "")
    found = f"{versions['wandb']}, key {'present' if has_key else 'absent'}, mode {mode or 'offline (default)'}"
    if mode == "online" and not has_key:
        return Check("WARN", "wandb", found, "run `wandb login`, or leave WANDB_MODE unset")
    return Check("OK", "wandb", found)
