"""Evaluation of a model with known errors."""

import json
import os
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from distill.data.readers import read_faces
from distill.detection.detector import Detection
from distill.errors import AnnotationError, CheckpointError, ConfigError
from distill.evaluate.evaluate import evaluate, render
from distill.evaluate.evaluate import measure as measure_model
from distill.evaluate.faces import load_faces
from distill.evaluate.protocol import require_alike
from distill.files import write_json
from distill.geometry import Box, CropSpec
from distill.images import Photo
from distill.inference.backend import Backend
from distill.landmarks import map_bias
from distill.spec import ModelSpec
from tests.support.evaluation import N_FACES, STEP, MakeOracle, Measure, Oracle


@pytest.mark.parametrize("boxes", ["gt", "dataset"])
def test_the_truth_scores_zero_through_any_box(root: Path, oracle: MakeOracle, boxes: str) -> None:
    options = {"limit": None, "subset": "common"}
    found = evaluate(oracle(boxes=boxes), format="manifest", root=root, boxes=boxes, progress=False, **options)  # type: ignore[arg-type]
    assert found.errors.max() < 1e-4
    assert found.summary()["auc8"] == pytest.approx(1, abs=1e-5)
    assert found.accuracy_5px() == 1


def test_a_shift_gives_the_nme_worked_out_by_hand(measure: Measure) -> None:
    # 3 px right and 4 px down are 5 px; the outer eye corners are 40 px apart.
    found = measure(shift=(3, 4))
    assert found.nme("ocular") == pytest.approx(np.full(N_FACES, 5 / 40), abs=1e-5)
    values = found.summary("ocular")
    assert (values["fr8"], values["fr10"], values["auc8"], values["auc10"]) == (1, 1, 0, 0)
    assert found.nme("ocular", "mouth") == pytest.approx(5 / 40, abs=1e-5)
    assert measure(shift=(2.9, 4)).accuracy_5px() == 1
    assert measure(shift=(3.1, 4)).accuracy_5px("eyes") == 0


def test_box_normaliser_uses_the_true_box_whatever_crops(measure: Measure, oracle: MakeOracle, root: Path) -> None:
    arguments = {"format": "manifest", "root": root, "subset": "common", "progress": False}
    detected = evaluate(oracle(boxes="dataset", shift=(3, 4)), boxes="dataset", **arguments)  # type: ignore[arg-type]
    true = measure(shift=(3, 4), subset="common")
    assert detected.nme("box") == pytest.approx(true.nme("box"), abs=1e-5)
    faces = json.loads((root / "faces.json").read_text())["faces"]
    x0, y0, x1, y1 = faces[0]["boxes"]["gt"]
    assert true.nme("box")[0] == pytest.approx(5 / np.sqrt((x1 - x0) * (y1 - y0)), abs=1e-5)


def test_batches_do_not_change_anything(measure: Measure, oracle: MakeOracle, root: Path) -> None:
    model = oracle(shift=(1, 2))
    found = evaluate(model, format="manifest", root=root, batch_size=4, progress=False)
    assert model.batches == [4, 4, 1]
    np.testing.assert_array_equal(found.offsets, measure(shift=(1, 2)).offsets)


def test_subsets_and_limit(measure: Measure) -> None:
    assert measure(subset="hard").names == ("hard/6", "hard/7", "hard/8")
    both = measure(subset="hard+common")
    assert both.protocol.same_as(measure(subset="common+hard").protocol)
    assert measure(limit=3).names == ("common/0", "common/4", "hard/8")
    with pytest.raises(AnnotationError, match="did you mean 'common'"):
        measure(subset="comon")
    with pytest.raises(ConfigError, match="limit 0"):
        measure(limit=0)


