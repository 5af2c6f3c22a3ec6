"""Times of files with a batch of several crops are those of one face."""

from pathlib import Path

import pytest

from distill.bench.key import Key
from distill.bench.latency import Timing
from distill.bench.models import TimedModel, open_model
from distill.bench.per_face import per_face
from distill.bench.result import Settings
from distill.bench.run import bench
from distill.report.bench_json import to_json
from tests.support.tiny_models import write_batched_tflite, write_tiny_tflite


@pytest.fixture
def models(tmp_path: Path) -> list[TimedModel]:
    return [open_model(write_batched_tflite(tmp_path / f"b{batch}.tflite", batch), f"b{batch}") for batch in (1, 4)]


def test_times_and_ratios_are_divided_by_the_batch(models: list[TimedModel]) -> None:
    single, four, photo, detector = (
        Key("b1", "model", 1), Key("b4", "model", 1), Key("b4", "photo", 1), Key("FaceDetector", "detector", 1),
    )  # fmt: skip
    calls = {
        single: Timing("", 2, 0.2, 0.01, 1),
        four: Timing("", 6, 0.4, 0.02, 3),
        photo: Timing("", 9, 1, 0, 4.5),
        detector: Timing("", 8, 1, 0, 4),
    }
    found = per_face(calls, models, "b1")
    assert (found[single], found[photo], found[detector]) == (calls[single], calls[photo], calls[detector])
    assert found[four] == Timing("", 1.5, 0.1, 0.02, 0.75)
    assert per_face(calls, models, "b4")[single].ratio == 4
    assert per_face(calls, models, "b4")[four].ratio == 3


def test_costs_are_those_of_one_image(models: list[TimedModel], tmp_path: Path) -> None:
    assert [model.batch for model in models] == [1, 4]
    assert models[0].complexity.macs == models[1].complexity.macs
    assert models[0].input == models[1].input
    assert open_model(write_tiny_tflite(tmp_path / "tiny.tflite"), "tiny").batch == 1


def test_a_run_states_the_faces_and_the_time_of_a_call(tmp_path: Path) -> None:
    files = [write_batched_tflite(tmp_path / f"b{batch}.tflite", batch) for batch in (1, 4)]
    content = to_json(bench(files, [], Settings(rounds=5, warmup=0), stages=False), "distill bench")
    assert [model["batch"] for model in content["models"]] == [1, 4]
    rows = [row for row in content["times"] if row["part"] == "model"]
    assert [row["call_ms"] / row["median_ms"] for row in rows] == pytest.approx([1, 4])
    assert {row["part"] for row in content["times"]} == {"model", "peak"}  # points of a batch are no heatmaps
    assert "divided by its faces" in content["settings"]["inside"]
