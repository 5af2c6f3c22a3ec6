"""The thesis on landmarks for phones again: `python -m scripts.studies.thesis DATA --nets pfld_025 --epochs 10`.

Its five networks, trained without a teacher by zoo.py's recipe, through its tests: tables 2 (size), 4 and 6 (true and
detector boxes), 8 (kinds of faces, as far as the data tell them), 9 (stability), figures 15 to 19 (resolution, blur);
figures 20 to 25 (latency by threads, floats and integers) are read from results/studies/zoo.json. DATA holds the
folders 300W and grid_video. What is complete is not made again. Writes results/studies/thesis.json and its tables in
the documentation.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from distill.evaluate.faces import load_faces
from distill.evaluate.jitter import still_jitter, video_jitter
from distill.evaluate.result import Evaluation
from distill.evaluate.robustness import TESTS, robustness
from distill.evaluate.subgroups import by_subgroup
from distill.evaluate.suite import list_videos
from distill.files import sha256, write_json
from distill.inference.load import open_backend
from distill.models.cards import load_cards
from distill.provenance import write_result
from scripts.studies.common.cached import scored
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST
from scripts.studies.zoo import OUT as ZOO
from scripts.studies.zoo import file_names, train_baseline

OUT = "results/studies/thesis.json"
NETS = ("pfld_025", "pfld_100", "dan_1", "dan_2", "hrnet_w18")
# Table 9: video, then noise of 0.01, 0.1 and 0.2; table 8: extreme pose. Percent of the eye distance.
TABLE_9 = {
    "pfld_025": (0.3301, 0.1542, 0.9570, 1.7665), "pfld_100": (0.3282, 0.1615, 1.0204, 1.8179),
    "dan_1": (0.2928, 0.1305, 0.7876, 2.2130), "dan_2": (0.2907, 0.1242, 0.7897, 2.0419),
    "hrnet_w18": (0.5774, 0.2708, 1.1084, 2.3896),
}  # fmt: skip
TABLE_8 = {
    "pfld_025": 8.549, "pfld_100": 7.750, "dan_1": 8.268, "dan_2": 8.009, "hrnet_w18": 7.383,
}  # fmt: skip
# Figures 15 to 19: photos shrunk, and shrunk and scaled up again.
SHRUNK = ("resolution", "upscaling")
LEVELS = TESTS["resolution"][1]


def published(net: str, boxes: str) -> float:
    """Return the thesis' NME on the common set, in percent: table 4 (`gt boxes`) or 6 (`MTCNN boxes`)."""
    rows = load_cards()[net].published
    return next(
        float(row["common_nme_percent"])
        for row in rows
        if row["variant"] == net and row["protocol"].startswith("thesis") and boxes in row["protocol"]
    )


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


def accuracy_table(found: dict[str, Any]) -> str:
    """Return tables 4, 6, 8 and 9, published and ours, as one Markdown table."""
    lines = [
        "| network | | NME %, true boxes | detector's | turned faces | jitter, video | noise 0.01 | 0.1 | 0.2 |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for net, values in found.items():
        reported = (published(net, "gt"), published(net, "MTCNN"), TABLE_8[net], *TABLE_9[net])
        turned = list(values["subgroups"]["yaw"].values())[-1]  # from frontal to turned
        jitter = values["jitter"]
        ours = (
            values["gt_percent"], values["dataset_percent"], turned["nme_percent"],
            jitter["video"]["fixed_box_percent"], *jitter["noise_percent"].values(),
        )  # fmt: skip
        for who, row in (("thesis", reported), ("ours", ours)):
            lines.append(f"| `{net}` | {who} | {' | '.join(f'{value:.2f}' for value in row)} |")
    return "\n".join(lines)


def resolution_table(found: dict[str, Any]) -> str:
    """Return our NME of figures 15 to 19 as a Markdown table."""
    head = " | ".join(f"x {level:g}" for level in LEVELS)
    lines = [f"| NME % | photos | as they are | {head} |", f"|---|---|---:|{'---:|' * len(LEVELS)}"]
    for net, values in found.items():
        for test, what in zip(SHRUNK, ("shrunk", "shrunk and scaled up"), strict=True):
            points = {point["level"]: point["nme_percent"] for point in values["robustness"][test]["points"]}
            cells = " | ".join(f"{points[level]:.2f}" for level in (0, *LEVELS))
            lines.append(f"| `{net}` | {what} | {cells} |")
    return "\n".join(lines)


def latency_table(names: list[str]) -> str:
    """Return figures 20 to 25 as a Markdown table: milliseconds by threads, of one run of zoo.py."""
    timed = json.loads(ZOO.read_text())["bench"]["times"] if ZOO.is_file() else []
    ms = {(entry["name"], entry["threads"]): entry["median_ms"] for entry in timed if entry["part"] == "model"}
    threads = sorted({count for _, count in ms})
    lines = [f"| ms | {' | '.join(f'{count} threads' for count in threads)} |", f"|---|{'---:|' * len(threads)}"]
    files = [file for name in names for file in file_names(name).values()]
    lines += [
        f"| `{name}` | {' | '.join(f'{ms[name, count]:.2f}' for count in threads)} |"
        for name in files
        if (name, 1) in ms
    ]
    return "\n".join(lines)


def block(result: dict[str, Any]) -> str:
    """Return all tables of a stored result, for the documentation."""
    networks = result["networks"]
    names = [f"{net}_{values['epochs']}" for net, values in networks.items()]
    return "\n\n".join((accuracy_table(networks), resolution_table(networks), latency_table(names)))


def main() -> None:
    """Train and test every network, write, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    found = {net: tested(net, options.data, options.epochs) for net in options.nets}
    result = {"networks": found}
    write_result(OUT, result)
    update_block(OUT, block(result))
    print(block(result))


if __name__ == "__main__":
    main()