def test_boxes_found_now_are_cut_out_as_the_model_says_and_missed_faces_are_counted(root: Path) -> None:
    def double(box: Box) -> Box:
        (x, y), width, height = box.centre, box.width, box.height
        return Box(x - width, y - height, x + width, y + height)

    def detector(photo: Photo) -> list[Detection]:
        index = round(float(photo.mean()) / STEP)
        return [Detection(double(records[index].boxes["gt"]), 0.9)] if index != 2 else []

    records = read_faces("manifest", root)
    model = Oracle(records, "inner51", shift=(3, 4))  # for crops of gt boxes
    model.spec = replace(model.spec, detected=replace(model.spec.crop, scale=0.65, shift_y=-0.05))
    faces = load_faces("inner51", format="manifest", root=root, boxes="detector", detector=detector)
    result = measure_model(model, faces, "oracle", progress=False)["none"]
    assert result.nme("ocular") == pytest.approx(np.full(N_FACES - 1, 5 / 40), abs=1e-5)
    assert (result.protocol.n_faces, result.protocol.missed) == (N_FACES - 1, 1)
    assert result.protocol.crop == model.spec.detected
    with StringIO() as out:
        Console(file=out, width=200).print(render(result))
        assert "missed 1 faces more" in out.getvalue()
    with pytest.raises(AnnotationError, match="finds none of 9 faces"):
        load_faces("inner51", format="manifest", root=root, boxes="detector", detector=lambda _: [])


def test_a_detector_that_is_none_is_refused_before_the_faces_are_read(root: Path) -> None:
    with pytest.raises(ConfigError, match="unknown detector 'retinafase'"):
        load_faces("five", format="csv", root=root, boxes="detector", detector="retinafase")
    with pytest.raises(ConfigError, match=r"detector has no effect with boxes='gt'"):
        load_faces("five", format="csv", root=root, detector=lambda _: [])


def test_missing_detector_boxes_are_counted(measure: Measure) -> None:
    with pytest.raises(
        ConfigError, match=r"1 of 9 faces have no dataset box \(first: hard/8\); use gt boxes, or detector"
    ):
        measure(boxes="dataset")
    with pytest.raises(ConfigError, match="unknown --boxes 'dlib'"):
        measure(boxes="dlib")


