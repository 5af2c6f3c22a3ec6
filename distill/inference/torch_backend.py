"""Backend of PyTorch networks, from a checkpoint or from memory."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from distill.files import sha256
from distill.inference.backend import Backend, Confidence, Images, Landmarks, as_float, checked, require_crops
from distill.models.checkpoint import load_model
from distill.spec import ModelSpec

if TYPE_CHECKING:
    from distill.models import Prediction


class TorchBackend(Backend):
    """A network in eager PyTorch, on the device of its parameters.

    Args:
        net: returns a `Prediction` for (b, 3, h, w) images in [0, 1]; run in evaluation mode.
        spec: of the network.
        path: its file, for error texts.
        sha256: of its file.
        batch_size: images of one forward pass; None runs all of a call together.
    """

    def __init__(
        self,
        net: nn.Module,
        spec: ModelSpec,
        path: str | Path = "network",
        sha256: str = "",
        batch_size: int | None = None,
    ) -> None:
        self.net = net
        self.spec = spec
        self.path = Path(path)
        self.sha256 = sha256
        self.batch_size = batch_size
        self.runtime = f"torch {torch.__version__}"

    def outputs(self, images: Images) -> "Prediction":
        """Return every output of the network for one batch of crops, as tensors on its device."""
        was_training = self.net.training
        self.net.eval()
        device = next(self.net.parameters()).device
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(as_float(images))).permute(0, 3, 1, 2).to(device)
            prediction: Prediction = self.net(batch)
        self.net.train(was_training)
        return prediction

    def __call__(self, images: Images, /) -> Landmarks:
        return self.with_confidence(images)[0]

    def with_confidence(self, images: Images, /) -> tuple[Landmarks, Confidence | None]:
        require_crops(images, self.spec)
        step = self.batch_size or max(1, len(images))
        batches = [self.outputs(images[start : start + step]) for start in range(0, len(images), step)]
        points = np.concatenate([batch.landmarks.float().cpu().numpy() for batch in batches])
        parts = [batch.confidence.float().cpu().numpy() for batch in batches if batch.confidence is not None]
        return checked(points, self.path, self.spec), np.concatenate(parts) if parts else None


def open_checkpoint(path: Path, threads: int = 1) -> TorchBackend:
    """Load a `.ckpt` or `.safetensors` file, on the GPU where there is one.

    `threads` has no effect: PyTorch has one number of threads for the whole process.

    Raises:
        CheckpointError: not weights, or weights of another architecture.
    """
    del threads
    net, spec = load_model(path)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return TorchBackend(net.to(device), spec, path, sha256(path))
