"""Commands that take landmark models and face detectors: which of the two a model is, and which options are left.

Nothing heavy is imported for names and TFLite or ONNX files; of weights the stored spec is read, no tensor is loaded.
"""

from collections.abc import Collection
from pathlib import Path

from distill.detection.detector import DETECTORS
from distill.detection.retinaface.sidecar import is_detector_file
from distill.detection.third_party.description import is_third_party
from distill.errors import CheckpointError, ConfigError
from distill.files import CHECKPOINT_SUFFIXES
from distill.inference.load import FACEMESH, require_model
from distill.options.words import explicit_options
from distill.pretrained.registry import require_known, resolve_model


def names_a_detector(model: Path) -> bool:
    """Return whether a model is a face detector: the name of one, or a file of one in any format."""
    if str(model) in DETECTORS or is_detector_file(model):
        return True
    if model.suffix in CHECKPOINT_SUFFIXES:
        return has_weights(model)
    return is_third_party(model) and _has_known_layout(model)


def _has_known_layout(model: Path) -> bool:
    """Return whether a file without a description has the outputs of a known detector."""
    from distill.detection.third_party.net import ThirdPartyNet

    try:
        ThirdPartyNet(model)
    except (CheckpointError, ConfigError):
        return False
    return True


def has_weights(path: Path) -> bool:
    """Return whether a file holds the weights of a detector; False for one without weights, which others report."""
    from distill.models.detector_checkpoint import is_detector

    try:
        return path.is_file() and is_detector(path)
    except CheckpointError:
        return False


def require_landmark_model(model: Path) -> None:
    """Refuse a model that is not there before options are refused that it does not have.

    Raises:
        CheckpointError: no model file, and no name of a released model or of a detector, with the nearest of these.
    """
    if str(model) == FACEMESH:
        return
    path = resolve_model(model)
    require_known(path, detectors=(*DETECTORS, FACEMESH))
    require_model(path)


def require_options(argv: list[str], known: Collection[str], job: str) -> None:
    """Refuse typed options that a job on a detector does not have.

    Args:
        argv: command line.
        known: first parts of their names.
        job: the job, for the message.

    Raises:
        ConfigError: naming the first one.
    """
    if others := [name for name in explicit_options(argv) if name.partition(".")[0] not in known]:
        raise ConfigError(f"--{others[0]} has no effect on the {job} of a detector: leave it out")
