"""Teachers and students at full size in limited time on one GPU: `python -m scripts.studies.full_size PACK --out DIR`.

PACK is a file of `distill data pack`. The teachers are trained first, then the students, each under the annotations and
the landmarks that all networks before it (and those of `--released`) predict for the faces of the pack, unlabelled ones
too. Landmarks are predicted once, as the mean over several crops. Crops are augmented on the device. The schedules
follow the clock: the rates have come down when the time is over. Every minute, and when SIGINT or SIGTERM comes, the
state is saved; the same command continues.
Writes the weights of each stage (`teacher.safetensors`, `student.safetensors`; `teacher_2` and so on where several are
given) in half precision, in parts of 15 MB where they are larger, and `full_size.json` with images per second, the
share of the device's peak, the time of every part and the error curves.

    distill data pack faces.safetensors --data.preset 300w --data.scheme ibug68
    python -m scripts.studies.full_size faces.safetensors --out runs/full_size --minutes 10
    python -m scripts.studies.full_size --tiny --out runs/tiny        # the whole course on a CPU, generated faces
"""

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from distill.data.multi_dataset import relabelled
from distill.data.pack import ROLES, PackedFaces, read_pack, write_pack
from distill.data.prepare import StoreSpec
from distill.data.readers import read_faces
from distill.data.synthetic import write_faces
from distill.errors import DistillError
from distill.files import sha256
from distill.geometry import CropSpec
from distill.landmarks import load_scheme, own_definitions
from distill.models.annotation_shift import set_annotation_shift, takes_annotation_shift
from distill.models.checkpoint import load_model
from distill.options.parser import options_of, parse
from distill.provenance import write_result
from distill.spec import ModelSpec
from distill.system.locks import folder_lock
from distill.training.annotation_shift import unlearnt_shift
from distill.training.build import make_net, make_run_loss, with_input_size
from distill.training.config import RunConfig, StudentConfig
from distill.training.interrupt import StopRequest, TrainingInterrupted, stop_on_signal
from distill.training.teacher import FrozenTeacher
from scripts.studies.gpu.faces import DeviceFaces
from scripts.studies.gpu.output import save_half, share_of_peak
from scripts.studies.gpu.stage import Stage, StageRun, seconds_of_parts
from scripts.studies.gpu.targets import predicted_landmarks

TEACHER = (
    "teacher_256 --model.options.backbone swinv2_tiny_window16_256 --model.options.neck pyramid "
    "--model.options.pretrained false --optim.lr 5e-4 --optim.head_lr 1e-3 --optim.ema 0.999"
)
STUDENT = "student_68_128 --model.init checkpoints/student_68_128.safetensors"
TINY_TEACHER = (
    "configs/base/teacher.yaml --data.crop.size 64 --model.options "
    '\'{"width": 16, "backbone_args": {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}}\''
)
TINY_STUDENT = "student --data.crop.size 64 --model.options.width 16"
STORED = 320


def run_config(words: str, packed: PackedFaces) -> RunConfig:
    """Return the configuration of a recipe with further options, for the faces of a pack."""
    recipe, *options = shlex.split(words)
    crop = packed.crop
    fixed = ["--data.scheme", packed.scheme, "--data.crop.scale", str(crop.scale), "--data.crop.shift_y"]
    # Of a student's recipe the distillation is left out: that of this study is always to the teacher's landmarks.
    argv = ["--config", recipe, "--kd.kind", "none", *options, *fixed, str(crop.shift_y)]
    config = with_input_size(StudentConfig(**parse(options_of("student", "", StudentConfig), argv)))
    return replace(config, data=replace(config.data, sets=[], balance=[]))


def prepare_stage(
    name: str, words: str, packed: PackedFaces, minutes: float, batch_size: int | None, unlabelled: float, compile: bool
) -> tuple[Stage, torch.nn.Module, torch.nn.Module]:
    """Return a stage, its network with its first weights and its supervised loss."""
    config = run_config(words, packed)
    net = make_net(config)
    scheme = load_scheme(packed.scheme)
    spec = ModelSpec(
        config.model.arch, packed.scheme, scheme.n_points, config.data.crop.spec(), dict(config.model.options),
        definitions=own_definitions([packed.scheme]), trained_on=packed.origin["trained_on"],
    )  # fmt: skip
    stage = Stage(
        name, spec, minutes, batch_size or config.data.batch_size, config.optim, config.data.augment,
        unlabelled=unlabelled, compile=compile,
    )  # fmt: skip
    return stage, net, make_run_loss(config, net)


