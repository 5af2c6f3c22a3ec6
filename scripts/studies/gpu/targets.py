"""Landmarks that networks predict for stored faces, averaged over several crops of each: targets of distillation."""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.data.augment import AugmentConfig
from distill.training.teacher import FrozenTeacher
from scripts.studies.gpu.faces import DeviceFaces

# Moved crops whose predictions differ mostly by chance; colours stay as they are.
VIEWS = AugmentConfig(rotate=8.0, scale=0.08, shift=0.02, flip=0.0, occlusion=0.0, pixels=0.0)


@torch.no_grad()
def predicted_landmarks(
    teacher: FrozenTeacher, faces: DeviceFaces, views: int, batch_size: int = 256
) -> Float[Tensor, "n k 2"]:
    """Return the landmarks of every stored face in its pixels, the mean over `views` crops.

    Args:
        teacher: the networks; they see each crop and, with `flip`, its mirror image.
        faces: the faces.
        views: crops of each face: the one that models are measured on, then moved ones.
        batch_size: crops per forward pass.
    """
    size = max(teacher.sizes)
    generator = torch.Generator(faces.device).manual_seed(0)
    autocast = torch.autocast(faces.device.type, torch.bfloat16, enabled=faces.device.type == "cuda")
    total = torch.zeros_like(faces.landmarks)
    for view in range(views):
        for indices in torch.arange(len(total), device=faces.device).split(batch_size):
            batch = faces.batch(indices, size, VIEWS if view else None, generator)
            with autocast:
                found = teacher(batch.images.contiguous(memory_format=torch.channels_last)).landmarks
            total[indices] += faces.stored(found.float(), batch, size)
    return total / views
