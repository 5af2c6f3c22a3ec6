"""Photos of a detector's run, from the configuration that its training stored."""

from pathlib import Path
from typing import Any

import yaml

from distill.data.photos.config import PasteSetConfig, PhotoDataConfig, PhotoSetConfig
from distill.data.readers.tables import read_text
from distill.errors import ConfigError

CONFIG = "config.yaml"


def photos_of_run(checkpoint: Path) -> PhotoDataConfig | None:
    """Return the photos of the run that a checkpoint lies in; None where no configuration lies beside it.

    Raises:
        ConfigError: the configuration is not one of a detector.
    """
    path = checkpoint.parent / CONFIG
    if not path.is_file():
        return None
    try:
        data = yaml.safe_load(read_text(path))["data"]
        return PhotoDataConfig(
            sets=[PhotoSetConfig(**_with_paths(given, "labels", "images", "groups")) for given in data["sets"]],
            paste=[PasteSetConfig(**_with_paths(given, "root")) for given in data["paste"]],
            longest=data["longest"],
            val_size=data["val_size"],
        )
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: no configuration of a detector's training ({error}); give another file") from error


def _with_paths(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: Path(value) if name in names and value is not None else value for name, value in given.items()}
