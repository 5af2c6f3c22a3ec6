"""What is installed against what this project, and each package it names, declares to need."""

from collections.abc import Iterable, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from distill.doctor.check import PROJECT, Check, Status


def installed_versions() -> dict[str, str]:
    """Return {canonical name: version} of every package this interpreter finds."""
    # The first hit on the path is the one Python imports.
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        if name := distribution.metadata["Name"]:
            versions.setdefault(canonicalize_name(name), distribution.version)
    return versions


def requirements_of(package: str) -> list[str] | None:
    """Return what a package declares it needs, or None when it is not installed."""
    try:
        return metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return None


def _extra_of(need: Requirement) -> str:
    """Return the extra a requirement belongs to, '' for the base, '-' when it is for another platform."""
    if need.marker is None or need.marker.evaluate({"extra": ""}):
        return ""
    for extra in metadata.metadata(PROJECT).get_all("Provides-Extra") or []:
        if need.marker.evaluate({"extra": extra}):
            return str(extra)
    return "-"


def package_checks(versions: Mapping[str, str]) -> Iterable[Check]:
    """Compare what is installed with what this project, and each package it names, declares to need."""
    declared = requirements_of(PROJECT)
    if declared is None:
        yield Check("FAIL", "packages", f"{PROJECT} is not installed", "run `make setup`")
        return
    groups: dict[str, list[Requirement]] = {}
    for need in map(Requirement, declared):
        if canonicalize_name(need.name) != PROJECT:
            groups.setdefault(_extra_of(need), []).append(need)
    groups.pop("-", None)
    for extra, needs in groups.items():
        yield _group_check(extra, needs, versions)
    direct = {canonicalize_name(need.name) for needs in groups.values() for need in needs}
    for package in sorted(direct & versions.keys()):
        yield from _conflicts(package, versions)


def _group_check(extra: str, needs: list[Requirement], versions: Mapping[str, str]) -> Check:
    """Judge one extra: missing packages mean that it is not in use, wrong versions that what uses it may break."""
    found = {need.name: versions.get(canonicalize_name(need.name)) for need in needs}
    text = ", ".join(f"{name} {version}" for name, version in sorted(found.items()) if version)
    missing = sorted(name for name, version in found.items() if not version)
    wrong = [need for need in needs if (version := found[need.name]) and not need.specifier.contains(version, True)]
    name = f"[{extra or 'base'}]"
    target = f"{PROJECT}[{extra}]" if extra else PROJECT
    if missing:
        status: Status = "WARN" if extra else "FAIL"
        return Check(status, name, f"missing: {', '.join(missing)}", f"make setup, or pip install '{target}'")
    if wrong:
        text = ", ".join(f"{need.name} {found[need.name]} is not {need.specifier}" for need in wrong)
        return Check("FAIL", name, text, f"pip install {' '.join(repr(_pip_name(need)) for need in wrong)}")
    return Check("OK", name, text)


def _pip_name(need: Requirement) -> str:
    """Return `name[extras]specifier`, as pip's command line takes it."""
    extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
    return f"{need.name}{extras}{need.specifier}"


def _conflicts(package: str, versions: Mapping[str, str]) -> Iterable[Check]:
    """Check what a package itself needs, as `pip check` does."""
    for need in map(Requirement, requirements_of(package) or []):
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        version = versions.get(canonicalize_name(need.name))
        if version is None:
            problem = f"{package} needs {need.name}, which is missing"
        elif not need.specifier.contains(version, True):
            problem = f"{package} {versions[package]} needs {need.name}{need.specifier}, found {version}"
        else:
            continue
        yield Check("FAIL", "conflict", problem, f"pip install '{_pip_name(need)}', or rm -rf .venv && make setup")
