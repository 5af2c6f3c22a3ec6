"""Trainings killed with -9, at random steps and during saves, and resumed: `python -m scripts.fuzz.kills`.

Teacher and student of 64 px on generated faces and a detector on drawn photos, with 0 and 2 data workers. Every killed
training must end with the recorded numbers (as hex) and the checkpoint files (SHA-256) of one that nobody killed. Then
trainings are killed while `last.ckpt` is being written, half of them with the temporary folder on another file system:
the file must load after every kill, and no temporary file may be left when the training has ended. Writes
results/checks/kills.json and exits with 1 when one of that fails. Takes about ten minutes on two idle cores, on Linux.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import yaml

from distill.data import build
from distill.data.synthetic import write_faces
from distill.files import sha256
from distill.provenance import write_result
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import read_rows
from tests.support.detector_runs import small_detector, write_detector_photos
from tests.support.training_process import train

RESULT = "results/checks/kills.json"
WORKERS = (0, 2)
EPOCHS = 6
DATA = {
    "format": "manifest", "root": "faces", "subset": "train", "val_subset": "val", "scheme": "inner51",
    "crop": {"size": 64, "scale": 1.3, "shift_y": 0.0}, "batch_size": 4,
}  # fmt: skip
TRAINER = {"epochs": EPOCHS, "validate_every": 2, "checkpoint_every": 2, "threads": 1, "accelerator": "cpu"}
BACKBONE = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "drop_path_rate": 0.2}
TEACHER = {"image_size": 64, "width": 16, "neck": "pyramid", "feature_noise": 0.1, "backbone_args": BACKBONE}
RUN: dict[str, Any] = {"runs": "runs", "data": DATA, "trainer": TRAINER, "log": {"wandb": "disabled", "every": 1}}
KINDS: dict[str, dict[str, Any]] = {
    "teacher": {"model": {"arch": "swin_v2", "options": TEACHER}},
    "student": {
        "model": {"arch": "mobilevit_v2_050", "options": {"width": 16}},
        "teacher": "runs/teacher_whole/best.ckpt",
        "kd": {"kind": "mse", "weight": 100.0},
    },
    "detector": plain_config(small_detector(Path("photos"), EPOCHS)) | {"runs": "runs"},
}


@dataclass(frozen=True)
class Server:
    """Processes that start in milliseconds, because the libraries are imported already.

    Attributes:
        temporary: their folder for temporary files.
    """

    context: ForkServerContext
    temporary: str = tempfile.gettempdir()

    def start(self, argv: list[str]) -> BaseProcess:
        process = self.context.Process(target=train_in, args=(self.temporary, argv))
        process.start()
        return process


def train_in(temporary: str, argv: list[str]) -> None:
    """Run a command line with a folder for temporary files; nothing is learnt about the boxes of a detector."""
    os.environ["TMPDIR"] = tempfile.tempdir = temporary
    setattr(build, "FaceDetector", lambda: lambda photo: [])  # noqa: B010 - half a second of every start
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    train(argv)


def start(server: Server, kind: str, name: str, **changes: Any) -> BaseProcess:
    """Start or resume a training in the current folder."""
    config = {**RUN, **KINDS[kind], **changes, "name": name}
    Path(f"{name}.yaml").write_text(yaml.safe_dump(config))
    resume = ["--resume"] if Path("runs", name, "last.ckpt").exists() else []
    return server.start([kind, "--config", f"{name}.yaml", *resume])


def finish(server: Server, kind: str, name: str, **changes: Any) -> dict[str, str]:
    """Run a training to its end; return every number as hex and the hash of its weights.

    Raises:
        SystemExit: it fails.
    """
    process = start(server, kind, name, **changes)
    process.join()
    if process.exitcode:
        raise SystemExit(f"{name} ended with {process.exitcode}")
    folder = Path("runs", name)
    rows = read_rows(folder / "metrics.csv")
    found = {f"{metric}@{step}": value.hex() for step, metric, value in rows}
    if len(found) != len(rows):
        raise SystemExit(f"{name}: a number is recorded twice")
    for file in ("last", "best"):
        saved = torch.load(folder / f"{file}.ckpt", weights_only=True)
        parts = (saved["state_dict"], saved["current_model_state"])
        tensors = [(name, value.numpy().tobytes()) for part in parts for name, value in sorted(part.items())]
        found[f"{file} weights"] = hashlib.sha256(b"".join(name.encode() + data for name, data in tensors)).hexdigest()
        found[f"{file} file"] = sha256(folder / f"{file}.ckpt")
    return found


def last_step(name: str) -> int:
    path = Path("runs", name, "metrics.csv")
    return max((step for step, _, _ in read_rows(path)), default=0) if path.is_file() else 0


def kill(process: BaseProcess) -> bool:
    """Kill a process with all that it has; return whether it was still running."""
    running = process.is_alive()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return running


@dataclass
class Tally:
    """What became of the killed trainings of one kind.

    Attributes:
        files_equal: checkpoints whose whole file is that of the training nobody killed.
    """

    kills: int = 0
    numbers: int = 0
    numbers_different: int = 0
    weights_different: int = 0
    files_equal: int = 0
    files: int = 0
    unreadable: int = 0
    leftovers: list[str] = field(default_factory=list)

    def compare(self, expected: dict[str, str], found: dict[str, str], name: str) -> None:
        numbers = [key for key in expected if "@" in key]
        self.numbers += len(numbers)
        self.numbers_different += sum(found.get(key) != expected[key] for key in numbers)
        self.numbers_different += len([key for key in found if key not in expected])
        self.weights_different += sum(found[key] != expected[key] for key in expected if key.endswith("weights"))
        files = [key for key in expected if key.endswith(" file")]
        self.files += len(files)
        self.files_equal += sum(found[key] == expected[key] for key in files)
        self.leftovers += [str(path) for path in Path("runs", name).glob(".*")]

    @property
    def failed(self) -> bool:
        different = self.numbers_different or self.weights_different or self.files_equal < self.files
        return bool(different or self.unreadable or self.leftovers)


def kills_at_steps(
    server: Server, kind: str, workers: int, kills: int, expected: dict[str, str], rng: random.Random
) -> Tally:
    """Kill a training a moment after random steps, resume it, and compare it with `expected`."""
    tally, name = Tally(), f"{kind}_{workers}_steps"
    data = KINDS[kind].get("data", {**DATA, "cache": False})
    changes = {"data": {**data, "workers": workers}}
    steps = max(int(key.partition("@")[2]) for key in expected if "@" in key)
    for step in sorted(rng.choices(range(1, steps), k=kills)):
        process = start(server, kind, name, **changes)
        while last_step(name) < step and process.is_alive():
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        tally.kills += kill(process)
    tally.compare(expected, finish(server, kind, name, **changes), name)
    return tally


def kills_during_saves(
    server: Server, kind: str, suffix: str, kills: int, expected: dict[str, str], rng: random.Random
) -> Tally:
    """Kill a training while a checkpoint is being written, again and again; then let it end."""
    tally, name = Tally(), f"{kind}_saves_{suffix}"
    folder = Path("runs", name)
    while tally.kills < kills:
        process = start(server, kind, name)
        while process.is_alive() and not list(folder.glob(".last.*.ckpt")):
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.004))
        during = list(folder.glob(".last.*.ckpt"))
        if not kill(process):  # the training has ended: begin another one
            shutil.rmtree(folder)
        elif during:
            tally.kills += 1
            tally.unreadable += not readable(folder / "last.ckpt")
    tally.compare(expected, finish(server, kind, name), name)
    return tally


def readable(path: Path) -> bool:
    """Whether a checkpoint loads; one that was never saved counts as such."""
    try:
        return not path.is_file() or "state_dict" in torch.load(path, weights_only=True)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file
        return False


def run(kills: int, saves: int, seed: int) -> dict[str, Any]:
    """Run everything in the current folder; return the result."""
    rng, began = random.Random(seed), time.monotonic()
    write_faces(Path("faces"), 24, seed=seed, size=96, subsets={"train": 0.75, "val": 0.25})
    write_detector_photos(Path("photos"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["distill.training.fit", "distill.training.detector_fit", "distill.cli.student", "albumentations"]
    )
    server = Server(context)
    expected = {kind: finish(server, kind, f"{kind}_whole") for kind in KINDS}
    cases = [(kind, workers) for kind in KINDS for workers in WORKERS]
    steps = {}
    for index, (kind, workers) in enumerate(cases):
        share = kills // len(cases) + (index < kills % len(cases))
        tally = kills_at_steps(server, kind, workers, share, expected[kind], rng)
        print(kind, workers, tally, flush=True)
        steps[f"{kind}, {workers} workers"] = tally
    during = {}
    for index, (where, folder) in enumerate((("same file system", "."), ("other file system", "/dev/shm"))):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            elsewhere = replace(server, temporary=str(Path(temporary).resolve()))
            share = saves // 2 + (index < saves % 2)
            tally = kills_during_saves(elsewhere, "teacher", where.split()[0], share, expected["teacher"], rng)
        print(where, tally, flush=True)
        during[where] = tally
    return result(steps, during, time.monotonic() - began)


def result(steps: dict[str, Tally], during: dict[str, Tally], seconds: float) -> dict[str, Any]:
    """Return the content of the result file."""
    return {
        "protocol": "64 px networks on 24 generated faces, a detector on 10 drawn photos; numbers compared as hex, "
        "weights and files by SHA-256",
        "kills_at_steps": sum(tally.kills for tally in steps.values()),
        "kills_during_saves": sum(tally.kills for tally in during.values()),
        "failed": any(tally.failed for tally in (*steps.values(), *during.values())),
        "at_steps": {name: asdict(tally) for name, tally in steps.items()},
        "during_saves": {name: asdict(tally) for name, tally in during.items()},
        "seconds": round(seconds, 1),
    }


def block(content: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    lines = [
        "| killed | kills | numbers, different | weights different | files equal | unreadable | left over |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, part in (("at random steps: ", "at_steps"), ("during a save, temporary folder on the ", "during_saves")):
        for name, tally in content[part].items():
            numbers = f"{tally['numbers']}, {tally['numbers_different']}"
            files = f"{tally['files_equal']} of {tally['files']}"
            counts = (tally["weights_different"], files, tally["unreadable"], len(tally["leftovers"]))
            lines.append(f"| {title}{name} | {tally['kills']} | {numbers} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--saves", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path(RESULT))
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))}
    with tempfile.TemporaryDirectory(prefix="distill-kills-") as folder, chdir(folder):
        content = run(options.kills, options.saves, options.seed)
    write_result(options.json, content)
    return 1 if content["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
