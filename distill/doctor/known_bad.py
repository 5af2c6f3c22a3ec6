"""Known bad package releases."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from distill.doctor.check import Check, Status


class KnownBad(NamedTuple):
    """Releases of a package to stay away from."""

    package: str
    versions: str
    status: Status
    reason: str
    step: str


_MALWARE = "malware release of 2026-04-30"
_UNSAFE_CHECKPOINTS = "runs code from checkpoints"
_MISCOMPUTES = "2.1.0 computes int8 BATCH_MATMUL wrongly"

# fmt: off
KNOWN_BAD = (
    KnownBad("lightning", "==2.6.2", "FAIL", _MALWARE, "uninstall it and change every key"),
    KnownBad("lightning", "==2.6.3", "FAIL", _MALWARE, "uninstall it and change every key"),
    KnownBad("lightning", "<2.6.6,!=2.6.2,!=2.6.3", "FAIL", _UNSAFE_CHECKPOINTS, "pip install 'lightning>=2.6.6'"),
    KnownBad("pytorch-lightning", "<2.6.6", "FAIL", _UNSAFE_CHECKPOINTS, "pip install 'pytorch-lightning>=2.6.6'"),
    KnownBad("torch", "<2.6", "FAIL", "runs code from weights (CVE-2025-32434)", "rm -rf .venv && make setup"),
    KnownBad("onnx", "<1.21", "WARN", "reads files outside a model's folder", "pip install 'onnx>=1.21'"),
    KnownBad("albumentationsx", ">=0", "WARN", "licensed AGPL-3.0", "uninstall it, install albumentations==2.0.8"),
    KnownBad("ai-edge-litert", "<2.2", "WARN", _MISCOMPUTES, "pip install -U ai-edge-litert"),
)
# fmt: on


def known_bad_checks(versions: Mapping[str, str]) -> Iterable[Check]:
    """Find releases known to be dangerous, wrong or differently licensed."""
    for bad in KNOWN_BAD:
        version = versions.get(bad.package)
        if version and SpecifierSet(bad.versions).contains(version, True):
            yield Check(bad.status, "known bad", f"{bad.package} {version}: {bad.reason}", bad.step)
    numpy = versions.get("numpy", "1")
    if "tflite-runtime" in versions and int(numpy.partition(".")[0]) >= 2:
        found = f"tflite-runtime {versions['tflite-runtime']} with numpy {numpy}: fails on valid models"
        yield Check(
            "FAIL", "known bad", found, "pip install 'numpy<2', or uninstall tflite-runtime and use ai-edge-litert"
        )
