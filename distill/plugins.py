"""Plugins: user files that register networks, losses or annotation formats (`--plugin FILE`)."""

import importlib.util
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from distill.errors import ConfigError


def plugin_list(plugins: Sequence[Path] | Path | None) -> list[Path]:
    """Return one plugin, several or none as a list."""
    if plugins is None:
        return []
    return [plugins] if isinstance(plugins, Path) else list(plugins)


def load_plugins(plugins: Sequence[Path] | Path | None) -> None:
    """Import user files by their path; a file that has not changed since is not imported again.

    The folder of a file is not added to the import path.

    Raises:
        ConfigError: no such file, or one that cannot be imported.
    """
    for path in plugin_list(plugins):
        _load(path)


def _load(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"--plugin {path}: no such file; give a Python file")
    name = f"distill_plugin_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    source = path.read_bytes()
    content = sha256(source).hexdigest()
    if getattr(sys.modules.get(name), "_plugin_sha256", None) == content:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ConfigError(f"--plugin {path}: not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    try:
        # Not by the loader, whose bytecode cache takes a file of the same second and size for unchanged.
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102  the user's own file
    except ConfigError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"--plugin {path}: cannot be imported ({type(error).__name__}: {reason})") from error
    module._plugin_sha256 = content  # type: ignore[attr-defined]
