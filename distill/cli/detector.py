"""`distill detector`: train a face detector on photos with boxes."""

from distill.options.parser import options_of, parse
from distill.training.detector_config import DetectorConfig


def run(argv: list[str]) -> int:
    config = DetectorConfig(**parse(options_of("detector", "Train a RetinaFace detector.", DetectorConfig), argv))
    from distill.training.detector_fit import train_detector

    print(f"done: {train_detector(config)}")
    return 0
