"""Faces that a network's formats are compared on where generated faces do not have its points: those of its run."""

from pathlib import Path
from typing import Any

import yaml

from distill.data.config import FacesConfig
from distill.data.presets import official_split
from distill.errors import ConfigError
from distill.landmarks.convert import is_exact

# Scheme of generated faces that all others are made from.
_GENERATED = "ibug68"


def comparison_faces(checkpoint: str | Path, scheme: str, data: FacesConfig | None) -> FacesConfig | None:
    """Return the faces to compare formats on: those given, else generated ones (None), else the run's own.

    Args:
        checkpoint: in the folder of its run, whose `config.yaml` names the faces.
        scheme: of the network.
        data: faces given by the user.

    Raises:
        ConfigError: generated faces have no such points and the run names no faces, or its folder is elsewhere.
    """
    if data is not None or _is_generated(scheme):
        return data
    trained = _trained_on(Path(checkpoint).parent / "config.yaml")
    root = Path(trained.get("root") or "")
    if not trained or not root.is_dir():
        where = f"; those of the run, {root}, are not there" if trained else ""
        raise ConfigError(f"generated faces have no {scheme} points{where}: give --data.format and --data.root")
    format, preset = trained["format"], trained.get("preset")
    split = official_split(format, root, preset, scheme)
    return FacesConfig(format, root, trained.get("val_subset") or split.val or split.test or "all", preset)


def _is_generated(scheme: str) -> bool:
    try:
        is_exact(_GENERATED, scheme)
    except ConfigError:
        return False
    return True


def _trained_on(file: Path) -> dict[str, Any]:
    """Return the faces in the configuration of a run, empty where there is none."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: not readable YAML ({' '.join(str(error).split())[:100]})") from error
    data = content.get("data") if isinstance(content, dict) else None
    return data if isinstance(data, dict) and "format" in data else {}