@dataclass
class Course:
    """What the stages share: the faces, the networks that teach, and where results go."""

    faces: DeviceFaces
    packed: PackedFaces
    folder: Path
    views: int
    stop: StopRequest
    networks: list[tuple[torch.nn.Module, ModelSpec]]
    predicted: int = 0  # how many of the networks the present targets are from

    def train(self, prepared: tuple[Stage, torch.nn.Module, torch.nn.Module]) -> tuple[torch.nn.Module, dict[str, Any]]:
        """Train a stage, write its weights and return the averaged network and what was measured.

        Raises:
            TrainingInterrupted: SIGINT or SIGTERM; the last step is saved.
        """
        stage, net, loss = prepared
        device = self.faces.device
        roles = {name: torch.from_numpy(self.packed.indices(name)).to(device) for name in ROLES}
        run = StageRun(stage, net, loss.to(device), self.faces, roles, self.packed.scheme, self.folder, self.stop)
        run.resume()
        seconds = 0.0 if run.finished else self._predict_targets()
        parts = seconds_of_parts(run) if run.progress.steps == 0 else {}
        self.stop.defer()
        self.stop.raise_if_requested()
        run.train(lambda line: print(line, flush=True))
        speed = run.progress.steps * stage.batch_size / max(run.progress.seconds, 1e-9)
        before, shift = run.validate(), 0.0
        if stage.augment.flip and takes_annotation_shift(run.average):
            shift = unlearnt_shift(run.residuals(), stage.augment.flip)
            set_annotation_shift(run.average, shift)
        spec = replace(stage.spec, annotation_shift=shift)
        return run.average, {
            "arch": stage.spec.arch, "options": stage.spec.options, "size": stage.spec.crop.size,
            "batch_size": stage.batch_size, "unlabelled": stage.unlabelled, "steps": run.progress.steps,
            "seconds_of_targets": seconds, "seconds": run.progress.seconds, "images_per_second": speed,
            "share_of_peak": share_of_peak(run.average, stage.spec.crop.size, speed, device),
            "seconds_of_parts": parts, "log": run.progress.log, "nme_without_shift": before,
            "annotation_shift": shift, "nme": run.validate(),
            "weights": save_half(self.folder, stage.name, run.average, spec),
        }  # fmt: skip

    def _predict_targets(self) -> float:
        """Predict the landmarks of all faces with the networks there are and return the seconds this took."""
        start = time.perf_counter()
        if len(self.networks) > self.predicted:  # networks are only added
            frozen = FrozenTeacher([net for net, _ in self.networks], [spec for _, spec in self.networks], flip=True)
            frozen.prepare(self.faces.device)
            self.faces.targets = predicted_landmarks(frozen, self.faces, self.views)
            self.predicted = len(self.networks)
        return time.perf_counter() - start


def tiny_pack(folder: Path) -> Path:
    """Write a pack of 60 generated faces."""
    root, path = folder / "faces", folder / "faces.safetensors"
    if not path.is_file():
        write_faces(root, 60, 0, 128)
        faces = read_faces("manifest", root, scheme="ibug68")
        roles = [("val" if i % 6 == 0 else "unlabelled" if i % 6 == 1 else "train", r) for i, r in enumerate(faces)]
        unlabelled = [(role, relabelled([face], "none")[0] if role == "unlabelled" else face) for role, face in roles]
        write_pack(path, unlabelled, CropSpec(128, 1.25, 0.0), StoreSpec(128, 1.9, 85))
    return path


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("pack", type=Path, nargs="?", help="file of `distill data pack`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, all stages together")
    parser.add_argument("--teacher", action="append", help="recipe and options of a teacher; may be repeated")
    parser.add_argument("--student", action="append", help="recipe and options of a student; may be repeated")
    parser.add_argument("--shares", type=float, nargs="+", help="of the time, one a stage; default: 0.6 for teachers")
    parser.add_argument("--released", type=Path, nargs="*", default=[], help="trained networks that teach every stage")
    parser.add_argument("--views", type=int, default=4, help="crops of a face that targets are the mean of")
    parser.add_argument("--teacher_batch", type=int, default=128)
    parser.add_argument("--student_batch", type=int, default=256)
    parser.add_argument("--unlabelled", type=float, default=0.5, help="share of batches, where a network teaches")
    parser.add_argument("--stored", type=int, default=STORED, help="side of the crops in device memory")
    parser.add_argument("--compile", action="store_true", help="torch.compile, which takes about a minute per network")
    parser.add_argument("--tiny", action="store_true", help="small networks and generated faces, on a CPU")
    arguments = parser.parse_args(argv)
    if (arguments.pack is None) != arguments.tiny:
        parser.error("give PACK, or --tiny for generated faces")
    if arguments.tiny and (arguments.teacher or arguments.student or arguments.released):
        parser.error("--tiny has its own networks: leave --teacher, --student and --released out")
    if arguments.tiny:
        arguments.teacher, arguments.student = [TINY_TEACHER], [TINY_STUDENT]
        arguments.teacher_batch = arguments.student_batch = 16
        arguments.stored, arguments.compile, arguments.views = 128, False, 2
    arguments.teacher, arguments.student = arguments.teacher or [TEACHER], arguments.student or [STUDENT]
    counts = len(arguments.teacher), len(arguments.student)
    arguments.shares = arguments.shares or [0.6 / counts[0]] * counts[0] + [0.4 / counts[1]] * counts[1]
    if len(arguments.shares) != sum(counts) or min(arguments.shares) <= 0:
        parser.error(f"--shares has {len(arguments.shares)} numbers: give one above 0 for each of {sum(counts)} stages")
    if arguments.views < 1 or min(arguments.teacher_batch, arguments.student_batch) < 1:
        parser.error("--views and the batches must be at least 1")
    if not 0 < arguments.minutes < math.inf or not 0 <= arguments.unlabelled < 1:
        parser.error("--minutes must be above 0, --unlabelled at least 0 and below 1")
    return arguments


