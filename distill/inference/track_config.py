"""Options of face tracking in videos."""

from dataclasses import dataclass

from distill.errors import ConfigError
from distill.inference.smoothing import OneEuroConfig

# Frames between detections: at 25 frames a second a new face is found within one second.
DEFAULT_REDETECT = 25
# Lengths are in sides of the face's box. Of the candidates of scripts/studies/video.py, the least jitter on the
# development clips among those that lag by less than 10 ms in a pan (results/bench/video.json).
SMOOTHING = OneEuroConfig(min_cutoff=2.0, beta=60.0)


@dataclass(frozen=True)
class TrackConfig:
    """How faces are followed.

    Attributes:
        redetect: frames after which the detector looks for faces again, which is how new ones are found; at least 1.
        smooth: filter the landmarks with a One-Euro filter, which lags behind motion.
        smoothing: its parameters, with lengths in sides of the face's box.
    """

    redetect: int = DEFAULT_REDETECT
    smooth: bool = True
    smoothing: OneEuroConfig = SMOOTHING

    def __post_init__(self) -> None:
        if self.redetect < 1:
            raise ConfigError(f"--redetect {self.redetect} must be at least 1 frame")


def tracking_options(
    track: bool, redetect: int, smooth: bool, max_frames: int | None = None, videos: bool = True
) -> TrackConfig | None:
    """Return how faces are followed, None for a detection in each frame.

    Raises:
        ConfigError: an option of videos without any, one of the tracking without it, or a number of frames below 1.
    """
    given = {"max_frames": max_frames is not None, "track": not track, "redetect": redetect != DEFAULT_REDETECT}
    for name in [name for name, changed in {**given, "smooth": not smooth}.items() if changed and not videos]:
        raise ConfigError(f"--{name} has no effect on photos, only on videos and cameras: leave it out")
    if max_frames is not None and max_frames < 1:
        raise ConfigError(f"--max_frames {max_frames} must be at least 1")
    if track:
        return TrackConfig(redetect, smooth)
    if not smooth or redetect != DEFAULT_REDETECT:
        raise ConfigError("--smooth and --redetect have no effect with --track false: leave them out")
    return None
