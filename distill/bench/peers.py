"""Networks of MediaPipe that are timed in the same run, for comparison."""

from pathlib import Path

from distill.detection.detector import FULL_RANGE, SHORT_RANGE, locate_model
from distill.errors import ConfigError, suggest
from distill.inference.facemesh import mediapipe_file

# By name: the part of the mediapipe wheel, or "" for a file of this package, and the file.
PEERS = {
    "facemesh": ("face_landmark", "face_landmark.tflite"),
    "facemesh_attention": ("face_landmark", "face_landmark_with_attention.tflite"),
    "blazeface_short": ("", SHORT_RANGE.file),
    "blazeface_full": ("", FULL_RANGE.file),
}


def peer_path(name: str) -> Path:
    """Return the file of a peer, in this package or in the installed mediapipe, which is not imported.

    Raises:
        ConfigError: unknown name, no mediapipe, or one that carries no models.
    """
    if name not in PEERS:
        raise ConfigError(f"unknown peer '{name}': {suggest(name, list(PEERS))}")
    part, file = PEERS[name]
    return mediapipe_file(part, file) if part else locate_model(file)
