"""Sources of face boxes: annotation, data set or face detector."""

from distill.errors import ConfigError

GROUND_TRUTH = "gt"  # tight box of the annotated points
DATASET = "dataset"  # a detector's box that comes with the data set
DETECTOR = "detector"  # box of `FaceDetector`: always that of a whole face, whatever points the others enclose
BOX_SOURCES = (GROUND_TRUTH, DATASET, DETECTOR)

# Names in files written by earlier versions.
_STORED = {"det": DATASET, "found": DETECTOR}
_FORMER = {source: name for name, source in _STORED.items()}


def source_from_file(name: str) -> str:
    """Return the box source of a name in a manifest or result, also of one written by an earlier version."""
    return _STORED.get(name, name)


def name_for_hash(source: str) -> str:
    """Return the name that hashes of faces are computed with, so that those of earlier versions stay valid."""
    return _FORMER.get(source, source)


def require_box_source(option: str, source: str) -> None:
    """Check that a user's value names a box source.

    Raises:
        ConfigError: an unknown or renamed source, with the valid name.
    """
    if source in _STORED:
        raise ConfigError(f"{option} {source} is now {option} {_STORED[source]}")
    if source not in BOX_SOURCES:
        raise ConfigError(f"unknown {option} '{source}': valid: {', '.join(BOX_SOURCES)}")
