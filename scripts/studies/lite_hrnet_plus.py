"""Table 1 of Lite-HRNet Plus again, as far as the faces go: `python -m scripts.studies.lite_hrnet_plus DATA`.

Its networks at 96 px on the 68 points of 300-W by the paper's optimiser and schedule (Adam, 0.002, falling after 170
and 200 of 210 epochs, in proportion), as many steps each, tested on the 554 common faces. Faces are turned and covered
less than in the paper (`GENTLE`): it has 210 epochs to learn faces that lie on their side. DATA holds the folder 300W.
A run that is complete is not trained again, one that was stopped is continued. `--arms wing_mobilenet_v2` trains and
measures some rows beside the reference alone, and prints them; `--out NAME` writes them. Without `--arms`, writes
results/studies/lite_hrnet_plus.json. What is written goes to the page of the paper too.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.bench.complexity import complexity
from distill.models.checkpoint import load_model
from distill.provenance import write_result
from scripts.studies.common.arms import GENTLE, measured, options_of_run, steps_of, train_arms
from scripts.studies.papers.page import update

RUNS = Path("runs/lite_hrnet_plus")
RECIPE = "configs/zoo/lite_hrnet_plus_300w.yaml"
DECONVOLUTIONS = ["--model.options", '{"neck": "deconv", "width": 256}']
# `--loss.name default` is the binary cross entropy for Lite-HRNet Plus and the squared error for Lite-HRNet and HRNet.
ARMS: dict[str, Sequence[str]] = {
    "plus_10m_bce": ["--model.arch", "lite_hrnet_plus_10m"],
    "plus_10m_mse": ["--model.arch", "lite_hrnet_plus_10m", "--loss.name", "mse"],
    "mobilenet_v2": ["--model.arch", "timm:mobilenetv2_100", "--loss.name", "mse", *DECONVOLUTIONS],
    "shufflenet_v2": ["--model.arch", "shufflenet_v2_100", "--loss.name", "mse", *DECONVOLUTIONS],
    "pipnet": ["--model.arch", "pipnet_mobilenet_v3"],
    "pipnet_small": ["--model.arch", "pipnet_mobilenet_v3_small_050"],
    "wing_mobilenet_v2": ["--model.arch", "wing_mobilenet_v2"],
    "plus_30m_bce": ["--model.arch", "lite_hrnet_plus_30m"],
    "plus_30m_mse": ["--model.arch", "lite_hrnet_plus_30m", "--loss.name", "mse"],
    "lite_hrnet": ["--model.arch", "lite_hrnet_18"],
    "hrnet_w18": ["--model.arch", "hrnet_w18"],
}
REFERENCE = "plus_10m_mse"


def arguments(arm: str, data: Path, epochs: int) -> list[str]:
    """Return the options of one row of the table."""
    common = [*options_of_run(RECIPE, data / "300W", epochs), *GENTLE, "--data.batch_size", "32"]
    # The crop of each face fits in memory at this size.
    return [*common, "--data.workers", "0", "--data.cache", "true", *ARMS[arm]]


def cost(checkpoint: Path) -> dict[str, int]:
    """Return weights and multiply-accumulates of a trained network."""
    net, spec = load_model(checkpoint)
    found = complexity(net, spec.crop.size)
    return {"parameters": found.parameters, "macs": found.macs}


def main() -> None:
    """Train every network with every seed, measure, write, print; of some networks, write where `--out` says."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--arms", nargs="+", choices=ARMS, help="some rows beside the reference; needs --out to write")
    parser.add_argument(
        "--out", metavar="NAME", help="write results/studies/NAME.json [lite_hrnet_plus; with --arms none]"
    )
    options = parser.parse_args()
    arms = [arm for arm in ARMS if options.arms is None or arm in (REFERENCE, *options.arms)]
    made = train_arms({arm: arguments(arm, options.data, options.epochs) for arm in arms}, options.seeds, RUNS)
    study: dict[str, Any] = {"epochs": options.epochs, "steps": [steps_of(path) for path in made[REFERENCE]]}
    study |= measured(made, options.data / "300W", REFERENCE)
    study["cost"] = {arm: cost(paths[0]) for arm, paths in made.items()}
    print(json.dumps({"gt": study["gt"]["arms"], "cost": study["cost"]}, indent=1))
    if name := options.out or (None if options.arms else "lite_hrnet_plus"):
        write_result(f"results/studies/{name}.json", study)
        update("lite_hrnet_plus")


if __name__ == "__main__":
    main()
