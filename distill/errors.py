"""User errors: one line with the cause, the value and the next step.

The command line prints any `DistillError` as a single line and exits with status 2; everything else is a bug and
keeps its traceback.
"""

from pathlib import PurePath

# Names that are listed beside a suggestion; more would hide it.
_LISTED = 24
# Letters from which on a value is taken for the beginning of a name.
_LEAST_BEGINNING = 3
_CUTOFF = 0.5


class DistillError(Exception):
    """Base class of all user errors."""


class AnnotationError(DistillError):
    """A landmark file, box file or manifest that cannot be read in its declared format."""


class ImageError(DistillError):
    """A photo that is missing, truncated, empty or in an unsupported format."""


class CheckpointError(DistillError):
    """Weights that are missing, not weights, or made for another model."""


class ConfigError(DistillError):
    """Options that contradict each other or name something unknown."""


class TrainingError(DistillError):
    """Training that cannot continue."""


class ExportError(DistillError):
    """A conversion that failed or returns other points than the model it came from."""


class DeviceError(DistillError):
    """A phone or board that is missing, refuses the connection, or is lost during a measurement."""


class SubmissionError(DistillError):
    """A package that breaks a rule of the contest or does not run."""


def suggest(value: str, valid: list[str]) -> str:
    """Return the valid names as text, the nearest to `value` first when there is one; it stands alone before many."""
    near = nearest_name(value, valid)
    if near is not None and len(valid) > _LISTED:
        return f"did you mean '{near}'?"
    hint = f"did you mean '{near}'? " if near is not None else ""
    return f"{hint}valid: {', '.join(valid)}"


def require_sequences(**options: object) -> None:
    """Check that options are sequences, not a single text, whose letters would be taken for the names, or a path.

    Raises:
        ConfigError: naming the first that is one.
    """
    for name, value in options.items():
        if isinstance(value, str | PurePath):
            raise ConfigError(f"{name}={str(value)!r}: give a list, {name}=[{str(value)!r}]")


def nearest_name(value: str, valid: list[str], cutoff: float | None = None) -> str | None:
    """Return the shortest name that `value` begins, else the one most like it, else None.

    Args:
        value: the misspelt name.
        valid: names to choose from.
        cutoff: least likeness, in [0, 1]; 0.5 by default.
    """
    import difflib

    longer = [name for name in valid if name.startswith(value)] if len(value) >= _LEAST_BEGINNING else []
    near = difflib.get_close_matches(value, valid, n=1, cutoff=_CUTOFF if cutoff is None else cutoff)
    return min(longer, key=len) if longer else next(iter(near), None)


_LONGEST_REASON = 200


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, cut off where it is long, or its type where it has none."""
    line = (str(error).strip().splitlines() or [repr(error)])[0]
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."


# As Python, C++, torch, CUDA, OpenCV, safetensors and the dynamic linker put it.
_OUT_OF_MEMORY = (
    "out of memory", "allocate memory", "not enough memory", "insufficient memory", "bad_alloc",
    "failed to map segment", "unable to mmap",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception of any library says that there is no more memory."""
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in _OUT_OF_MEMORY)
