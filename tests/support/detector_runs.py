"""Smallest training of a detector: photos of 64 px, a RetinaFace of width 0.25, a step of two photos."""

import json
from pathlib import Path

import numpy as np
import yaml

from distill.data.photos.config import PasteSetConfig, PhotoDataConfig, PhotoSetConfig, SceneConfig
from distill.detection.metrics import match_photo
from distill.evaluate.detector_result import DetectorEvaluation, DetectorProtocol
from distill.training.config import LogConfig, OptimConfig, TrainerConfig
from distill.training.detector_config import DetectorConfig, DetectorModelConfig
from distill.training.loggers.csv import plain_config
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


def write_detector_run(folder: Path) -> None:
    """Write the files of a finished training with an AP of 0.5, and an evaluation that found half of the faces."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(plain_config(DetectorConfig())))
    rows = ["1,train/loss,2.0", "2,train/loss,1.0", "2,val/ap,0.5", "2,val/recall,0.75"]
    (folder / "metrics.csv").write_text("\n".join(["step,name,value", *rows, ""]))
    summary = {"val/ap": 0.5, "best_step": 2, "steps": 2, "seconds": 60, "commit": "c" * 40}
    hashes = {
        "train_hash": "1" * 64,
        "train_photos": 8,
        "train_faces": 9,
        "val_hash": "2" * 64,
        "val_photos": 2,
        "val_faces": 3,
        "teacher": "3" * 64,
    }
    (folder / "summary.json").write_text(json.dumps(summary | hashes))
    (folder / "best.ckpt").write_bytes(b"weights")
    faces = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    found = match_photo(faces[:1], np.array([0.9]), faces, np.zeros(2, bool))
    protocol = DetectorProtocol(("label.txt",), 1, 2, 0, "4" * 64, "own", 320, "5" * 64)
    evaluation = DetectorEvaluation("best.ckpt", protocol, 0.5, [found], np.zeros((0, 5)), {})
    (folder / "detector.json").write_text(json.dumps(evaluation.to_json()))
