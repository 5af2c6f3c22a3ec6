"""50 mistakes in options and recipes: `python -m scripts.fuzz.option_mistakes`.

Each must be refused in one line before torch is imported; the line names the key, and the nearest valid name where a
name is wrong. Writes results/checks/option_mistakes.json.
"""

import argparse
import contextlib
import io
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from distill.cli.main import main as distill
from distill.provenance import write_result
from scripts.fuzz.forked import run_forked

OUT = "results/checks/option_mistakes.json"
_LIMIT_S = 60.0
# Command, option as it was written, option or value that was meant.
NAMES = (
    ("teacher", "data.batchsize=4", "batch_size"), ("teacher", "data.rooot=x", "root"),
    ("teacher", "data.shceme=inner51", "scheme"), ("teacher", "data.fromat=csv", "format"),
    ("teacher", "data.worker=2", "workers"), ("teacher", "data.crop.scal=1.3", "scale"),
    ("teacher", "data.augment.rotat=10", "rotate"), ("teacher", "data.val_fracton=0.1", "val_fraction"),
    ("teacher", "optim.lrr=1", "lr"), ("teacher", "optim.weight_decy=0.1", "weight_decay"),
    ("teacher", "optim.shedule=cosine", "schedule"), ("teacher", "optim.warm_up=0.1", "warmup"),
    ("teacher", "optim.momentun=0.9", "momentum"), ("teacher", "trainer.epoch=3", "epochs"),
    ("teacher", "trainer.precison=32", "precision"), ("teacher", "trainer.device=1", "devices"),
    ("teacher", "trainer.validate_evry=1", "validate_every"), ("teacher", "trainer.thread=1", "threads"),
    ("teacher", "log.wandbb=offline", "wandb"), ("teacher", "log.evry=3", "every"),
    ("teacher", "model.archh=efld", "arch"), ("teacher", "loss.nam=star", "name"),
    ("teacher", "sed=3", "seed"), ("teacher", "resum=true", "resume"), ("student", "kd.knd=map", "kind"),
    ("student", "kd.wieght=1", "weight"), ("student", "teachr=a.ckpt", "teacher"),
    ("student", "kd.decy=linear", "decay"), ("evaluate", "boxs=gt", "boxes"),
    ("predict", "detectr=blazeface", "detector"),
    ("bench", "round=3", "rounds"), ("export", "shceme=five", "scheme"),
)  # fmt: skip
# Command, key, value of a wrong type or outside of the valid ones.
VALUES = (
    ("teacher", "optim.lr", "fast"), ("teacher", "optim.lr", "-1"), ("teacher", "optim.lr", "inf"),
    ("teacher", "optim.ema", "1.5"), ("teacher", "optim.name", "adamm"), ("teacher", "optim.schedule", "cosin"),
    ("teacher", "trainer.epochs", "ten"), ("teacher", "trainer.epochs", "0"), ("teacher", "trainer.precision", "8"),
    ("teacher", "trainer.nonfinite", "skp"), ("teacher", "data.batch_size", "0"), ("teacher", "data.batch_size", "4.5"),
    ("teacher", "data.unfit_faces", "drop"), ("teacher", "log.wandb", "on"), ("teacher", "log.every", "0"),
    ("teacher", "seed", "one"), ("teacher", "accept_data", "true"), ("student", "kd.decay", "expo"),
)  # fmt: skip


def refuse(words: list[str]) -> str:
    """Run a command line that cannot work; return its error output, marked where torch was imported for it."""
    output = io.StringIO()
    with contextlib.redirect_stderr(output), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = distill(words)
        except SystemExit as error:
            status = int(error.code or 0)
    loaded = "torch was imported: " if "torch" in sys.modules else ""
    return f"{status} {loaded}{output.getvalue().strip()}"


def judge(output: str, named: tuple[str, ...]) -> str:
    """Return `right`, or what is wrong with an output."""
    status, _, text = output.partition(" ")
    if status != "2":
        return f"exit status {status}"
    if text.startswith("torch was imported"):
        return "torch was imported"
    if "\n" in text:
        return "more than one line"
    missing = [name for name in named if name not in text]
    return f"does not name {missing[0]}" if missing else "right"


def try_mistakes() -> list[dict[str, str]]:
    """Return every mistake with its output."""
    mistakes = [
        (command, [f"--{word}"], (word.partition("=")[0].rpartition(".")[2], meant)) for command, word, meant in NAMES
    ] + [(command, [f"--{key}", value], (key,)) for command, key, value in VALUES]
    found = []
    # Imports what reading options needs, once for all copies of this process.
    for command in ("teacher", "student", "evaluate", "predict", "bench", "export"):
        refuse([command, "--no_such_option=1"])
    with tempfile.TemporaryDirectory() as folder:
        for command, words, named in mistakes:
            given = {"student": ["--teacher", "a.ckpt"], "evaluate": ["m.ckpt"], "predict": ["a.jpg"],
                     "bench": ["m.tflite"], "export": ["m.ckpt"]}.get(command, [])  # fmt: skip
            if command in ("teacher", "student"):
                given += ["--runs", folder]
            outcome = run_forked(partial(refuse, [command, *given, *words]), _LIMIT_S)
            verdict = judge(outcome.text, named) if outcome.kind == "ran" else outcome.kind
            shown = outcome.text.replace(folder, "RUNS")[:300]
            found.append({"command": " ".join([command, *words]), "verdict": verdict, "answer": shown})
    return found


def main() -> int:
    """Try all mistakes."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args()
    found = try_mistakes()
    right = sum(item["verdict"] == "right" for item in found)
    write_result(options.out, {"mistakes": len(found), "right": right, "passed": right == len(found), "found": found})
    for item in found:
        if item["verdict"] != "right":
            print(item)
    print(f"{right} of {len(found)} mistakes are refused before torch is imported, with key and nearest name")
    return 0 if right == len(found) else 1


def table(result: dict[str, Any]) -> str:
    """Return the count of a result as a sentence."""
    return (
        f"{result['right']} of {result['mistakes']} mistakes in options are refused in one line before torch is "
        "imported,\nwith the key and the nearest valid name."
    )


if __name__ == "__main__":
    sys.exit(main())