def prepare_stages(
    arguments: argparse.Namespace, packed: PackedFaces
) -> list[tuple[Stage, torch.nn.Module, torch.nn.Module]]:
    """Return all stages, built before anything is trained, so that a mistake in an option costs no time."""
    share = arguments.unlabelled if len(packed.indices("unlabelled")) else 0.0
    stages = [("teacher", words, arguments.teacher_batch) for words in arguments.teacher]
    stages += [("student", words, arguments.student_batch) for words in arguments.student]
    names: list[str] = []
    prepared = []
    for (role, words, batch_size), part in zip(stages, arguments.shares, strict=True):
        before = sum(name.startswith(role) for name in names)
        names.append(f"{role}_{before + 1}" if before else role)
        minutes = arguments.minutes * part / sum(arguments.shares)
        # The first stage has targets for unlabelled faces only where a released network predicts them.
        unlabelled = share if len(names) > len(arguments.teacher) or arguments.released else 0.0
        prepared.append(prepare_stage(names[-1], words, packed, minutes, batch_size, unlabelled, arguments.compile))
    return prepared


def train_all(arguments: argparse.Namespace, stop: StopRequest) -> tuple[dict[str, Any], str]:
    """Train teachers and students and return what was measured, and the hash of the faces."""
    start = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    packed = read_pack(arguments.pack or tiny_pack(arguments.out))
    prepared = prepare_stages(arguments, packed)
    released = [load_model(path) for path in arguments.released]
    faces = DeviceFaces(packed, arguments.stored, device)
    course = Course(faces, packed, arguments.out, arguments.views, stop, list(released))
    ready = time.perf_counter() - start
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "faces": {role: len(packed.indices(role)) for role in ROLES}, "scheme": packed.scheme,
        "released": [sha256(path) for path in arguments.released], "seconds_before_training": ready,
    }  # fmt: skip
    trained: list[tuple[torch.nn.Module, ModelSpec]] = []
    for entry in prepared:
        stage = entry[0]
        if stage.name.startswith("student"):  # teachers do not teach each other, so that their errors differ
            course.networks = [*released, *trained]
        net, result[stage.name] = course.train(entry)
        trained.append((net, stage.spec))
    return result | {"seconds": time.perf_counter() - start}, packed.origin["data_hash"]


def main(argv: Sequence[str] | None = None) -> int:
    """Train teachers and students and write what was measured."""
    arguments = parse_arguments(argv)
    try:
        with stop_on_signal() as stop, folder_lock(arguments.out, "is training in", "--out"):
            result, faces_hash = train_all(arguments, stop)
            write_result(arguments.out / "full_size.json", result, faces_hash)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except TrainingInterrupted as interrupted:
        print(f"stopped by {interrupted.signal}: the same command continues", file=sys.stderr)
        raise
    for name, stage in result.items():
        if isinstance(stage, dict) and "nme" in stage:
            print(
                f"{name}: validation NME {100 * stage['nme']:.2f} %, {stage['images_per_second']:.0f} images/s, "
                f"{', '.join(stage['weights']['files'])}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
