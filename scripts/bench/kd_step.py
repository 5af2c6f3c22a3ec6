"""Steps per second of distillation: naive, with a frozen teacher, and with cached outputs.

    python -m scripts.bench.kd_step [--rounds 8] [--json results/bench/kd_step.json]
        [--teacher runs/teacher/best.ckpt --student runs/student/best.ckpt --root ../shared/data/300W]

A step is the whole of it: student, supervised loss, teacher, distillation, backward, clipping, optimiser. What
differs is the teacher: *naive* tracks its gradients, as the authors' code does; *frozen* is this package without a
cache; *maps* and *window* read cached maps from disk, *landmarks* is coordinate distillation from landmarks cached
per face. *network* is the student's forward and backward pass alone. All forms run in alternation in one process of
one thread. Times are processor times, which other programs on the machine affect little; a speed-up is the median over
the rounds of the naive step's time over that of the same round. Weights and faces are random: they do not matter here.
With --teacher and --root it also measures the error of the cache's encodings, on real crops. Exit status 1 when the
frozen teacher is less than twice as fast as the naive one on the authors' pair.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from distill.data.augment import AugmentConfig
from distill.data.dataset import FaceDataset, FaceSample
from distill.data.readers import parse_subsets, read_faces
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.losses.config import KDConfig
from distill.losses.distillation import per_landmark
from distill.losses.supervised import make_loss
from distill.metrics.landmarks import LandmarkMetrics
from distill.models import Prediction, create_model
from distill.models.checkpoint import load_model
from distill.models.heatmaps import soft_argmax
from distill.options.parser import options_of, parse
from distill.provenance import write_result
from distill.spec import ModelSpec
from distill.training.build import with_input_size
from distill.training.config import StudentConfig
from distill.training.distillation_task import StudentTask
from distill.training.tasks import as_floats
from distill.training.teacher import FrozenTeacher
from distill.training.teacher_cache.cached_teacher import CachedTeacher
from distill.training.teacher_cache.codec import MapCodec
from distill.training.teacher_cache.factory import WINDOW
from distill.training.teacher_cache.record_store import RecordStore

CONFIGS = Path(__file__).parents[2] / "configs"
# Name, teacher's and student's configuration, faces per step, share of the rounds.
PAIRS = (("128 px", "teacher", "student", 16, 1.0), ("authors, 256 px", "teacher_256", "student_256", 2, 0.5))
WANTED = 2.0
BARE = "network"
TITLES = {
    "authors, 256 px": "published: SwinV2-B → MobileViT-v2-0.5, 256 px",
    "128 px": "`configs/teacher.yaml` → `configs/student.yaml`, 128 px",
}
OUT = "results/bench/kd_step.json"


class NaiveTeacher(FrozenTeacher):
    """Teacher whose gradients are tracked: backward runs through the teacher too."""

    def __init__(self, net: nn.Module, spec: ModelSpec):
        super().__init__([net], [spec])
        net.requires_grad_(True)

    def __call__(self, images: torch.Tensor) -> Prediction:
        return self.net(images)


class StoredLandmarks(FrozenTeacher):
    """Landmarks that are computed already."""

    def outputs(self, images: torch.Tensor, batch: FaceSample) -> Prediction:
        return Prediction(batch["landmarks"])


def read_config(name: str) -> StudentConfig:
    argv = ["--config", str(CONFIGS / f"{name}.yaml")]
    if name.startswith("teacher"):
        argv += ["--kd.kind", "none"]
    return with_input_size(StudentConfig(**parse(options_of("student", "", StudentConfig), argv)))


def make_net(config: StudentConfig) -> tuple[nn.Module, ModelSpec]:
    options = {name: value for name, value in config.model.options.items() if name != "pretrained"}
    scheme = config.data.scheme
    torch.manual_seed(0)
    net = create_model(config.model.arch, scheme, **options)
    # Its faces are random numbers: no crop extent can be fitted to them, and none is needed.
    spec = ModelSpec(
        config.model.arch, scheme, load_scheme(scheme).n_points, CropSpec(config.data.crop.size or 0), options
    )
    return net, spec


def make_batch(faces: int, size: int, points: int) -> FaceSample:
    torch.manual_seed(1)
    known = torch.ones(faces, points, dtype=torch.bool)
    return {
        "image": torch.randint(0, 256, (faces, 3, size, size), dtype=torch.uint8),
        "landmarks": torch.rand(faces, points, 2) * 0.8 + 0.1,
        "visible": known,
        "known": known,
        "box_size": torch.full((faces, 2), 0.8),
        "to_photo": torch.eye(2, 3).expand(faces, 2, 3),
        "index": torch.arange(faces),
        "round": torch.zeros(faces, dtype=torch.int64),
    }


@cache
def trainer() -> pl.Trainer:
    """Return what tasks ask for the precision; they refer to it weakly."""
    return pl.Trainer(accelerator="cpu", barebones=True)


def make_steps(pair: tuple[Any, ...], folder: Path) -> dict[str, Any]:
    """Return a function per form that takes one training step; each has a student of its own."""
    _, teacher_name, student_name, faces, _ = pair
    of_teacher, config = read_config(teacher_name), read_config(student_name)
    teacher, spec = make_net(of_teacher)
    blank = FrozenTeacher([teacher], [spec]).blank(spec.crop.size)
    if blank.heatmaps is None:
        raise ValueError("the teacher has no maps")
    k, height, width = blank.heatmaps.shape[1:]
    batch = make_batch(faces, spec.crop.size, k)
    forms: dict[str, Any] = {"naive": NaiveTeacher(make_net(of_teacher)[0], spec)}
    forms["frozen"] = FrozenTeacher([teacher], [spec])
    for form, window in (("maps", 0), ("window", WINDOW)):
        codec = MapCodec(k, height, width, window)
        store = RecordStore(folder / teacher_name / form, faces, codec.size, 10**9)
        forms[form] = CachedTeacher(forms["frozen"], store, {}, codec)
    forms["landmarks"] = StoredLandmarks([teacher], [spec])
    steps = {form: one_step(config, source, batch, form) for form, source in forms.items()}
    return {**steps, BARE: network_alone(config, batch)}


def network_alone(config: StudentConfig, batch: FaceSample) -> Any:
    """Return a function that computes the network and its gradients, without loss, teacher and optimiser."""
    net = make_net(config)[0].to(memory_format=torch.channels_last).train()
    images = as_floats(batch["image"])

    def step() -> float:
        start = time.process_time()
        net.zero_grad()
        prediction = net(images)
        torch.stack([prediction.part(name).square().mean() for name in prediction.parts]).sum().backward()
        return time.process_time() - start

    return step


def one_step(config: StudentConfig, teacher: Any, batch: FaceSample, form: str) -> Any:
    net, spec = make_net(config)
    scheme = load_scheme(spec.scheme)
    kd = KDConfig("coordinate", 1.0) if form == "landmarks" else KDConfig("mse", 100.0)
    task = StudentTask(
        net, make_loss("maps", scheme), LandmarkMetrics(scheme), config.optim, 100, spec, teacher=teacher, kd=kd
    )
    task.trainer = trainer()
    optimiser = task.configure_optimizers()["optimizer"]

    def step() -> float:
        start = time.process_time()
        optimiser.zero_grad()
        task.losses(batch)["loss"].backward()
        task.configure_gradient_clipping(optimiser)
        optimiser.step()
        return time.process_time() - start

    return step


def measure(pair: tuple[Any, ...], rounds: int) -> dict[str, Any]:
    """Return seconds, steps per second and speed-up of every form."""
    with tempfile.TemporaryDirectory() as folder:
        steps = make_steps(pair, Path(folder))
        seconds: dict[str, list[float]] = {form: [] for form in steps}
        for round_number in range(max(3, round(rounds * pair[4])) + 1):
            for form, step in steps.items():
                taken = step()
                if round_number:  # the first round fills caches and allocators
                    seconds[form].append(taken)
    rows = {}
    for form, times in seconds.items():
        ratios = [naive / own for naive, own in zip(seconds["naive"], times, strict=True)]
        middle = statistics.median(times)
        rows[form] = {
            "seconds": middle,
            "steps_per_second": 1 / middle,
            "speed_up": statistics.median(ratios),
            "speed_up_range": [min(ratios), max(ratios)],
        }
        print(f"  {form:10} {middle:8.3f} s  x {rows[form]['speed_up']:.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")
    return {"faces_per_step": pair[3], "rounds": len(seconds["naive"]), **rows}


@torch.no_grad()
def measure_codec(options: argparse.Namespace) -> dict[str, Any]:
    """Return the error of the codecs for the outputs of a trained teacher on augmented real crops."""
    teacher = FrozenTeacher.load([options.teacher])
    student, _ = load_model(options.student)
    faces = read_faces("300w", options.root, parse_subsets(options.subset), teacher.spec.scheme)[: options.faces]
    data = FaceDataset(faces, teacher.spec.crop, teacher.spec.scheme, AugmentConfig())
    images = next(iter(DataLoader(data, batch_size=len(data))))["image"].float() / 255
    taught, small = teacher(images), student(images)
    maps = taught.part("heatmaps")
    result: dict[str, Any] = {"faces": len(faces), "map": list(maps.shape[-2:])}
    for form, window in (("maps", 0), ("window", WINDOW)):
        codec = MapCodec(maps.shape[1], maps.shape[2], maps.shape[3], window)
        kept = codec.decode(codec.encode(taught))
        found, cells = kept.part("heatmaps"), codec.cells(codec.corners(maps))
        cut = torch.zeros_like(found).flatten(-2).scatter(-1, cells, found.flatten(-2).gather(-1, cells)).view_as(found)
        moved, moved_cut = (
            (soft_argmax(other) - soft_argmax(maps)).norm(dim=-1) * images.shape[-1] for other in (found, cut)
        )
        result[form] = {
            "bytes_per_face": codec.size,
            "smaller": maps[0].numel() * 4 / codec.size,
            "centre_of_mass_px": {"mean": float(moved.mean()), "p99": float(moved.flatten().quantile(0.99))},
            "cut_off_at_the_window_px": {"mean": float(moved_cut.mean())},
            "landmarks_equal": bool(torch.equal(kept.landmarks, taught.landmarks)),
            "loss_change_percent": {
                name: 100
                * float(per_landmark(name, small, kept, {}).mean() / per_landmark(name, small, taught, {}).mean())
                - 100
                for name in ("mse", "l2", "kl", "covariance")
            },
        }
        print(f"  {form}: {result[form]}")
    return result


def speed_table(result: Mapping[str, Any]) -> str:
    """Return the speed-up of every form over the naive step as a Markdown table."""
    lines = [
        "| pair | naive | frozen teacher | `maps` | `window` | `landmarks` | `landmarks` over the network alone |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, title in TITLES.items():
        row = result[name]
        ups = " | ".join(f"×{row[form]['speed_up']:.1f}" for form in ("frozen", "maps", "window", "landmarks"))
        over = row["landmarks"]["seconds"] / row[BARE]["seconds"]
        lines.append(f"| {title} | {row['naive']['steps_per_second']:.2f} steps/s | {ups} | ×{over:.2f} |")
    return "\n".join(lines)


def codec_table(result: Mapping[str, Any]) -> str:
    """Return what the compact forms of cached maps lose as a Markdown table."""
    height, width = result["compact"]["map"]
    losses = ("mse", "kl", "covariance")
    lines = [
        f"| form, {height} × {width} maps of 51 points | bytes a face | smaller by "
        f"| error of the centre of mass, 128 px (mean, 99 %) | change of {', '.join(f'`{name}`' for name in losses)} |",
        "|---|---:|---:|---:|---:|",
    ]
    for form in ("maps", "window"):
        row = result["compact"][form]
        moved = row["centre_of_mass_px"]
        changes = ", ".join(f"{row['loss_change_percent'][name]:+.2f} %" for name in losses)
        error = f"{moved['mean']:.4f} px, {moved['p99']:.4f} px"
        lines.append(f"| `{form}` | {row['bytes_per_face']:,} | {row['smaller']:.1f} | {error} | {changes} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--student", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--subset", default="helen/testset")
    parser.add_argument("--faces", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {"protocol": "process time of one thread, float32, forms take turns in one run"}
    for pair in PAIRS:
        print(f"{pair[0]}: {pair[3]} faces a step")
        result[pair[0]] = measure(pair, options.rounds)
    if options.teacher:
        print("encodings of the cache on real crops")
        result["compact"] = measure_codec(options)
    if options.json:
        write_result(options.json, result)
    return 0 if result[PAIRS[-1][0]]["frozen"]["speed_up"] >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
