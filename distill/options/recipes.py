"""Recipes: YAML files of options, composed from left to right over the bases they name."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.errors import ConfigError, suggest
from distill.pretrained.resources import CONFIGS

# Key of a recipe: a list of mappings of options, each a training that goes on from the one before.
STAGES = "stages"


class _Loader(yaml.SafeLoader):
    """Safe YAML in which `1e-3` is a number, as in YAML 1.2."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)$|[-+]?\d[\d_]*\.[\d_]*$|[-+]?\.(inf|nan)$"),
    list("-+0123456789."),
)


def read_yaml(text: str) -> Any:
    """Parse YAML that holds plain values only.

    Raises:
        yaml.YAMLError: not YAML, or a tag that would run code.
    """
    return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader


def load_recipe(name: str, free: Collection[str] = (), parents: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return the options of a recipe, merged over those of its `bases`.

    Args:
        name: path of a YAML file, or the bare name of one in `configs/`.
        free: options whose value is a mapping of free keys; see `merge`.
        parents: files that name this one as a base, to refuse cycles.

    Raises:
        ConfigError: no such file, not a mapping, a cycle of bases, or an option that every stage of a base sets.
    """
    path = find_recipe(name)
    if path in parents:
        raise ConfigError(f"{path}: is among its own bases ({' -> '.join(p.name for p in (*parents, path))})")
    content = _read(path)
    bases = content.pop("bases", [])
    if not (isinstance(bases, list) and all(isinstance(base, str) for base in bases)):
        raise ConfigError(f"{path}: bases must be a list of files, not {bases!r}")
    merged: dict[str, Any] = {}
    for base in bases:
        merged = merge(merged, load_recipe(str(path.parent / base), free, (*parents, path)), free)
    if STAGES not in content:
        _require_effect(path, content, merged.get(STAGES))
    return merge(merged, content, free)


def _require_effect(path: Path, content: Mapping[str, Any], stages: Any) -> None:
    """Refuse an option that is overruled by every stage of the recipe it is merged over."""
    if not (isinstance(stages, list) and stages and all(isinstance(stage, Mapping) for stage in stages)):
        return
    everywhere = set.intersection(*(set(_leaves(stage)) for stage in stages))
    for name in _leaves(content):
        if name in everywhere:
            raise ConfigError(
                f"{_shown(path)}: {name} has no effect, each of the {STAGES} of its base sets it: write {STAGES} of "
                "your own, or take a base without them"
            )


def _leaves(content: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the options that have a value of their own."""
    names = option_names(expanded(content))
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def merge(base: Mapping[str, Any], over: Mapping[str, Any], free: Collection[str] = ()) -> dict[str, Any]:
    """Merge two mappings recursively; values of `over` win, and lists are replaced as a whole.

    Args:
        base: options of the lower layer.
        over: options of the upper layer; `kd: {kind: none}` also drops the teacher and distillation of the lower.
        free: dotted names of options that are mappings of free keys, in which `null` removes a key.
    """
    distillation = over.get("kd")
    if isinstance(distillation, Mapping) and distillation.get("kind") == "none":
        base = {name: value for name, value in base.items() if name not in ("teacher", "kd")}
    return _merge(base, over, free, "")


def _merge(base: Mapping[str, Any], over: Mapping[str, Any], free: Collection[str], prefix: str) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        path = f"{prefix}{name}"
        if value is None and any(path.startswith(f"{option}.") for option in free):
            if name not in merged:
                raise ConfigError(
                    f"{path}: null removes a key, and this one is not set; write `key: value`, with a space, to set one"
                )
            del merged[name]
        elif isinstance(value, Mapping):
            below = merged.get(name)
            merged[name] = _merge(below if isinstance(below, Mapping) else {}, value, free, f"{path}.")
        else:
            merged[name] = value
    return merged


def option_names(content: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted name of every key, of groups too."""
    names = []
    for name, value in content.items():
        names.append(f"{prefix}{name}")
        if isinstance(value, Mapping):
            names += option_names(value, f"{prefix}{name}.")
    return names


def nested(name: str, value: Any) -> dict[str, Any]:
    """`optim.lr`, 1 -> `{"optim": {"lr": 1}}`."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return dict(value)


def find_recipe(name: str | Path) -> Path:
    """Return the file of a recipe: a path, or the bare name of a file in `configs/`.

    Raises:
        ConfigError: neither.
    """
    name = str(name)
    path = Path(name)
    if path.is_file():
        return path.resolve()
    if path.suffix or len(path.parts) > 1:
        raise ConfigError(f"--config: no such file {name}")
    known = {file.stem: file for file in _recipes()}
    if name not in known:
        raise ConfigError(f"--config: no recipe '{name}': {suggest(name, sorted(known) or ['configs/student.yaml'])}")
    return known[name].resolve()


def _recipes() -> list[Path]:
    """Return the files that a bare name may mean; those of `demo` and the bases are given by path."""
    return [path for path in sorted(CONFIGS.rglob("*.yaml")) if path.parent.name in ("configs", "kd", "zoo")]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_shown(path)}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{_shown(path)}: not readable YAML; fix {where}{error.problem}") from error
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{_shown(path)}: not readable YAML ({' '.join(str(error).split())[:200]})") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{_shown(path)}: must be a mapping of option names to values")
    return expanded(content)


def expanded(content: Mapping[str, Any]) -> dict[str, Any]:
    """`{"optim.lr": 1}` -> `{"optim": {"lr": 1}}`, for every dotted name."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        found = _merge(found, nested(name, value), (), "")
    return found


def _shown(path: Path) -> Path:
    """Return a path as it is shown: relative to the current folder where it lies in it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
