"""The thesis on landmarks for phones again: `python -m scripts.studies.thesis DATA --nets pfld_025 --epochs 10`.

Its five networks, trained without a teacher on 68 points, as many steps each, through its tests: tables 4 and 6 (true
and detector boxes), 5 (PFLD with its pose network), 8 (kinds of faces, as far as the data tell them), 9 (stability),
figures 10 to 12 (faces covered by shapes) and 15 to 19 (resolution, blur); table 2 (sizes) and figures 20 to 25
(latency by threads, floats and integers) are those of zoo.py. DATA holds the folders 300W and grid_video. What is
complete is not made again. Writes results/studies/thesis.json and the page of the thesis.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from distill.evaluate.evaluate import View
from distill.evaluate.faces import load_faces
from distill.evaluate.jitter import NOISE, still_jitter, video_jitter
from distill.evaluate.result import Evaluation
from distill.evaluate.robustness import robustness
from distill.evaluate.subgroups import by_subgroup
from distill.evaluate.suite import list_videos
from distill.files import sha256, write_json
from distill.inference.load import open_backend
from distill.provenance import write_result
from scripts.studies.common.arms import GENTLE, options_of_run, steps_of, train
from scripts.studies.common.cached import scored
from scripts.studies.common.split_300w import TEST
from scripts.studies.papers.page import block, update
from scripts.studies.zoo import BASELINE, ZOO

OUT = "results/studies/thesis.json"
POSELESS = ["--model.options", '{"pose": false}']
RUNS = Path("runs/thesis")
# Recipe in configs/zoo and options of each row: PFLD without its pose network, as the thesis trains it, and with it, as
# its own paper does, for table 5 alone.
NETS = {
    "pfld_025": ["pfld", "--model.arch", "pfld_025", *POSELESS],
    "pfld_100": ["pfld", *POSELESS],
    "pfld_025_pose": ["pfld", "--model.arch", "pfld_025"],
    "pfld_100_pose": ["pfld"],
    "dan_1": ["dan_1"],
    "dan_2": ["dan_2"],
    "hrnet_w18": ["hrnet_w18", "--model.options", '{"pretrained": false}'],
}
# Figures 10 to 12 and 15 to 19: faces covered by shapes, photos shrunk, and shrunk and scaled up again.
TESTS = ("shapes", "resolution", "upscaling")
# Electrons of a white pixel, and the deviation of those that reading adds: a small pixel of a phone, indoors.
FULL, READ = 5000, 2.0
GAMMA = 2.2


def trained(net: str, data: Path, epochs: int) -> Path:
    """Train a row's network without a teacher on 68 points, if that is not done; return its checkpoint."""
    recipe, *own = NETS[net]
    start = ["--model.init", str(trained("dan_1", data, epochs))] if net == "dan_2" else []
    common = [*options_of_run(ZOO / f"{recipe}.yaml", data, epochs), "--data.scheme", "ibug68", *GENTLE, *BASELINE]
    return train(f"{net}_{epochs}", RUNS, [*common, *own, *start])


def tested(net: str, data: Path, epochs: int) -> dict[str, Any]:
    """Train a network, if that is not done, and return what every test says of it."""
    model = trained(net, data / "300W", epochs)
    plain, dataset = (
        Evaluation.from_json(scored(model, data / "300W", model.parent, boxes)) for boxes in ("gt", "dataset")
    )
    return {
        "epochs": epochs,
        "steps": steps_of(model),
        "gt_percent": 100 * plain.summary()["nme"],
        "dataset_percent": 100 * dataset.summary()["nme"],
        "protocol": plain.protocol.to_dict(),
        **({} if net.endswith("_pose") else json.loads(worse_photos(model, plain, data).read_text())),
    }


def filmed(view: View, rng: np.random.Generator) -> View:
    """Return a frame of a clip that shows a still photo: the shot noise and the read noise of a sensor, no motion."""
    electrons = FULL * (view.photo / 255.0) ** GAMMA
    read = rng.poisson(electrons) + READ * rng.standard_normal(electrons.shape)
    pixels = 255 * (read.clip(0, FULL) / FULL) ** (1 / GAMMA)
    return view._replace(photo=np.round(pixels).astype(np.uint8))


def worse_photos(model: Path, plain: Evaluation, data: Path) -> Path:
    """Put a model through the tests, unless that was done; return the file with what they say.

    Args:
        plain: what it does with the test faces as they are.
    """
    path = model.parent / f"thesis_{sha256(model)[:8]}.json"
    if not path.is_file():
        faces = load_faces("ibug68", format="300w", root=data / "300W", subset=TEST)
        predictor = open_backend(model)
        found = {
            "subgroups": by_subgroup(plain, faces),
            "robustness": robustness(predictor, faces, plain, tests=TESTS),
            "jitter": still_jitter(predictor, faces, noise={**NOISE, "filmed": filmed})
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
