"""The sum of the terms, and what a landmark outside the crop may and may not do."""

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.losses.aam import SupervisedLoss
from distill.losses.config import LossConfig
from distill.losses.reduction import inside_crop
from distill.losses.registry import option_names, supervised_losses
from distill.losses.supervised import make_loss, require_loss_fits
from distill.models import Prediction
from distill.models.heatmaps import edge_maps, edge_weights, gaussian_maps, soft_argmax
from tests.support.host_reads import watch_host_reads

SCHEME = load_scheme("five")
LOSSES = supervised_losses()
K, E = SCHEME.n_points, len(SCHEME.edges)


def _predict(landmarks: Tensor, seed: int = 0) -> Prediction:
    torch.manual_seed(seed)
    heat = torch.rand(*landmarks.shape[:2], 16, 16, requires_grad=True)
    points = torch.rand(*landmarks.shape[:2], 16, 16, requires_grad=True)
    edges = torch.rand(len(landmarks), E, 16, 16, requires_grad=True)
    cells = {
        "scores": torch.rand(*landmarks.shape[:2], 4, 4, requires_grad=True),
        "offsets": torch.rand(len(landmarks), 2, K, 4, 4),
        "neighbour_offsets": torch.rand(len(landmarks), 2, K - 1, K, 4, 4),
    }
    return Prediction(soft_argmax(heat), heat, points, edges, **cells)


def _values(losses: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in losses.items()}


def _landmarks() -> Tensor:
    torch.manual_seed(3)
    return torch.rand(2, K, 2) * 0.6 + 0.2


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_makes_a_gpu_wait(name: str) -> None:
    landmarks, loss = _landmarks(), make_loss(name, SCHEME)
    prediction, valid = _predict(landmarks), inside_crop(landmarks)
    with watch_host_reads() as found:
        loss(prediction, landmarks, valid)["loss"].backward()
    assert found == []


def test_terms_are_weighted_and_add_up() -> None:
    landmarks = _landmarks()
    prediction, valid = _predict(landmarks), inside_crop(landmarks)
    plain = _values(SupervisedLoss(SCHEME, star=1, point=1, edge=1)(prediction, landmarks, valid))
    weighed = _values(SupervisedLoss(SCHEME, star=2, point=3, edge=4)(prediction, landmarks, valid))
    for name, weight in (("star", 2), ("point", 3), ("edge", 4)):
        assert weighed[name] == pytest.approx(weight * plain[name], rel=1e-6)
    assert weighed["loss"] == pytest.approx(weighed["star"] + weighed["point"] + weighed["edge"], rel=1e-6)


def test_perfect_maps_cost_next_to_nothing() -> None:
    landmarks = _landmarks()
    points = gaussian_maps(landmarks, 32, 32, 1.0)
    edges = edge_maps(landmarks, edge_weights(SCHEME), 32, 32, 1.0)
    prediction = Prediction(landmarks, points, points, edges)
    losses = SupervisedLoss(SCHEME, star_eigen=0)(prediction, landmarks, inside_crop(landmarks))
    assert float(losses["point"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["edge"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["star"]) < 0.01


def test_points_outside_the_crop_do_not_count() -> None:
    landmarks = _landmarks()
    prediction = _predict(landmarks)
    outside = landmarks.clone()
    outside[0, 1] = torch.tensor([1.2, 0.5])
    further = landmarks.clone()
    further[0, 1] = torch.tensor([1.2, 3.5])
    loss = SupervisedLoss(SCHEME)
    terms = [loss(prediction, points, inside_crop(points)) for points in (outside, further)]
    for name in ("star", "point"):
        assert terms[0][name].item() == terms[1][name].item()
    terms[0]["star"].backward(retain_graph=True)
    assert prediction.heatmaps.grad is not None
    assert prediction.heatmaps.grad[0, 1].abs().max() == 0
    assert prediction.heatmaps.grad[0, 0].abs().max() > 0


def test_all_points_outside_give_a_finite_gradient() -> None:
    landmarks = _landmarks() + 2
    prediction = _predict(landmarks)
    losses = SupervisedLoss(SCHEME)(prediction, landmarks, inside_crop(landmarks))
    losses["loss"].backward()
    assert losses["star"].item() == 0
    assert losses["point"].item() == 0
    for maps in (prediction.heatmaps, prediction.point_maps, prediction.edge_maps):
        assert maps.grad is not None
        assert torch.isfinite(maps.grad).all()


def test_inside_includes_the_edges_of_the_crop() -> None:
    points = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [-1e-6, 0.5], [0.5, 1.0001], [float("nan"), 0.5]]])
    assert inside_crop(points).tolist() == [[True, True, False, False, False]]


