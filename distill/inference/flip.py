"""Flip test-time augmentation."""

import numpy as np

from distill.inference.backend import Backend, Images, Landmarks
from distill.landmarks import load_scheme


def predict_with_flip(backend: Backend, crops: Images) -> Landmarks:
    """Return the mean of the predictions for the crops and, moved back, for their mirror images."""
    mirrored = backend(crops[:, :, ::-1])
    # The edges of the crop are 0 and 1, so x mirrors to 1 - x; left and right points change places.
    back = mirrored * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
    swap = list(load_scheme(backend.spec.scheme).flip)
    # The mean cancels an annotation shift, which belongs to the crop as it is.
    shift = np.array([backend.spec.annotation_shift, 0], np.float32)
    return (backend(crops) + back[:, swap]) / 2 + shift
