"""Networks of MediaPipe that are timed in the same run, for comparison."""

from pathlib import Path

from distill.detection.detector import FULL_RANGE, SHORT_RANGE, locate_model
from distill.errors import ConfigError, suggest

# By name: the part of the mediapipe wheel and the file.
PEERS = {
    "facemesh": ("face_landmark", "face_landmark.tflite"),
    "facemesh_attention": ("face_landmark", "face_landmark_with_attention.tflite"),
    "blazeface_short": ("face_detection", SHORT_RANGE.file),
    "blazeface_full": ("face_detection", FULL_RANGE.file),
}


def peer_path(name: str) -> Path:
    """Return the file of a peer inside the installed mediapipe, which is not imported.

    Raises:
        ConfigError: unknown name, no mediapipe, or one that carries no models.
    """
    if name not in PEERS:
        raise ConfigError(f"unknown peer '{name}': {suggest(name, list(PEERS))}")
    part, file = PEERS[name]
    return locate_model(file, part=part)
