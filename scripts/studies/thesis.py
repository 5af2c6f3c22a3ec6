"""The thesis on landmarks for phones again: `python -m scripts.studies.thesis DATA --nets pfld_025 --epochs 10`.

Its five networks, trained without a teacher by zoo.py's recipe, through its tests: tables 2 (size), 4 and 6 (true and
detector boxes), 8 (kinds of faces, as far as the data tell them), 9 (stability), figures 15 to 19 (resolution, blur);
figures 20 to 25 (latency by threads, floats and integers) are those of zoo.py. DATA holds the folders 300W and
grid_video. What is complete is not made again. Writes results/studies/thesis.json and the page of the thesis.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from distill.evaluate.faces import load_faces
from distill.evaluate.jitter import still_jitter, video_jitter
from distill.evaluate.result import Evaluation
from distill.evaluate.robustness import robustness
from distill.evaluate.subgroups import by_subgroup
from distill.evaluate.suite import list_videos
from distill.files import sha256, write_json
from distill.inference.load import open_backend
from distill.provenance import write_result
from scripts.studies.common.cached import scored
from scripts.studies.common.split_300w import TEST
from scripts.studies.papers.page import block, update
from scripts.studies.zoo import train_baseline

OUT = "results/studies/thesis.json"
NETS = ("pfld_025", "pfld_100", "dan_1", "dan_2", "hrnet_w18")
# Figures 15 to 19: photos shrunk, and shrunk and scaled up again.
SHRUNK = ("resolution", "upscaling")


def tested(net: str, data: Path, epochs: int) -> dict[str, Any]:
    """Train a network, if that is not done, and return what every test says of it."""
    model = train_baseline(net, data / "300W", epochs)
    plain, dataset = (
        Evaluation.from_json(scored(model, data / "300W", model.parent, boxes)) for boxes in ("gt", "dataset")
    )
    return {
        "epochs": epochs,
        "gt_percent": 100 * plain.summary()["nme"],
        "dataset_percent": 100 * dataset.summary()["nme"],
        "protocol": plain.protocol.to_dict(),
        **json.loads(worse_photos(model, plain, data).read_text()),
    }


def worse_photos(model: Path, plain: Evaluation, data: Path) -> Path:
    """Put a model through the tests, unless that was done; return the file with what they say.

    Args:
        plain: what it does with the test faces as they are.
    """
    path = model.parent / f"thesis_{sha256(model)[:8]}.json"
    if not path.is_file():
        faces = load_faces("inner51", format="300w", root=data / "300W", subset=TEST)
        predictor = open_backend(model)
        found = {
            "subgroups": by_subgroup(plain, faces),
            "robustness": robustness(predictor, faces, plain, tests=SHRUNK),
            "jitter": still_jitter(predictor, faces)
            | {"video": video_jitter(predictor, list_videos(data / "grid_video"))},
        }
        write_json(path, found)
    return path


def main() -> None:
    """Train and test every network, write, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    found = {net: tested(net, options.data, options.epochs) for net in options.nets}
    write_result(OUT, {"networks": found})
    update("thesis")
    print(block("thesis"))


if __name__ == "__main__":
    main()
