"""Keep some landmarks of a trained network: the inner points of a network of 68, without a training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import Scheme, load_scheme, own_definitions, scheme_name, selected_points
from distill.models.annotation_shift import set_annotation_shift
from distill.models.zoo import create_model
from distill.spec import ModelSpec

# Largest difference between a landmark of the smaller network and of the one it is made from, in sides of the crop.
_TOLERANCE = 1e-4


def select_points(net: nn.Module, spec: ModelSpec, scheme: str) -> tuple[nn.Module, ModelSpec]:
    """Return a network that predicts only the points of another scheme, all of which `net` predicts, and its spec.

    The rows of the last layers are kept that belong to these points and to the edges between them. The result is
    compared with `net` on random crops.

    Args:
        net: network of one head, in evaluation mode.
        spec: of it.
        scheme: name of a scheme each point of which is one of `spec.scheme`.

    Raises:
        ConfigError: other points than those of `net`, or a network whose landmarks depend on each other.
    """
    scheme = scheme_name(scheme)
    points = selected_points(spec.scheme, scheme)
    if points is None:
        raise ConfigError(f"the points of {scheme} are no part of those of {spec.scheme}, which {spec.arch} predicts")
    smaller = create_model(spec.arch, scheme, **spec.options)
    if not _take_weights(smaller, net, points, spec.scheme, scheme) or not _equal(smaller.eval(), net, points, spec):
        raise ConfigError(
            f"{spec.arch}: points cannot be left out of this network, or not with the edges of {scheme} (those of a "
            f"network with edge maps must be edges of {spec.scheme}); train it on {scheme}"
        )
    set_annotation_shift(smaller, spec.annotation_shift)
    definitions = own_definitions([scheme])
    return smaller, replace(spec, scheme=scheme, n_points=len(points), definitions=definitions)


def _take_weights(smaller: nn.Module, net: nn.Module, points: list[int], source: str, target: str) -> bool:
    """Copy the weights of a network into one of fewer points; return whether all of them were found."""
    before, after = load_scheme(source), load_scheme(target)
    edges = _selected_edges(before, after, points)
    coordinates = [2 * point + axis for point in points for axis in (0, 1)]
    rows = {(before.n_points, len(points)): points, (2 * before.n_points, len(coordinates)): coordinates}
    if edges is not None:
        rows[len(before.edges), len(edges)] = edges
    state, taken = net.state_dict(), {}
    for name, wanted in smaller.state_dict().items():
        found = _rows(state.get(name), wanted, rows)
        if found is None:
            return False
        taken[name] = found
    smaller.load_state_dict(taken)
    return True


def _rows(stored: Tensor | None, wanted: Tensor, rows: dict[tuple[int, int], list[int]]) -> Tensor | None:
    """Return a stored tensor, or those of its rows that have the wanted shape; None where there are none."""
    if stored is None or stored.shape == wanted.shape:
        return stored
    if stored.ndim != wanted.ndim or stored.ndim == 0 or stored.shape[1:] != wanted.shape[1:]:
        return None
    chosen = rows.get((stored.shape[0], wanted.shape[0]))
    return None if chosen is None else stored[chosen]


def _selected_edges(before: Scheme, after: Scheme, points: Sequence[int]) -> list[int] | None:
    """Return which edges of one scheme are those of another, by the points on them."""
    found = [frozenset(np.flatnonzero(row)) for row in before.edge_matrix.T]
    wanted = [frozenset(points[index] for index in np.flatnonzero(row)) for row in after.edge_matrix.T]
    return [found.index(edge) for edge in wanted] if set(wanted) <= set(found) else None


@torch.inference_mode()
def _equal(smaller: nn.Module, net: nn.Module, points: list[int], spec: ModelSpec) -> bool:
    """Whether a network has the landmarks of another on random crops, without the shift of the annotations."""
    device = next(net.parameters()).device
    crops = torch.rand(2, 3, spec.crop.size, spec.crop.size, generator=torch.Generator().manual_seed(0)).to(device)
    landmarks = net(crops).landmarks[:, points]
    landmarks = landmarks - torch.tensor([spec.annotation_shift, 0.0], device=device)
    return bool((smaller.to(device)(crops).landmarks - landmarks).abs().max() < _TOLERANCE)
