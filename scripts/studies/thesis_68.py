"""The thesis on its own 68 points with three seeds: `python -m scripts.studies.thesis_68 DATA`.

Trains each network without a teacher, seed by seed, and evaluates it: tables 4 to 6 with annotated, data set's and
detector boxes, and with the first seed table 8 (pose), table 9 (jitter), figures 10 to 12 (faces covered by shapes),
15, 16, 18 and 19 (resolution, blur). The result holds what a finished training measures, which is not made again; one
that was stopped is continued. DATA holds the folders 300W and grid_video. Writes results/studies/thesis_68.json after
every training, and the page of the thesis.
"""

import argparse
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
from distill.inference.load import open_backend
from scripts.studies.common.arms import GENTLE, compared, options_of_run, train
from scripts.studies.common.cached import scored
from scripts.studies.common.kept_runs import Run, complete_seeds, evaluation_of, train_and_score, train_missing
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


def arguments(net: str, seed: int, data: Path, epochs: int, folder: Path) -> list[str]:
    """Return the options of a training; DAN's second stage starts from its first."""
    recipe, *own = NETS[net]
    # All make as many steps: the recipe of HRNet has batches of 16, the others have 32.
    common = [*options_of_run(ZOO / f"{recipe}.yaml", data / "300W", epochs), *GENTLE, "--data.batch_size", "16"]
    start = ["--model.init", str(folder / f"dan_1_{seed}" / "best.ckpt")] if net == "dan_2" else []
    return [*common, "--data.scheme", SCHEME, *BASELINE, *own, *start, "--seed", str(seed)]


def filmed(view: View, rng: np.random.Generator) -> View:
    """Return a frame of a clip that shows a still photo: the shot noise and the read noise of a sensor, no motion."""
    electrons = FULL_WELL * (view.photo / 255.0) ** GAMMA
    read = rng.poisson(electrons) + READ_NOISE * rng.standard_normal(electrons.shape)
    pixels = 255 * (read.clip(0, FULL_WELL) / FULL_WELL) ** (1 / GAMMA)
    return view._replace(photo=np.round(pixels).astype(np.uint8))


def tests_of(model: Path, data: Path) -> dict[str, Any]:
    """Put a network through the tests of worse photos and of jitter."""
    plain = Evaluation.from_json(scored(model, data / "300W", model.parent))
    faces = load_faces(SCHEME, format="300w", root=data / "300W", subset=TEST)
    predictor = open_backend(model)
    still = still_jitter(predictor, faces, noise={**NOISE, "filmed": filmed})
    video = video_jitter(predictor, list_videos(data / "grid_video"))
    found = {"subgroups": by_subgroup(plain, faces), "jitter": {**still, "video": video}}
    return {**found, "robustness": robustness(predictor, faces, plain, tests=TESTS)}


def run_of(name: str, data: Path, epochs: int, folder: Path) -> Run:
    """Train NETWORK_SEED, before DAN's second stage its first where that is not in the folder, and measure it."""
    net, seed = name.rsplit("_", 1)[0], int(name.rsplit("_", 1)[1])
    if net == "dan_2":
        train(f"dan_1_{seed}", folder, arguments("dan_1", seed, data, epochs, folder))
    run = train_and_score(name, folder, arguments(net, seed, data, epochs, folder), data / "300W", BOX_SOURCES)
    tested = seed == 0 and not net.endswith("_pose")
    return run | ({"tests": tests_of(folder / name / "best.ckpt", data)} if tested else {})


def result_of(runs: dict[str, Run]) -> dict[str, Any]:
    """Return the result: the comparison of the seeds that every network is trained with, and all trainings."""
    seeds = complete_seeds(runs, list(NETS), SEEDS)
    found: dict[str, Any] = {}
    for boxes in BOX_SOURCES if seeds else ():
        rows = {net: [evaluation_of(runs[f"{net}_{seed}"], boxes) for seed in seeds] for net in NETS}
        found[boxes] = compared(rows, REFERENCE)
    return {"seeds": seeds, **found, "runs": runs}


def main() -> None:
    """Train what the result does not hold, and write after each training."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=7, help="of each training [7]")
    parser.add_argument("--runs", type=Path, default=RUNS, help=f"folder of the trainings [{RUNS}]")
    options = parser.parse_args()
    planned = {
        f"{net}_{seed}": arguments(net, seed, Path("data"), options.epochs, RUNS)
        for seed in range(SEEDS)
        for net in NETS
    }
    train_missing(Path(OUT), planned, lambda name: run_of(name, options.data, options.epochs, options.runs), result_of)
    update("thesis")


if __name__ == "__main__":
    main()
