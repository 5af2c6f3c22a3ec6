"""The torchmetrics class: same numbers whatever the batches and processes."""

import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.metrics import nme_per_face, normaliser, summarise
from distill.metrics.landmarks import LandmarkMetrics

SCHEME = load_scheme("inner51")


def _faces(n: int = 23) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    target = torch.rand(n, 51, 2, generator=rng) * 100
    return target + torch.randn(n, 51, 2, generator=rng) * 4, target


def _run(splits: list[list[int]]) -> dict[str, float]:
    predicted, target = _faces()
    metric = LandmarkMetrics(SCHEME)
    for split in splits:
        metric.update(predicted[split], target[split])
    return {name: float(value) for name, value in metric.compute().items()}


def test_results_do_not_depend_on_batches_or_order() -> None:
    whole = _run([list(range(23))])
    assert whole == _run([[i] for i in range(23)])
    assert whole == _run([list(range(22, 12, -1)), list(range(13))])


def test_equals_the_functions_and_says_which_way_is_better() -> None:
    predicted, target = _faces()
    expected = summarise(nme_per_face(predicted, target, normaliser(SCHEME, target, "ocular")))
    assert _run([list(range(23))]) == {name: float(value) for name, value in expected.items()}
    assert LandmarkMetrics.better.keys() == expected.keys()


def test_a_similarity_of_the_coordinates_changes_nothing() -> None:
    predicted, target = _faces()
    photo, crop = LandmarkMetrics(SCHEME), LandmarkMetrics(SCHEME)
    photo.update(predicted, target)
    crop.update(predicted * 0.37 + 5, target * 0.37 + 5)
    assert float(crop.compute()["nme"]) == pytest.approx(float(photo.compute()["nme"]), rel=1e-5)


def test_a_repeated_face_counts_once() -> None:
    predicted, target = _faces(4)
    once, twice = LandmarkMetrics(SCHEME), LandmarkMetrics(SCHEME)
    once.update(predicted, target)
    twice.update(predicted, target, identities=torch.arange(4))
    twice.update(predicted[:1], target[:1], identities=torch.tensor([0]))
    assert once.compute() == twice.compute()


def test_faces_without_identity_are_all_counted() -> None:
    predicted, target = _faces(4)
    metric = LandmarkMetrics(SCHEME)
    metric.update(predicted[[0, 0, 1]], target[[0, 0, 1]])
    assert len(metric.per_face()) == 3


def test_reset_removes_all_faces() -> None:
    predicted, target = _faces(4)
    metric = LandmarkMetrics(SCHEME)
    metric.update(predicted, target)
    metric.reset()
    metric.update(target, target)
    assert float(metric.compute()["nme"]) == 0


def test_box_normaliser_and_refusal() -> None:
    predicted, target = _faces(2)
    metric = LandmarkMetrics(SCHEME, normaliser="box")
    metric.update(predicted, target, box_size=torch.tensor([[80.0, 20.0], [40.0, 40.0]]))
    expected = nme_per_face(predicted, target, torch.tensor([40.0, 40.0])).mean()
    assert float(metric.compute()["nme"]) == pytest.approx(float(expected))
    with pytest.raises(ConfigError, match="scheme five has no ocular"):
        LandmarkMetrics(load_scheme("five"))
    LandmarkMetrics(load_scheme("five"), normaliser="pupil")


# Who sees which faces, and whether faces are told apart.
_SHARES = {
    "uneven": ([list(range(12)), list(range(12, 23))], False),
    "sampler repeats a face": ([[*range(0, 23, 2)], [*range(1, 23, 2), 0]], True),
    "a process without faces": ([list(range(23)), []], False),
}


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    predicted, target = _faces()
    results = {}
    for case, (shares, identities) in _SHARES.items():
        metric = LandmarkMetrics(SCHEME)
        for start in range(0, len(shares[rank]), 4):
            part = shares[rank][start : start + 4]
            metric.update(predicted[part], target[part], identities=torch.tensor(part) if identities else None)
        results[case] = {name: float(value) for name, value in metric.compute().items()}
        assert metric.face_errors is not None
        results[case]["faces"] = len(metric.face_errors)
    torch.save(results, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(sys.platform == "win32", reason="the processes meet through a file")
def test_two_processes_equal_one(tmp_path: Path, server: ForkServerContext) -> None:
    processes = [server.Process(target=_process, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
        assert process.exitcode == 0
    expected = dict.fromkeys(_SHARES, _run([list(range(23))]) | {"faces": 23})
    assert torch.load(tmp_path / "0.pt") == torch.load(tmp_path / "1.pt") == expected
