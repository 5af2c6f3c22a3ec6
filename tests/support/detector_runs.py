"""Smallest training of a detector: photos of 64 px, a RetinaFace of width 0.25, a step of two photos."""

from pathlib import Path

from distill.data.photos.config import PasteSetConfig, PhotoDataConfig, PhotoSetConfig, SceneConfig
from distill.training.config import LogConfig, OptimConfig, TrainerConfig
from distill.training.detector_config import DetectorConfig, DetectorModelConfig
from tests.support.photo_sets import write_photo_set, write_pts_faces

STEPS_PER_EPOCH = 4


def write_detector_photos(root: Path) -> None:
    """Write ten photos with boxes, of which two are held out, and three faces to be pasted."""
    write_photo_set(root / "boxes", 10)
    write_pts_faces(root / "points", 3)


def small_detector(root: Path, epochs: int) -> DetectorConfig:
    """Return a configuration with the photos that `write_detector_photos` writes to `root`."""
    scene = SceneConfig(size=64, smallest=16, largest=40, paste_smallest=10, paste_largest=24, mosaic=0.5, paste=0.5)
    data = PhotoDataConfig(
        sets=[PhotoSetConfig(root / "boxes/label.txt", root / "boxes/images", hold_out=5)],
        paste=[PasteSetConfig("300w", root / "points", "helen/trainset")],
        scene=scene,
        batch_size=2,
        val_size=96,
    )
    return DetectorConfig(
        runs=root / "runs",
        data=data,
        model=DetectorModelConfig(width=0.25),
        optim=OptimConfig(lr=2e-3),
        trainer=TrainerConfig(epochs=epochs, validate_every=1, checkpoint_every=3, accelerator="cpu", threads=1),
        log=LogConfig("disabled", every=1),
    )
