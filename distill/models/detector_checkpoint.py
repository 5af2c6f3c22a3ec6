"""Weights of face detectors: Lightning checkpoints and safetensors, with what the network is."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.detection.retinaface.anchors import AnchorConfig
from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig
from distill.errors import CheckpointError
from distill.models.checkpoint import read_spec, read_weights
from distill.models.weight_files import build_for_weights, save_weights
from distill.spec import require_plain

KIND = "retinaface"


@dataclass(frozen=True)
class DetectorSpec:
    """The contract of a trained detector; stored with its weights.

    Attributes:
        width: width multiplier of the backbone.
        pyramid: channels of pyramid and heads.
        anchors: prior boxes.
        kind: what the file holds.
    """

    width: float
    pyramid: int
    anchors: AnchorConfig
    kind: str = KIND

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "DetectorSpec":
        anchors = raw["anchors"]
        sizes = tuple(tuple(float(side) for side in sides) for sides in anchors["sizes"])
        return cls(raw["width"], raw["pyramid"], AnchorConfig(tuple(anchors["strides"]), sizes), raw["kind"])

    def net(self) -> RetinaFace:
        """Return the untrained network."""
        return RetinaFace(RetinaFaceConfig(self.width, self.pyramid, self.anchors))


def is_detector(path: str | Path) -> bool:
    """Return whether a file of weights holds a detector; no tensor is loaded."""
    spec = read_spec(Path(path))
    return isinstance(spec, dict) and spec.get("kind") == KIND


def load_detector(path: str | Path) -> tuple[RetinaFace, DetectorSpec]:
    """Return the detector of a checkpoint, in evaluation mode with its averaged weights, and its spec.

    Raises:
        CheckpointError: missing file, not weights, or weights of something else.
    """
    path = Path(path)
    raw, state = read_weights(path)
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise CheckpointError(f"{path}: not a face detector; train one with `distill detector`")
    try:
        require_plain(raw)
        spec = DetectorSpec.from_dict(raw)
        net = build_for_weights(spec.net, state)
        net.load_state_dict(state)
    except Exception as error:  # options of any value reach the code of the network
        reason = (str(error).strip().splitlines() or [repr(error)])[-1].strip()[:120]
        raise CheckpointError(f"{path}: describes no detector of this version ({reason})") from error
    return net.eval(), spec


def save_detector(path: str | Path, net: RetinaFace, spec: DetectorSpec) -> None:
    """Write a detector and its spec as safetensors, atomically."""
    save_weights(path, net.state_dict(), asdict(spec))