def test_points_nobody_marked_do_not_count() -> None:
    landmarks = _landmarks()
    prediction, known = _predict(landmarks), torch.ones(2, K, dtype=torch.bool)
    known[1] = False
    alone = Prediction(*(part[:1] for part in prediction[:4]))
    both = _values(SupervisedLoss(SCHEME)(prediction, landmarks, known))
    assert both == pytest.approx(_values(SupervisedLoss(SCHEME)(alone, landmarks[:1], known[:1])), rel=1e-6)


def test_an_edge_counts_only_where_all_its_points_are_marked() -> None:
    """The position of a point nobody marked is a stand-in; no edge may be drawn through it."""
    scheme = load_scheme("inner51")
    torch.manual_seed(5)
    landmarks = torch.rand(1, 51, 2) * 0.6 + 0.2
    maps = torch.rand(1, 51, 16, 16)
    edges = torch.rand(1, len(scheme.edges), 16, 16, requires_grad=True)
    prediction, known = Prediction(landmarks, maps, maps, edges), torch.ones(1, 51, dtype=torch.bool)
    known[0, 20] = False
    moved = landmarks.clone()
    moved[0, 20] = 0.9
    loss = SupervisedLoss(scheme)
    terms = [_values(loss(prediction, points, known)) for points in (landmarks, moved)]
    assert terms[0] == terms[1]
    loss(prediction, landmarks, known)["edge"].backward()
    assert edges.grad is not None
    drawn = edges.grad.abs().sum((0, 2, 3)) > 0
    assert drawn.tolist() == [20 not in edge.points for edge in scheme.edges]


def test_perfect_maps_cost_nothing_under_autocast() -> None:
    scheme = load_scheme("inner51")
    torch.manual_seed(5)
    landmarks = torch.rand(1, 51, 2) * 0.6 + 0.2
    points = gaussian_maps(landmarks, 64, 64, 1.0)
    edges = edge_maps(landmarks, edge_weights(scheme), 64, 64, 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        losses = SupervisedLoss(scheme)(Prediction(landmarks, points, points, edges), landmarks, inside_crop(landmarks))
    assert float(losses["edge"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["point"]) == pytest.approx(0, abs=1e-6)


def test_a_loss_that_reads_what_the_network_does_not_say_is_refused() -> None:
    points = Prediction(torch.rand(1, K, 2))
    fitting = ", ".join(name for name, entry in LOSSES.items() if points.has(entry.needs))
    assert {"l1", "nme", "wing"} <= set(fitting.split(", "))
    assert "maps" not in fitting
    message = rf"--loss.name maps needs heatmaps, .* predicts only landmarks: take {fitting}"
    with pytest.raises(ConfigError, match=message):
        require_loss_fits("maps", points)
    for kind in LOSSES:
        require_loss_fits(kind, _predict(_landmarks()))


def test_unknown_losses_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown --loss.name 'wng': did you mean 'wing'"):
        make_loss("wng", SCHEME)


OPTIONS = [field.name for field in fields(LossConfig) if field.name not in ("name", "options")]


def _term_values(kind: str, **options: float) -> dict[str, float]:
    landmarks = _landmarks()
    loss = make_loss(kind, SCHEME, **options)
    return _values(loss(_predict(landmarks), landmarks, inside_crop(landmarks)))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", LOSSES)
def test_an_option_changes_the_loss_or_is_refused(kind: str, option: str) -> None:
    if option in option_names(LOSSES[kind].options):
        assert _term_values(kind, **{option: 1.7}) != _term_values(kind)
        return
    with pytest.raises(ConfigError, match=rf"--loss.{option} has no effect with --loss.name {kind}: .*maps") as caught:
        make_loss(kind, SCHEME, **{option: 1.7})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_configuration_without_options_gives_the_defaults_of_the_loss(kind: str) -> None:
    options = {option: getattr(LossConfig(), option) for option in OPTIONS}
    assert _term_values(kind, **options) == _term_values(kind)


def test_an_option_of_no_loss_can_only_come_from_the_free_options() -> None:
    with pytest.raises(ConfigError, match=r"--loss.options: no loss has an option 'a'; leave it out"):
        make_loss("maps", SCHEME, a=1.0)


def test_the_configuration_has_no_option_without_a_loss() -> None:
    assert set(OPTIONS) <= {name for entry in LOSSES.values() for name in option_names(entry.options)}


def test_the_defaults_of_the_maps_loss_are_those_of_the_paper() -> None:
    loss = make_loss("maps", SCHEME)
    assert isinstance(loss, SupervisedLoss)
    assert loss.weights == {"star": 1.0, "point": 10.0, "edge": 10.0}
    assert (loss.sigma, loss.star.weight) == (1.0, 1.0)
