"""Description of a device: model, processor, cores, governor, system."""

import re
from typing import Any

from distill.bench.device.connection import Connection
from distill.errors import DeviceError

_SECTION = "=section="
_PARTS = {
    "properties": "getprop",
    "machine": "uname -m",
    "kernel": "uname -sr",
    "cores": "nproc",
    "governor": "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "load": "cat /proc/loadavg",
    "cpuinfo": "cat /proc/cpuinfo",
}
_PROPERTY = re.compile(r"^\[(.+?)\]: \[(.*)\]$", re.MULTILINE)
_CPU = re.compile(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", re.MULTILINE)


def describe_device(device: Connection) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """Return the description and the load of a device, as `describe_machine` and `LoadMeter` do, and its ABIs.

    Raises:
        DeviceError: it runs no POSIX shell commands.
    """
    script = "; ".join(f"echo {_SECTION}{name}; {command} 2>/dev/null" for name, command in _PARTS.items())
    parts = _sections(device.run(["sh", "-c", script]).text)
    if not parts.get("machine"):
        raise DeviceError(f"{device.name}: `uname -m` prints nothing; a system with a POSIX shell is needed")
    properties = dict(_PROPERTY.findall(parts["properties"]))
    cpu = properties.get("ro.soc.model") or next(iter(_CPU.findall(parts["cpuinfo"])), None)
    android = properties.get("ro.build.version.release")
    model = " ".join(properties.get(f"ro.product.{name}", "") for name in ("manufacturer", "model")).strip()
    abis = tuple(abi for abi in properties.get("ro.product.cpu.abilist", "").split(",") if abi)
    about: dict[str, Any] = {
        "cpu": " ".join(part for part in (model, cpu and cpu.strip()) if part) or None,
        "cores": _cores(parts),
        "architecture": parts["machine"],
        "governor": parts["governor"] or None,
        "system": f"Android {android}, {parts['kernel']}" if android else parts["kernel"],
        "python": None,
        "versions": {},
        "environment": {},
    }
    load = parts["load"].split()
    return about, _load(load), abis or (parts["machine"],)


def _sections(text: str) -> dict[str, str]:
    found = (part.partition("\n") for part in text.split(_SECTION)[1:])
    return {name.strip(): content.strip() for name, _, content in found}


def _cores(parts: dict[str, str]) -> int:
    if parts["cores"].isdigit():
        return int(parts["cores"])
    return max(1, len(re.findall(r"^processor\s*:", parts["cpuinfo"], re.MULTILINE)))


def _load(words: list[str]) -> dict[str, Any]:
    average = float(words[0]) if words and re.fullmatch(r"[\d.]+", words[0]) else None
    return {"load_average_before": average, "cores_used_by_others": None}
