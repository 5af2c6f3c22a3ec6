import json
from functools import partial

import numpy as np
import pytest

from distill.errors import ExportError
from distill.export.verify.parity import ParityReport, measure, refusal
from distill.export.verify.tolerances import Gate
from distill.landmarks import load_scheme

SCHEME = load_scheme("inner51")
RNG = np.random.default_rng(0)
CROPS = np.zeros((4, 128, 128, 3), np.float32)
POINTS = RNG.random((4, 51, 2)).astype(np.float32)
TRUTH = POINTS + RNG.normal(0, 0.02, POINTS.shape)
GATE = Gate(max_px=0.5, mean_px=0.1)


def moved(landmark: int, px: float) -> np.ndarray:
    points = POINTS.copy()
    points[2, landmark, 0] += px / 128
    return points


def run(points: np.ndarray, gate: Gate = GATE) -> ParityReport:
    """Compare as an export does, and refuse as it does."""
    report = measure(lambda _: POINTS, {"fp16": lambda _: points}, CROPS, TRUTH, SCHEME, {"fp16": gate})
    if report.failed:
        raise refusal(report, SCHEME)
    return report


def test_distances_are_pixels_of_the_crop() -> None:
    report = run(moved(7, 0.25))
    (result,) = report.results
    assert result.max_px == pytest.approx(0.25, abs=1e-4)
    assert result.mean_px == pytest.approx(0.25 / (4 * 51), rel=1e-3)
    assert result.worst[0][0] == 7
    assert report.nme is not None
    assert abs(result.nme_rise) < 1e-2
    assert result.groups["brows"] == pytest.approx(0.25 / (4 * 10), rel=1e-3)  # landmark 7 is one of ten
    assert result.groups["mouth"] == 0
    assert result.worst_crops[0][0] == 2
    assert json.loads(json.dumps(report.to_dict()))["results"][0]["gate"]["max_px"] == 0.5


def test_a_missed_gate_names_stage_value_gate_and_landmarks() -> None:
    with pytest.raises(ExportError, match=r"fp16 moved .* max 0\.75 px > gate 0\.5; worst .* 7 of brows \(0\.750"):
        run(moved(7, 0.75))


def test_the_mean_has_its_own_gate() -> None:
    with pytest.raises(ExportError, match=r"mean 0\.2"):
        run(POINTS + np.float32(0.2 / 128 / np.sqrt(2)))


def test_the_error_on_faces_has_its_own_gate() -> None:
    away = POINTS + (POINTS - TRUTH).astype(np.float32)
    with pytest.raises(ExportError, match="NME rise"):
        run(away, Gate(max_px=99, mean_px=99))


def test_the_rise_of_the_error_is_relative() -> None:
    """A rise of 5 % of a large error is as acceptable as of a small one."""
    away = POINTS + 0.03 * (POINTS - TRUTH).astype(np.float32)
    report = run(away, Gate(max_px=99, mean_px=99, nme_rise=0.031))
    assert report.results[0].nme_rise == pytest.approx(0.03, rel=1e-3)
    with pytest.raises(ExportError, match=r"NME rise 3 % > gate 2\.9 %"):
        run(away, Gate(max_px=99, mean_px=99, nme_rise=0.029))


def test_the_confidence_has_its_own_gate() -> None:
    """Points in their place with another confidence would mark other faces than the network itself does."""
    with_confidence = np.concatenate([POINTS, np.full((4, 51, 1), 0.5, np.float32)], -1)
    changed = with_confidence + np.array([0, 0, 0.03], np.float32)
    report = measure(
        lambda _: with_confidence, {"fp16": lambda _: changed}, CROPS, TRUTH, SCHEME,
        {"fp16": Gate(0.5, 0.1, confidence=0.02)},
    )  # fmt: skip
    (result,) = report.results
    assert result.max_px == 0
    assert result.confidence == pytest.approx(0.03, rel=1e-4)
    assert result.missed == ["confidence changed by 0.03 > gate 0.02"]
    assert run(POINTS).results[0].confidence is None


def test_one_message_names_layers_and_every_stage_that_failed() -> None:
    names = ["fp16", "int8"]
    report = measure(
        lambda _: POINTS, {name: lambda _: moved(7, 0.75) for name in names}, CROPS, TRUTH, SCHEME,
        dict.fromkeys(names, GATE),
    )  # fmt: skip
    text = str(refusal(report, SCHEME, [("head.point", 1.5)]))
    assert "most sensitive layers head.point (1.500 px); also missed by int8; nothing was written" in text
    assert "\n" not in text


def test_nan_does_not_pass() -> None:
    points = POINTS.copy()
    points[0, 3] = np.nan
    with pytest.raises(ExportError, match=r"worst landmarks 3 of brows \(nan"):
        run(points)


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(ExportError, match=r"\(4, 50, 2\), not \(4, 51, 2\)"):
        run(POINTS[:, :50])


def test_points_without_annotation_have_no_part_in_the_nme() -> None:
    """NaN stands for them; a face without marked eye corners has no NME at all."""
    truth = TRUTH.copy()
    truth[0, 3], truth[1, SCHEME.points_of("ocular")[0]] = np.nan, np.nan

    def nme(landmarks: np.ndarray) -> float | None:
        return measure(lambda _: POINTS, {}, CROPS, landmarks, SCHEME, {}).nme

    distances = SCHEME.eye_distance(TRUTH, "ocular")
    errors = np.linalg.norm(POINTS - TRUTH, axis=-1)
    errors[0, 3] = np.nan
    by_face = np.nanmean(errors, 1) / distances
    assert nme(truth) == pytest.approx(by_face[[0, 2, 3]].mean())
    truth[:, SCHEME.points_of("ocular")[0]] = np.nan
    assert nme(truth) is None


def test_without_annotations_there_is_no_nme() -> None:
    report = measure(lambda _: POINTS, {"onnx": lambda _: POINTS}, CROPS, None, SCHEME, {"onnx": GATE})
    assert not report.failed
    assert report.nme is None
    assert report.results[0].nme_rise is None


def test_slow_candidates_are_compared_on_fewer_crops_evenly_spread() -> None:
    sizes: dict[str, int] = {}

    def candidate(name: str, crops: np.ndarray) -> np.ndarray:
        sizes[name] = len(crops)  # in no order: candidates are compared at a time
        return moved(7, 0.75)[[0, 3]] if len(crops) == 2 else moved(7, 0.75)

    report = measure(
        lambda _: POINTS,
        {name: partial(candidate, name) for name in "ab"},
        CROPS,
        TRUTH,
        SCHEME,
        {"a": GATE, "b": GATE},
        {"b": 2},
    )
    assert sizes == {"a": 4, "b": 2}
    assert [result.crops for result in report.results] == [4, 2]
    assert [bool(result.missed) for result in report.results] == [True, False]  # the moved one is crop 2
    assert {index for index, _ in report.results[1].worst_crops} == {0, 3}
