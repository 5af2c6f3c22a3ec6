"""Studies of the face detector: what they choose by, and the photos they choose on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.detection.detection import Detection
from distill.detection.detector import bundled_detector
from distill.detection.metrics import match_photo
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig
from distill.detection.retinaface.refine import RefineConfig
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.export.detector_calibration import SCALES, best_score, nearest
from distill.geometry import Box
from distill.images import Photo
from distill.models.detector_checkpoint import DetectorSpec, save_detector
from scripts.release_detector import averaged
from scripts.studies import (
    detector_refinement,
    detector_sizes,
    detector_suppression,
    detector_widths,
    released,
    retinaface,
)
from scripts.studies.common.detector_photos import mask_boxes
from scripts.studies.common.detector_scores import counted
from tests.support.photo_sets import write_photo_set

ROOT = Path(__file__).parents[2]


def test_near_duplicates_lie_in_one_part(tmp_path: Path) -> None:
    """Photos 2n and 2n + 1 are a group; a fifth of the groups is held out, half of those to choose on."""
    folder = tmp_path / "mask_boxes"
    write_photo_set(folder, 40)
    rows = [f"{number},{number // 2}" for number in range(40)]
    (folder / "groups.csv").write_text("\n".join(["photo,near_duplicate_group", *rows]))
    parts = mask_boxes(tmp_path)
    groups = [{photo.group for photo in part} for part in parts]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert len(set.union(*groups)) == sum(map(len, groups)) == 20


def test_averaged_weights_are_the_mean_by_shares(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = RetinaFaceConfig(width=0.25)
    nets, spec = [RetinaFace(config) for _ in range(3)], DetectorSpec(config.width, config.pyramid, config.anchors)
    paths = [tmp_path / f"{index}.safetensors" for index in range(3)]
    for net, path in zip(nets, paths, strict=True):
        save_detector(path, net, spec)
    mean, _ = averaged(paths[0], {paths[1]: 0.3, paths[2]: 0.2})
    for parameters in zip(mean.parameters(), *(net.parameters() for net in nets), strict=True):
        found, *values = (parameter.detach() for parameter in parameters)
        expected = sum(share * value for share, value in zip((0.5, 0.3, 0.2), values, strict=True))
        torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="sum below 1"):
        averaged(paths[0], {paths[1]: 0.5, paths[2]: 0.5})


def size_study(recalls: dict[str, float]) -> dict[str, Any]:
    return {side: {"at_1_false_box": {detector_sizes.RECALL: value}} for side, value in recalls.items()}


def test_the_fastest_size_near_the_best_recall_is_chosen() -> None:
    ms = {"192": 9.0, "320": 12.0, "640": 37.0}
    assert detector_sizes.chosen(size_study({"192": 0.90, "320": 0.94, "640": 0.95}), ms) == 320
    assert detector_sizes.chosen(size_study({"192": 0.90, "320": 0.92, "640": 0.95}), ms) == 640


def test_the_refinement_chosen_is_the_fastest_near_the_smallest_error() -> None:
    ms = {str(size): float(size) for size in detector_refinement.SIZES}
    rows = {name: {"corner_percent": 9.0} for name in detector_refinement.configurations()}
    rows["zoom 2.0, 192 px"] = {"corner_percent": 5.0}
    rows["zoom 2.0, 160 px"] = {"corner_percent": 5.2}
    rows["zoom 2.5, 160 px"] = {"corner_percent": 5.1}
    assert detector_refinement.choice(rows, ms) == "zoom 2.5, 160 px"


def test_what_was_chosen_is_the_default() -> None:
    refinement = json.loads((ROOT / detector_refinement.OUT).read_text())["chosen"]
    assert detector_refinement.configurations()[refinement] == RefineConfig()
    assert (
        json.loads((ROOT / detector_sizes.OUT).read_text())["chosen"] == read_detector_sidecar(bundled_detector()).size
    )


def test_refinement_errors_are_those_of_other_faces() -> None:
    """Boxes that all lie too high by a tenth are corrected exactly by a table that other faces give."""
    rng = np.random.default_rng(0)
    samples = []
    for face in range(60):
        x, y, side = rng.uniform(50, 100, 3)
        box = np.array([x, y, x + side, y + side])
        points = rng.uniform(0, side, (5, 2)) + box[:2]
        scale = SCALES[face % len(SCALES)]
        samples.append(detector_refinement.Sample(face, scale, box, points, box + 0.1 * side * np.array([0, 1, 0, 1])))
    result = detector_refinement.errors(samples)
    assert result["corner_percent"] < 0.5
    shifted = [sample._replace(tight=sample.box * (2 if sample.face % 2 else 1)) for sample in samples]
    assert detector_refinement.errors(shifted)["corner_percent"] > 20


def test_the_detection_of_a_face_is_the_nearest_within_half_its_side() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [22, 20, 32, 30]])
    found = Candidates(boxes, np.array([0.9, 0.8]), np.zeros((2, 5, 2)))
    assert nearest(found, np.array([20.0, 20, 30, 30])) == 1
    assert nearest(found, np.array([40.0, 40, 50, 50])) is None
    assert nearest(Candidates(boxes[:0], np.zeros(0), np.zeros((0, 5, 2))), boxes[0]) is None


def test_scores_of_a_detector_count_by_size() -> None:
    faces = np.array([[0.0, 0, 20, 20], [50, 50, 80, 80]])
    boxes = np.array([[0.0, 0, 20, 20], [50, 50, 80, 80], [200, 200, 220, 220]])
    found = [match_photo(boxes, np.array([0.9, 0.7, 0.6]), faces, np.zeros(2, bool))]
    best = best_score(found)
    assert (best["score"], best["precision"], best["recall"]) == (0.7, 1.0, 1.0)
    result = counted(found, 0.65)
    assert (result["recall_by_size"]["16-24"], result["faces_by_size"]["16-24"]) == (1, 1)
    assert (result["recall_by_size"]["64-"], result["faces_by_size"]["64-"]) == (None, 0)
    assert result["false_per_photo"] == 0
    assert counted(found, 0.8)["recall_24px"] == 0


def test_a_photo_is_searched_once_for_all_models() -> None:
    searched = []

    def detector(photo: Photo) -> list[Detection]:
        searched.append(photo)
        return [Detection(Box(0, 0, float(photo.max()), 9), 0.9)]

    find = released.remembered(detector)
    first, second = np.full((4, 4, 3), 7, np.uint8), np.full((4, 4, 3), 9, np.uint8)
    assert find(first)[0].box.x1 == find(first.copy())[0].box.x1 == 7
    assert find(second)[0].box.x1 == 9
    assert len(searched) == 2


@pytest.mark.parametrize("known", [True, False])
def test_numbers_of_the_former_detector_are_marked(known: bool) -> None:
    titles = [test.title for test in released.TESTS]
    score = {"nme_percent": 2.5, "low_percent": 2.4, "high_percent": 2.6, "fr8_percent": 0.5, "nme_median_percent": 2.4}
    scores: dict[str, Any] = {title: dict(score) for title in titles}
    if known:
        scores["300-W common, detector boxes"]["detector_sha256"] = "0" * 64
    text = released.block({"models": {"net": {"scores": scores}}})
    assert ("†" in text) is not known


def test_widths_that_another_row_beats_in_time_and_recall_are_not_marked() -> None:
    def size(ms: float, recall: float) -> dict[str, Any]:
        found = {"ap": recall / 2, "at_1_false_box": {detector_widths.RECALL: recall}}
        return {"processor_ms": ms, detector_widths.MEASURED_ON: found, detector_widths.WIDER: found}

    thin = {"bytes": 500_000, "sizes": {"320": size(5.0, 0.6), "640": size(20.0, 0.7)}}
    wide = {"bytes": 7_000_000, "sizes": {"320": size(15.0, 0.72), "640": size(60.0, 0.8)}}
    text = detector_widths.table({"widths": {"0.35": thin, "1.0": wide}})
    marked = [line for line in text.splitlines() if "*" in line]
    assert [line.split("|")[1:3] for line in marked] == [
        [" 0.35 ", " 320 px * "], [" 1.0 ", " 320 px * "], [" 1.0 ", " 640 px * "],
    ]  # fmt: skip
    assert "| 7000 | 15.0 | 0.360, 0.720 | 0.360, 0.720 |" in text


def test_the_parts_of_the_network_end_before_the_next() -> None:
    net = RetinaFace(RetinaFaceConfig(0.25)).eval()
    image = torch.rand(1, 64, 96, 3)
    with torch.no_grad():
        backbone, pyramid = retinaface.Backbone(net)(image), retinaface.Pyramid(net)(image)
        maps = net.backbone((image.permute(0, 3, 1, 2) - net.mean) / net.std)
    assert [tuple(x.shape[1:3]) for x in pyramid] == [(8, 12), (4, 6), (2, 3)]
    assert torch.allclose(backbone[0], maps[0].permute(0, 2, 3, 1), atol=1e-5)
    assert torch.allclose(pyramid[0], net.pyramid(maps)[0].permute(0, 2, 3, 1), atol=1e-5)


def test_the_table_of_modules_has_a_row_for_each_width_and_size() -> None:
    parts = {"backbone": 3.0, "FPN": 1.0, "heads": 2.0, "suppression": 0.5}
    modes = dict.fromkeys(retinaface.MODES, 6.0)
    entry = {
        "bytes": dict.fromkeys(retinaface.MODES, 1000),
        "sizes": {"320": parts | {"network": modes, "of_facemesh": modes}},
    }
    text = retinaface.table({"widths": {"0.35": entry, "1.0": entry}})
    assert "| 0.35 | 1, 1, 1 | 320 px | 3.0 | 1.0 | 2.0 | 0.5 | 6.0, 6.0, 6.0 | 6.0 |" in text


def test_both_suppressions_are_rows_of_one_table() -> None:
    found = {"at_1_false_box": {detector_sizes.RECALL: 0.8}, "at_its_score": {"recall_24px": 0.7, "false_per_photo": 2}}
    sizes = {"320": {kind: {"ap": ap, **found} for kind, ap in (("hard", 0.5), ("soft", 0.6))}}
    study = {name: {"photos": 2, "sizes": sizes} for name in (detector_sizes.MEASURED_ON, detector_sizes.WIDER)}
    rows = detector_suppression.table(study).splitlines()[2:]
    assert [row.split(" | ")[2:4] for row in rows] == 2 * [["hard", "0.5000"], ["soft", "0.6000"]]
    assert rows[0].endswith("| 0.8000 | 0.7000, 2.000 |")
