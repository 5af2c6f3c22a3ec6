"""Commands and functions in an installation that lacks one of their packages: which extra brings it, in one line."""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "distill-landmarks"


def extra_of(module: str) -> str | None:
    """Return the first extra of this project that installs a module, by the metadata of the installed package.

    Args:
        module: as in `import`; the package must have the same name, apart from `-` and `_`.
    """
    package = canonicalize_name(module.partition(".")[0])
    try:
        declared = map(Requirement, metadata.requires(PROJECT) or [])
        extras = metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return None
    markers = [need.marker for need in declared if canonicalize_name(need.name) == package]
    for extra in extras:
        if any(marker is not None and marker.evaluate({"extra": extra}) for marker in markers):
            return str(extra)
    return None


def missing_package(error: ModuleNotFoundError, what: str) -> str | None:
    """Return what to install for a command or function; None where no extra has the module: that is a bug.

    Args:
        error: raised by the import.
        what: command or function that needs the package, for the message.
    """
    extra = extra_of(error.name) if error.name else None
    if extra is None:
        return None
    package = str(error.name).partition(".")[0]
    return f"{what}: {package} is not installed; run `pip install '{PROJECT}[{extra}]'`"
