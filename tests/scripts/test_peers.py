"""Models compared with and without their constant offset."""

from pathlib import Path

import numpy as np

from distill.data.readers import read_faces
from distill.evaluate.evaluate import evaluate
from distill.evaluate.facemesh import OffsetBackend, mean_offset
from scripts.studies.peers import table
from tests.support.evaluation import MakeOracle


def test_an_offset_takes_away_what_is_the_same_on_every_face(root: Path, oracle: MakeOracle) -> None:
    records = [record.in_scheme("inner51") for record in read_faces("manifest", root)]
    backend = oracle(shift=(3, 4))
    offset = mean_offset(backend, records, "gt")
    assert offset.shape == (51, 2)
    # 3 and 4 px of crops that show 1.3 boxes; boxes differ in size from face to face.
    boxes = np.array([record.boxes["gt"] for record in records])
    extents = 1.3 * (boxes[:, 2:] - boxes[:, :2]).max(1)
    assert np.allclose(offset, np.mean([[3 / e, 4 / e] for e in extents], axis=0), atol=1e-4)
    raw, calibrated = (
        evaluate(model, format="manifest", root=root, subset="common", progress=False).summary()["nme"]
        for model in (backend, OffsetBackend(backend, offset))
    )
    assert calibrated < 0.2 * raw


def test_the_table_names_a_model_once() -> None:
    found = {"nme_percent": 3.0, "nme_95_percent": [2.9, 3.1], "nme_median_percent": 2.8, "fr8_percent": 0.5}
    lines = table({"models": {"net": {"raw": found, "calibrated": found}}}).splitlines()
    assert lines[2:] == [
        "| `net` | raw | 3.00 (2.90–3.10) | 2.80 | 0.5 |",
        "|  | calibrated | 3.00 (2.90–3.10) | 2.80 | 0.5 |",
    ]
