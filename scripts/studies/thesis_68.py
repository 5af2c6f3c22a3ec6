"""The thesis on its own 68 points, three seeds: one training a call, then the tests of what is trained.

`python -m scripts.studies.thesis_68 DATA --train pfld_025 --seed 0` trains one network without a teacher into
runs/thesis_68: complete, it is left; stopped, it is continued. Without `--train`, the seeds that every network has are
evaluated (tables 4 to 6 with annotated, data set's and detector boxes), and the first of them goes through the tests
of table 8 (pose), table 9 (jitter), figures 10 to 12 (faces covered by shapes), 15, 16, 18 and 19 (resolution, blur).
DATA holds the folders 300W and grid_video. Writes results/studies/thesis_68.json and the page of the thesis.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distill.data.box_sources import BOX_SOURCES
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
from scripts.studies.common.arms import GENTLE, measured, options_of_run, require_equal_steps, train
from scripts.studies.common.cached import scored
from scripts.studies.common.split_300w import TEST
from scripts.studies.papers.page import update
from scripts.studies.zoo import BASELINE, RANDOM_WEIGHTS, ZOO

OUT = "results/studies/thesis_68.json"
RUNS = Path("runs/thesis_68")
SCHEME = "ibug68"
SEEDS = 3
POSELESS = ["--model.options", '{"pose": false}']
# Recipe in configs/zoo and options of each row: PFLD without its pose network, as the thesis trains it, and with it, as
# its own paper does, for table 5 alone.
NETS = {
    "pfld_025": ["pfld", "--model.arch", "pfld_025", *POSELESS],
    "pfld_100": ["pfld", *POSELESS],
    "dan_1": ["dan_1"],
    "dan_2": ["dan_2"],
    "hrnet_w18": ["hrnet_w18", *RANDOM_WEIGHTS],
    "pfld_025_pose": ["pfld", "--model.arch", "pfld_025"],
    "pfld_100_pose": ["pfld"],
}
REFERENCE = "dan_1"
# Figures 10 to 12, and 15, 16, 18 and 19: faces covered by shapes, photos shrunk, and shrunk and scaled up again.
TESTS = ("shapes", "resolution", "upscaling")
# Electrons of a white pixel, and the deviation of those that reading adds: a small pixel of a phone, indoors.
FULL_WELL = 5000
READ_NOISE = 2.0
GAMMA = 2.2


def run_of(net: str, seed: int, runs: Path) -> Path:
    """Return the folder of a training."""
    return runs / f"{net}_{seed}"


def trained(net: str, seed: int, data: Path, epochs: int, runs: Path) -> Path:
    """Train a network on 68 points, and before DAN's second stage its first; return its checkpoint."""
    recipe, *own = NETS[net]
    # All make as many steps: the recipe of HRNet has batches of 16, the others have 32.
    common = [*options_of_run(ZOO / f"{recipe}.yaml", data / "300W", epochs), *GENTLE, "--data.batch_size", "16"]
    start = ["--model.init", str(trained("dan_1", seed, data, epochs, runs))] if net == "dan_2" else []
    options = [*common, "--data.scheme", SCHEME, *BASELINE, *own, *start, "--seed", str(seed)]
    return train(run_of(net, seed, runs).name, runs, options)


def finished_seeds(runs: Path) -> list[int]:
    """Return the seeds that every network is trained with.

    Raises:
        SystemExit: there is none.
    """
    left = {
        seed: [net for net in NETS if not (run_of(net, seed, runs) / "summary.json").is_file()] for seed in range(SEEDS)
    }
    if found := [seed for seed, nets in left.items() if not nets]:
        return found
    net = left[0][0]
    raise SystemExit(f"{runs}: no seed is complete; train {', '.join(left[0])}: add --train {net} --seed 0, and so on")


def filmed(view: View, rng: np.random.Generator) -> View:
    """Return a frame of a clip that shows a still photo: the shot noise and the read noise of a sensor, no motion."""
    electrons = FULL_WELL * (view.photo / 255.0) ** GAMMA
    read = rng.poisson(electrons) + READ_NOISE * rng.standard_normal(electrons.shape)
    pixels = 255 * (read.clip(0, FULL_WELL) / FULL_WELL) ** (1 / GAMMA)
    return view._replace(photo=np.round(pixels).astype(np.uint8))


def tests_of(model: Path, data: Path, limit: int | None) -> dict[str, Any]:
    """Put a network through the tests of worse photos and of jitter, unless that was done.

    Args:
        limit: test faces, all by default.
    """
    path = model.parent / f"tests_{'all' if limit is None else limit}_{sha256(model)[:8]}.json"
    if not path.is_file():
        plain = Evaluation.from_json(scored(model, data / "300W", model.parent, limit=limit))
        faces = load_faces(SCHEME, format="300w", root=data / "300W", subset=TEST, limit=limit)
        predictor = open_backend(model)
        still = still_jitter(predictor, faces, noise={**NOISE, "filmed": filmed})
        video = video_jitter(predictor, list_videos(data / "grid_video"))
        found = {"subgroups": by_subgroup(plain, faces), "jitter": {**still, "video": video}}
        write_json(path, {**found, "robustness": robustness(predictor, faces, plain, tests=TESTS)})
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def study_of(runs: Path, data: Path, limit: int | None = None) -> dict[str, Any]:
    """Evaluate what is trained; return the result."""
    seeds = finished_seeds(runs)
    models: Mapping[str, list[Path]] = {net: [run_of(net, seed, runs) / "best.ckpt" for seed in seeds] for net in NETS}
    steps = require_equal_steps(models, seeds)
    first = {net: paths[0] for net, paths in models.items() if not net.endswith("_pose")}
    nmes = measured(models, data / "300W", REFERENCE, BOX_SOURCES, limit)
    tests = {net: tests_of(path, data, limit) for net, path in first.items()}
    return {"seeds": seeds, "steps": steps, **nmes, "tests": tests}


def main() -> None:
    """Train one network, or evaluate what is trained, write, print."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", choices=NETS, help="train this network; without it, evaluate")
    parser.add_argument("--seed", type=int, choices=range(SEEDS), default=0, help="of the training [0]")
    parser.add_argument("--epochs", type=int, default=7, help="of each training [7]")
    parser.add_argument("--runs", type=Path, default=RUNS, help=f"folder of the trainings [{RUNS}]")
    parser.add_argument("--limit", type=int, help="evaluate on this many faces and print the result alone")
    options = parser.parse_args()
    if options.train:
        print(trained(options.train, options.seed, options.data, options.epochs, options.runs))
        return
    study = study_of(options.runs, options.data, options.limit)
    if options.limit is None:
        write_result(OUT, study)
        update("thesis")
    print(json.dumps({boxes: study[boxes]["arms"] for boxes in BOX_SOURCES}, indent=1))


if __name__ == "__main__":
    main()