def test_schemes_are_converted_only_where_exact(oracle: MakeOracle, root: Path) -> None:
    arguments = {"format": "manifest", "root": root, "progress": False}
    # Data of 68 points, model of 51: the data is converted. Model of 68, measured in 51: its points are.
    inner = evaluate(oracle("ibug68", shift=(3, 4)), scheme="inner51", **arguments)  # type: ignore[arg-type]
    assert inner.protocol.points == 51
    assert inner.summary()["nme"] == pytest.approx(5 / 40, abs=1e-5)
    with pytest.raises(ConfigError, match="the model's points are inner51, not convertible to ibug68"):
        evaluate(oracle("inner51"), scheme="ibug68", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the points of common/0 are ibug68, not convertible to wflw98"):
        evaluate(oracle_of_98(), **arguments)  # type: ignore[arg-type]


def test_an_approximate_map_is_taken_on_request_and_named_in_the_protocol(oracle: MakeOracle, root: Path) -> None:
    content = json.loads((root / "faces.json").read_text())
    for face in content["faces"]:
        face["points"] = {"faces70": face["points"]["ibug68"] + [[20.0, 30.0], [60.0, 30.0]]}
    model = oracle("inner51")
    (root / "faces.json").write_text(json.dumps(content))
    arguments = {"format": "manifest", "root": root, "progress": False}
    with pytest.raises(ConfigError, match=r"are faces70, only approximately convertible to inner51: .* --approximate"):
        evaluate(model, **arguments)  # type: ignore[arg-type]
    found = evaluate(model, approximate=True, **arguments)  # type: ignore[arg-type]
    assert found.summary()["nme"] < 1e-5
    wrong_by = 100 * map_bias("faces70", "inner51").mean  # type: ignore[union-attr]
    assert found.protocol.conversion == f"faces70 to inner51 approximate, wrong by {wrong_by:.1f} % of the eye distance"
    console = Console(file=StringIO(), width=120)
    console.print(render(found))
    assert found.protocol.conversion in console.file.getvalue()  # type: ignore[attr-defined]
    exact = replace(found.protocol, conversion="exact")
    with pytest.raises(ConfigError, match="conversion differs"):
        require_alike(found.protocol, exact)


def test_a_data_set_in_several_schemes_is_read_in_the_one_that_suits(oracle: MakeOracle, root: Path) -> None:
    content = json.loads((root / "faces.json").read_text())
    for face in content["faces"]:
        face["points"] = {"wflw98": [[20.0 + i / 4, 30.0 + i % 3] for i in range(98)], **face["points"]}
    model = oracle("ibug68")
    (root / "faces.json").write_text(json.dumps(content))
    assert evaluate(model, format="manifest", root=root, progress=False).errors.max() < 1e-4


def oracle_of_98() -> Backend:
    class Fixed(Backend):
        spec = ModelSpec("fixed", "wflw98", 98, CropSpec(32))
        runtime, sha256 = "none", "0"

        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.full((len(crops), 98, 2), 0.5, np.float32)

    return Fixed()


def test_flip_tta_of_a_model_that_ignores_the_mirror(root: Path, oracle: MakeOracle) -> None:
    # It predicts the same for both, so the mean is symmetric about the crop's middle under the scheme's flip.
    found = evaluate(oracle(), format="manifest", root=root, flip_tta=True, progress=False)
    assert found.protocol.flip_tta
    truth = read_faces("manifest", root, scheme="inner51")[0].landmarks
    predicted = truth + found.offsets[0]
    mirrored_mean = (predicted[19, 0] + predicted[28, 0]) / 2
    assert truth[19, 0] != truth[28, 0]
    crop = json.loads((root / "faces.json").read_text())["faces"][0]["boxes"]["gt"]
    assert mirrored_mean == pytest.approx((crop[0] + crop[2]) / 2, abs=1e-3)


def test_nan_is_refused_by_name(root: Path) -> None:
    class Broken(Backend):
        spec = ModelSpec("broken", "inner51", 51, CropSpec(32))
        runtime, sha256 = "none", "0"

        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.full((len(crops), 51, 2), np.nan, np.float32)

    with pytest.raises(CheckpointError, match="NaN for common/0"):
        evaluate(Broken(), format="manifest", root=root, progress=False)


def test_json_is_whole_and_in_percent(measure: Measure, tmp_path: Path) -> None:
    found = measure(shift=(3, 4))
    write_json(tmp_path / "out.json", found.to_json())
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["metrics"]["ocular"]["nme_percent"] == pytest.approx(12.5, abs=1e-3)
    assert content["metrics"]["ocular"]["fr8_percent"] == 100
    assert content["groups"]["brows"] == {
        "points": 10,
        "nme_percent": {
            kind: pytest.approx(100 * found.nme(kind).mean(), abs=1e-3) for kind in ("ocular", "pupil", "box")
        },
        "accuracy_5px_percent": content["groups"]["brows"]["accuracy_5px_percent"],
    }
    assert len(content["faces"]["name"]) == len(content["faces"]["nme_percent"]["box"]) == N_FACES
    assert content["protocol"]["subset"] == "all"
    assert str(tmp_path) not in json.dumps(content)


def test_table_shows_every_normaliser_and_part(measure: Measure) -> None:
    console = Console(file=StringIO(), width=120)
    console.print(render(measure(shift=(3, 4))))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in ("ocular", "pupil", "box", "12.500", "FR@8", "mouth", "without flip TTA", "gt boxes"):
        assert word in text


def test_real_faces_at_the_mean_shape() -> None:
    """From a real 300-W folder to a number, with the simplest model there is."""
    here = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DISTILL_DATA", here.parent / "shared" / "data")) / "300W"
    if not folder.is_dir():
        pytest.skip("real faces not found: set DISTILL_DATA")

    class Middle(Backend):
        spec = ModelSpec("middle", "inner51", 51, CropSpec(64, 1.2))
        runtime, sha256 = "none", "0"

        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.full((len(crops), 51, 2), 0.5, np.float32)

    options = {"format": "300w", "root": folder, "subset": "lfpw/testset", "limit": 20, "progress": False}
    for boxes in ("gt", "dataset"):
        found = evaluate(Middle(), boxes=boxes, **options)  # type: ignore[arg-type]
        assert found.protocol.n_faces == 20
        assert 0.2 < found.summary("ocular")["nme"] < 0.8
