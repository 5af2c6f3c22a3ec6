"""User errors: one line with the cause, the value and the next step.

The command line prints any `DistillError` as a single line and exits with status 2; everything else is a bug and
keeps its traceback.
"""


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


class SubmissionError(DistillError):
    """A package that breaks a rule of the contest or does not run."""


def suggest(value: str, valid: list[str]) -> str:
    """Return the valid names as text, the nearest to `value` first when there is one."""
    import difflib

    near = difflib.get_close_matches(value, valid, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}valid: {', '.join(valid)}"
