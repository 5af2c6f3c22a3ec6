"""Train, score, convert and time the zoo: `python -m scripts.studies.zoo DATA --nets efld efld:60 pfld_025`.

Every network with and without a teacher: the same faces, gentle augmentations, seed and number of epochs (`--epochs`,
or the number behind the colon for a row of its own), the rest as its file in configs/zoo says. All are distilled from
the cached landmarks of one teacher: these fit every network, whatever its crop is and whatever it predicts. DATA
holds the folder 300W. The distilled network goes to TFLite in floats and 8-bit integers, and all files are timed in
turns with MediaPipe's FaceMesh. A run or file that is complete is not made again, one that was stopped is continued.
Writes results/studies/zoo.json, its table in the documentation and its picture; accuracies of rows that are not given
stay unchanged, without times, which only compare within one run.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from distill.bench.result import Settings
from distill.bench.run import bench
from distill.evaluate.evaluate import evaluate
from distill.evaluate.facemesh import tuned
from distill.evaluate.faces import load_faces
from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.files import write_bytes
from distill.models.cards import load_cards
from distill.provenance import command_line, commit, write_result
from distill.report.bench_json import to_json
from distill.report.pareto import pareto_plot
from scripts.studies.common.arms import GENTLE, options_of_run, steps_of, train, with_interval
from scripts.studies.common.cached import converted, scored
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN

RUNS, OUT = Path("runs/zoo"), Path("results/studies/zoo.json")
PEER = "facemesh"
# Recipe by network; the baseline is the same recipe with `--kd.kind none`.
ZOO = Path("configs/zoo")
NETS = {
    **{name: ZOO / f"{name}.yaml" for name in ("dan_1", "dan_2", "efld", "hrnet_w18")},
    **dict.fromkeys(("lite_hrnet_18", "lite_hrnet_plus_10m", "lite_hrnet_plus_30m"), ZOO / "lite_hrnet.yaml"),
    **dict.fromkeys(("pfld_025", "pfld_100"), ZOO / "pfld.yaml"),
    "mobilevit_v2_050": Path("configs/base/student.yaml"),
}
BASELINE = ["--kd.kind", "none"]
RANDOM_WEIGHTS = ["--model.options", '{"pretrained": false}']
# Every network starts from random weights; the recipe of HRNet has ImageNet's.
OWN = {"hrnet_w18": RANDOM_WEIGHTS}
# What a network that is trained in stages starts from; its epochs come on top.
STARTS = {"dan_2": "dan_1"}
MODES = ("fp32", "int8")


def options_of_net(net: str, data: Path, epochs: int) -> list[str]:
    """Return the options that both trainings of a network have."""
    return [*options_of_run(NETS[net], data, epochs), "--model.arch", net, *OWN.get(net, []), *GENTLE]


def train_baseline(net: str, data: Path, epochs: int) -> Path:
    """Train a network without a teacher; return its checkpoint."""
    start = ["--model.init", str(train_baseline(STARTS[net], data, epochs))] if net in STARTS else []
    return train(f"{net}_{epochs}_alone", RUNS, [*options_of_net(net, data, epochs), *BASELINE, *start])


def train_distilled(net: str, data: Path, teacher: Path, epochs: int) -> Path:
    """Train a network with the teacher; return its checkpoint."""
    kd = ["--teacher", str(teacher), "--kd.kind", "coordinate", "--kd.weight", "2", "--kd.cache.form", "landmarks"]
    start = ["--model.init", str(train_distilled(STARTS[net], data, teacher, epochs))] if net in STARTS else []
    return train(f"{net}_{epochs}", RUNS, [*options_of_net(net, data, epochs), *kd, *start])


def converted_files(name: str, model: Path, data: Path) -> dict[str, Path]:
    """Convert a checkpoint to TFLite; return the files by kind."""
    folder = converted(name, model, data, model.parent / "export", modes=list(MODES))
    return {kind: folder / file for kind, file in file_names(name).items()}


def file_names(name: str) -> dict[str, str]:
    """Return what the files of a row are called, by kind."""
    return {kind: f"{name}_{kind}.tflite" for kind in MODES}


def summary(found: Evaluation) -> dict[str, float]:
    """Return what is told of one evaluation, in percent."""
    values = found.summary()
    return {f"{name}_percent": 100 * values[name] for name in ("nme", "fr10", "auc10")}


def row(net: str, models: dict[str, Path], files: dict[str, Path], data: Path, epochs: int) -> dict[str, Any]:
    """Return what is known of one network."""
    out: dict[str, Any] = {"network": net, "commit": commit(), "epochs": epochs, "steps": steps_of(models["distilled"])}
    for boxes in ("gt", "dataset"):
        found = {arm: Evaluation.from_json(scored(path, data, path.parent, boxes)) for arm, path in models.items()}
        gain = paired_bootstrap(found["distilled"], found["baseline"])
        out[boxes] = {
            **{arm: summary(evaluation) for arm, evaluation in found.items()},
            "distilled_minus_baseline_points": {name: 100 * getattr(gain, name) for name in ("mean", "low", "high")},
            "protocol": found["distilled"].protocol.to_dict(),
        }
    out["int8"] = summary(Evaluation.from_json(scored(files["int8"], data, files["int8"].parent)))
    out["bytes"] = {kind: path.stat().st_size for kind, path in files.items()}
    return out


def published(net: str) -> float | None:
    """Return the NME of 300-W common, 68 points, that the network's paper gives, in percent, if it gives one."""
    rows = [row for row in load_cards()[net].published if row["variant"] == net and "common_nme_percent" in row]
    return float(rows[0]["common_nme_percent"]) if rows else None


