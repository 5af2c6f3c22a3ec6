"""Landmark errors as pure functions, computed in float64 and returned as fractions (0.035, not 3.5 %).

    NME of a face  =  mean_k |prediction_k - truth_k| / d        d: a distance of the same face, always from the truth
    FR@t           =  share of faces with NME > t                lower is better
    CED(x)         =  share of faces with NME <= x
    AUC@t          =  1/t * integral of CED from 0 to t          higher is better

A prediction that is not finite makes its face a failure; it never improves FR, CED or AUC, and shows as NaN in the NME.
"""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill.errors import ConfigError, suggest
from distill.landmarks import Scheme

NORMALISERS = ("ocular", "pupil", "box")
THRESHOLDS: Mapping[str, float] = MappingProxyType({"8": 0.08, "10": 0.10})


def point_errors(predicted: Float[Tensor, "n k 2"], target: Float[Tensor, "n k 2"]) -> Float[Tensor, "n k"]:
    """Return the Euclidean distance of every point, in the unit of the inputs.

    >>> point_errors(torch.tensor([[[3.0, 4.0]]]), torch.zeros(1, 1, 2)).tolist()
    [[5.0]]
    """
    if predicted.shape != target.shape:
        raise ValueError(f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} must have one shape")
    return torch.linalg.vector_norm(predicted.double() - target.double(), dim=-1)


def nme_per_face(
    predicted: Float[Tensor, "n k 2"],
    target: Float[Tensor, "n k 2"],
    distance: Float[Tensor, " n"],
    known: Bool[Tensor, "n k"] | None = None,
) -> Float[Tensor, " n"]:
    """Return the normalised mean error of every face, over its known points.

    Args:
        predicted: points in any unit.
        target: the truth, in the same unit.
        distance: what one unit of error is, from `normaliser`, in the same unit.
        known: which points are annotated; by default all. A face without any has NaN.

    >>> nme_per_face(torch.tensor([[[3.0, 4.0]]]), torch.zeros(1, 1, 2), torch.tensor([50.0])).tolist()
    [0.1]
    """
    errors = point_errors(predicted, target)
    if known is None:
        return errors.mean(1) / distance.double()
    return torch.where(known, errors, 0).sum(1) / known.sum(1) / distance.double()


def check_normaliser(scheme: Scheme, name: str) -> None:
    """Refuse a normaliser that is unknown or that the points of `scheme` do not define.

    Raises:
        ConfigError: naming what can be used instead.
    """
    if name not in NORMALISERS:
        raise ConfigError(f"unknown normaliser '{name}': {suggest(name, list(NORMALISERS))}")
    if name not in scheme.normalisers:
        others = ", ".join(scheme.normalisers)
        raise ConfigError(f"scheme {scheme.name} has no {name} distance: use another normaliser ({others})")


def normaliser(
    scheme: Scheme, target: Float[Tensor, "n k 2"], name: str, box_size: Float[Tensor, "n 2"] | None = None
) -> Float[Tensor, " n"]:
    """Return the distance that errors of each face are divided by, always from the truth.

    Args:
        scheme: what the points mean.
        target: true points.
        name: `ocular` (inter-ocular: outer eye corners), `pupil` (inter-pupil: means of the eye points) or `box`
            (sqrt(width * height)).
        box_size: width and height of the true face box in the unit of the points; only `box` needs it.

    Raises:
        ConfigError: the scheme has no such distance, or `box` without boxes.
        ValueError: a face whose distance is not a positive number.
    """
    check_normaliser(scheme, name)
    if name == "box":
        if box_size is None:
            raise ConfigError("the box normaliser needs the width and height of the true face boxes")
        distance = box_size.double().prod(-1).sqrt()
    else:
        eyes = scheme.eye_distance(target.detach().cpu().double().numpy(), name)
        distance = torch.from_numpy(eyes).to(target.device)
    bad = torch.nonzero(~((distance > 0) & torch.isfinite(distance)))
    if len(bad):
        index = int(bad[0])
        raise ValueError(f"face {index} has {name} distance {float(distance[index])}: its true points are broken")
    return distance


def ced(nme: Float[Tensor, " n"], at: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """Return the cumulative error distribution: the share of faces with NME <= x for each x of `at`.

    >>> ced(torch.tensor([0.02, 0.04]), torch.tensor([0.0, 0.02, 0.05])).tolist()
    [0.0, 0.5, 1.0]
    """
    ordered = nme.double().nan_to_num(nan=torch.inf).sort().values
    return torch.searchsorted(ordered, at.double(), right=True).double() / len(nme)


def failure_rate(nme: Float[Tensor, " n"], threshold: float) -> Float[Tensor, ""]:
    """Return the share of faces with NME > threshold; exactly at the threshold is no failure, NaN is one.

    >>> float(failure_rate(torch.tensor([0.05, 0.2]), 0.1))
    0.5
    """
    return 1 - (nme.double() <= threshold).double().mean()


def area_under_ced(nme: Float[Tensor, " n"], threshold: float) -> Float[Tensor, ""]:
    """Return the area under the CED from 0 to `threshold`, divided by `threshold`.

    The CED is a step function, so its integral is exact: each face adds max(threshold - NME, 0) / n. Published code
    samples the CED every 1e-4 and applies Simpson's rule. That is off by at most 1e-4 * 2/3 / threshold for one face
    (8e-4 at 0.08), in either direction, so that it averages out: below 1e-4 for hundreds of faces.

    >>> float(area_under_ced(torch.tensor([0.0, 0.125, 0.5]), 0.25))
    0.5
    """
    return (1 - nme.double().nan_to_num(nan=torch.inf) / threshold).clamp(min=0).mean()


def accuracy_within(errors: Float[Tensor, "n k"], radius: float = 5.0) -> Float[Tensor, ""]:
    """Return the share of points, over all faces, that lie within `radius` of the truth, the radius included.

    With errors in pixels of the photo and radius 5 this is the score of the ICME 2024 PAIR contest, whose rules do not
    define whether exactly 5 counts; here it does. It depends on the resolution of the photos.

    >>> float(accuracy_within(torch.tensor([[5.0, 5.1]])))
    0.5
    """
    return (errors <= radius).double().mean()


def summarise(nme: Float[Tensor, " n"]) -> dict[str, Float[Tensor, ""]]:
    """Return `nme`, `fr8`, `fr10`, `auc8` and `auc10` of many faces; the order of the faces does not change a bit."""
    nme = nme.double().sort().values
    rates = {f"fr{name}": failure_rate(nme, threshold) for name, threshold in THRESHOLDS.items()}
    areas = {f"auc{name}": area_under_ced(nme, threshold) for name, threshold in THRESHOLDS.items()}
    return {"nme": nme.mean(), **rates, **areas}
