"""Training task of a face detector: RetinaFace's loss, average precision on whole photos."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distill.data.photos.dataset import PhotoBatch, PhotoDataset
from distill.detection.metrics import (
    PhotoMatch,
    average_precision,
    match_photo,
    precision_recall,
    recall,
    score_at_false_rate,
)
from distill.detection.retinaface.decode import DecodeConfig, decode
from distill.detection.retinaface.distillation import DetectorFeatureLoss, DetectorKDConfig, distillation_terms
from distill.detection.retinaface.letterbox import letterbox, to_photo
from distill.detection.retinaface.loss import DetectionLoss, Faces
from distill.detection.retinaface.net import RawDetections, RetinaFace
from distill.images.figures import Faces as DrawnFaces
from distill.images.figures import detection_sheet, precision_recall_curve
from distill.models.detector_checkpoint import DetectorSpec
from distill.training.base_task import BaseTask, parameter_groups
from distill.training.config import OptimConfig
from distill.training.tasks import as_floats

VALIDATED = "val/ap"

# Recall is given for faces of this size in pixels of the photo, at this many false boxes a photo.
_RECALL_SIZE = 24.0
_FALSE_PER_PHOTO = 0.5
_VALIDATION_DECODE = DecodeConfig(min_score=0.02)


class DetectorTask(BaseTask):
    """Trains a face detector.

    Args:
        net: detector.
        loss: its loss.
        val: validation photos.
        val_size: longer side of a validation photo as input of the network.
        optim: optimiser.
        total_steps: length of the schedule.
        spec: what the network is.
        teacher: detector to learn from as well, in evaluation mode.
        kd: weights of what is learned from it.

    Attributes:
        terms: of the loss of this step, with their graph, until the backward pass.
        matches: of the photos of the last validation with their faces.
        found: boxes and points of the detections in these photos, in the order of the scores in `matches`.
    """

    def __init__(
        self,
        net: RetinaFace,
        loss: DetectionLoss,
        val: PhotoDataset,
        val_size: int,
        optim: OptimConfig,
        total_steps: int,
        spec: DetectorSpec,
        teacher: RetinaFace | None = None,
        kd: DetectorKDConfig | None = None,
    ):
        super().__init__(net, optim, total_steps, spec)
        self.loss, self.val, self.val_size = loss, val, val_size
        # In a list, so that it is neither trained nor stored with the student.
        self._teacher = [] if teacher is None else [teacher.to(memory_format=torch.channels_last)]
        self.kd = kd or DetectorKDConfig()
        # Trained beside the network and stored for a resumption, but no part of `net`.
        self.feature = self._feature_loss(net, teacher)
        self.terms: dict[str, Tensor] = {}
        self.matches: list[PhotoMatch] = []
        self.found: list[DrawnFaces] = []

    def forward(self, images: Tensor) -> RawDetections:
        with self.rounding():
            raw: RawDetections = self.net(images)
        return raw

    def training_step(self, batch: PhotoBatch, batch_idx: int) -> dict[str, Tensor]:
        height, width = batch["image"].shape[-2:]
        images = as_floats(batch["image"])
        with self.rounding():
            raw, features = self.net.with_features(images)  # type: ignore[operator]
        faces = [Faces(*face) for face in zip(batch["boxes"], batch["ignored"], batch["points"], strict=True)]
        losses: dict[str, Tensor] = self.loss(raw, faces, width, height)
        for teacher in self._teacher:
            terms = self._distilled(teacher, images, raw, features)
            losses = {**losses, **terms, "loss": losses["loss"] + torch.stack(list(terms.values())).sum()}
        self.terms = losses
        return {name: value if name == "loss" else value.detach() for name, value in losses.items()}

    def _distilled(
        self, teacher: RetinaFace, images: Tensor, raw: RawDetections, features: list[Tensor]
    ) -> dict[str, Tensor]:
        """Return the weighted terms of the distillation."""
        with torch.no_grad():
            wanted, wanted_features = teacher.to(self.device).with_features(images)
        terms = distillation_terms(raw, wanted, self.kd)
        if self.feature is not None:
            terms["kd_features"] = self.kd.features * self.feature(features, wanted_features, wanted.logits)
        return terms

    def _feature_loss(self, net: RetinaFace, teacher: RetinaFace | None) -> DetectorFeatureLoss | None:
        if teacher is None or not self.kd.features:
            return None
        levels = len(self.spec.anchors.strides)
        return DetectorFeatureLoss(net.config.pyramid_or_default, teacher.config.pyramid_or_default, levels)

    def trained(self) -> list[nn.Parameter]:
        return super().trained() + ([] if self.feature is None else list(self.feature.parameters()))

    def parameter_groups(self) -> list[dict[str, Any]]:
        groups = super().parameter_groups()
        return groups + ([] if self.feature is None else parameter_groups(self.feature, self.optim))

    def on_validation_epoch_start(self) -> None:
        self.matches, self.found = [], []

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        scene = self.val.scenes[int(batch[0])]
        inputs = letterbox(scene.image, self.val_size)
        image = torch.from_numpy(inputs.image.transpose(2, 0, 1).copy())[None].to(self.device)
        height, width = inputs.image.shape[:2]
        raw = self(as_floats(image))
        found = decode(raw, self.spec.anchors, width, height, _VALIDATION_DECODE)[0]
        boxes, points = (
            to_photo(part.cpu().numpy().astype(np.float64), inputs.scale) for part in (found.boxes, found.points)
        )
        self.matches.append(match_photo(boxes, found.scores.cpu().numpy(), scene.boxes, scene.ignored))
        self.found.append((boxes, points))

    def on_validation_epoch_end(self) -> None:
        matches = self.matches
        score = score_at_false_rate(matches, _FALSE_PER_PHOTO)
        values = {
            VALIDATED: average_precision(matches),
            "val/recall": recall(matches, score),
            f"val/recall_{_RECALL_SIZE:.0f}px": recall(matches, score, _RECALL_SIZE),
            "val/score": score,
        }
        self.log_dict({name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}, logger=False)

    def pictures(self, photos: int) -> dict[str, bytes]:
        """Return PNGs of the last validation by name: the precision-recall curve and, if not 0, so many photos.

        On these are the faces that count, and the detections down to the score that `val/recall` is measured at.
        """
        pictures = {}
        if np.isfinite(precision := average_precision(self.matches)):
            label = f"AP {100 * precision:.1f} %"
            pictures["val/precision_recall"] = precision_recall_curve(*precision_recall(self.matches), label)
        if photos:
            score = score_at_false_rate(self.matches, _FALSE_PER_PHOTO)
            scenes = self.val.scenes[:photos]
            found = [
                (boxes[match.scores >= score], points[match.scores >= score])
                for (boxes, points), match in zip(self.found[:photos], self.matches[:photos], strict=True)
            ]
            pictures["val/photos"] = detection_sheet(
                [scene.image for scene in scenes],
                found,
                [(scene.boxes[~scene.ignored], scene.points[~scene.ignored]) for scene in scenes],
            )
        return pictures
