"""Landmark scheme of a file that only numbers its points: the requested one, else the only one of as many points."""

from collections.abc import Sequence
from pathlib import Path

from distill.errors import ConfigError
from distill.landmarks import list_schemes, load_scheme, names_fault, require_names


def schemes_with(k: int) -> list[str]:
    """Return the built-in schemes of k points."""
    return [name for name in list_schemes() if load_scheme(name).n_points == k]


def choose_scheme(k: int, requested: str | None, source: Path, what: str = "points", names: Sequence[str] = ()) -> str:
    """Return the scheme of k points.

    Args:
        k: number of points of a face in the file.
        requested: scheme the user asks for; it decides where it has as many points.
        source: the file named in errors.
        what: what the file calls its points.
        names: of the k points, where the file has any.

    Raises:
        ConfigError: no or several built-in schemes have k points, and the requested one has not; or names of other
            points. A number of points does not determine their positions, so that none of several is preferred.
    """
    if requested is not None and load_scheme(requested).n_points == k:
        if names:
            require_names(names, load_scheme(requested), source)
        return requested
    fitting = schemes_with(k)
    if names and fitting:
        faults = {name: names_fault(names, load_scheme(name)) for name in fitting}
        fitting = [name for name in fitting if not faults[name]]
        if not fitting:
            raise ConfigError(f"{source}: {next(iter(faults.values()))}; name your scheme with --data.scheme FILE.yaml")
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise ConfigError(f"{source}: {k} {what} fit no built-in scheme; name yours with --data.scheme FILE.yaml")
    meanings = "; ".join(f"{name} ({load_scheme(name).title})" for name in fitting)
    raise ConfigError(
        f"{source}: {k} {what} fit several schemes; name theirs with --data.scheme, or a .yaml of yours: {meanings}"
    )