def table(rows: dict[str, Any], timed: dict[str, Any]) -> str:
    """Return accuracies and costs as a Markdown table, the most accurate first."""
    models = {model["name"]: model for model in timed["models"]}
    times = {entry["name"]: entry for entry in timed["times"] if entry["part"] == "model" and entry["threads"] == 1}
    lines = [
        "| network | epochs | NME %, distilled | baseline | difference (95 %) | dataset boxes "
        "| int8 | published | MMACs | KB fp32, int8 | x FaceMesh, fp32, int8 | score |",
        "|---|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, values in sorted(rows.items(), key=lambda entry: entry[1]["gt"]["distilled"]["nme_percent"]):
        gain, files = values["gt"]["distilled_minus_baseline_points"], file_names(name).values()
        known = all(file in times for file in files)
        macs = f"{models[f'{name}_fp32.tflite']['macs'] / 1e6:.1f}" if known else "–"
        ratios = ", ".join(f"{times[file]['ratio']:.2f}" for file in files) if known else "–"
        score = max((times[file]["score"] or 0.0 for file in files), default=0.0) if known else 0.0
        paper = published(values["network"])
        cells = [
            f"`{values['network']}`", str(values["epochs"]),
            *(f"{values['gt'][arm]['nme_percent']:.2f}" for arm in ("distilled", "baseline")),
            with_interval(gain),
            f"{values['dataset']['distilled']['nme_percent']:.2f}", f"{values['int8']['nme_percent']:.2f}",
            f"{paper:.2f}" if paper else "–", macs,
            ", ".join(f"{values['bytes'][kind] / 1e3:.0f}" for kind in MODES), ratios, f"{score:.1f}" if score else "–",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def block(result: dict[str, Any]) -> str:
    """Return the block of the documentation for a stored result."""
    return table(result["rows"], result["bench"])


def parse_row(text: str) -> tuple[str, int | None]:
    """Read NETWORK or NETWORK:EPOCHS.

    Raises:
        argparse.ArgumentTypeError: no such network, or no number of epochs.
    """
    net, _, epochs = text.partition(":")
    if net not in NETS or not (epochs.isdecimal() or text == net):
        raise argparse.ArgumentTypeError(f"{text!r} is not NETWORK or NETWORK:EPOCHS with one of {', '.join(NETS)}")
    return net, int(epochs) if epochs else None


def main() -> None:
    """Do it, network by network; what is finished at any moment is kept."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--nets", nargs="+", type=parse_row, default=[(net, None) for net in NETS], metavar="NET[:EPOCHS]"
    )
    parser.add_argument("--teacher", type=Path, default=Path("checkpoints/student_128_refined.safetensors"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    data = options.data / "300W"
    rows: dict[str, Any] = json.loads(OUT.read_text())["rows"] if OUT.is_file() else {}
    files: list[Path] = []
    for net, own in options.nets:
        epochs = own or options.epochs
        name, distilled = f"{net}_{epochs}", train_distilled(net, data, options.teacher.resolve(), epochs)
        models = {"distilled": distilled, "baseline": train_baseline(net, data, epochs)}
        made = converted_files(name, distilled, data)
        rows[name] = row(net, models, made, data, epochs)
        files += made.values()
    _, mesh = tuned(load_faces("inner51", format="300w", root=data, subset=TRAIN))
    peer = evaluate(mesh, format="300w", root=data, subset=TEST)
    found = bench(
        files, [PEER], Settings((1, 2, 4), options.rounds, reference=PEER), stages=False, progress=True,
        evaluations=[scored(path, data, path.parent) for path in files], nme=[f"{PEER}={100 * peer.summary()['nme']}"],
        accuracy=[f"{PEER}={100 * peer.accuracy_5px()}"],
    )  # fmt: skip
    timed = to_json(found, command_line())
    write_result(OUT, {"rows": rows, "bench": timed})
    write_bytes("docs/images/zoo.png", pareto_plot(found))
    update_block(str(OUT), table(rows, timed))
    print(table(rows, timed))


if __name__ == "__main__":
    main()
