"""Options of face tracking in videos."""

from dataclasses import dataclass

from distill.errors import ConfigError
from distill.inference.smoothing import OneEuroConfig

# Frames between detections: at 25 frames a second a new face is found within one second.
DEFAULT_REDETECT = 25
# Lengths are in sides of the face's box; chosen on the development clips of scripts/studies/video.py.
SMOOTHING = OneEuroConfig(min_cutoff=5.0, beta=20.0)


@dataclass(frozen=True)
class TrackConfig:
    """How faces are followed.

    Attributes:
        redetect: frames after which the detector looks for faces again, which is how new ones are found; at least 1.
        smooth: filter the landmarks with a One-Euro filter, which lags behind motion.
        smoothing: its parameters, with lengths in sides of the face's box.
    """

    redetect: int = DEFAULT_REDETECT
    smooth: bool = False
    smoothing: OneEuroConfig = SMOOTHING

    def __post_init__(self) -> None:
        if self.redetect < 1:
            raise ConfigError(f"--redetect {self.redetect} must be at least 1 frame")
