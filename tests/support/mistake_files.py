"""Files that lead to the mistakes of `tests.support.mistakes`: photos, data sets, models, recipes and runs."""

import shutil
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from distill.options.parser import options_of, parse
from distill.training.config import RunConfig
from tests.support.checkpoints import write_resumable
from tests.support.tiny_models import write_tiny_tflite

ROOT = Path(__file__).parents[2]
OPTIONS = "--runs runs --data.format csv --data.root faces --data.scheme faces/scheme.yaml"

_SCHEME = """name: mine
title: eye centres, mouth corners and chin, image left first
n_points: 5
flip: [[0, 1], [2, 3]]
groups: {eyes: 0-1, mouth: 2-3, chin: [4]}
edges: [{name: mouth, points: 2-3, closed: false}]
pupil: [[0], [1]]
"""
_SHAPE = np.array([[40, 45], [80, 45], [46, 84], [74, 84], [60, 110]])
# A batch of the recipes, the held-out faces and some more.
COUNT = 24
_HEADER = "image," + ",".join(f"x{k},y{k}" for k in range(5))


def _row(photo: str, points: np.ndarray = _SHAPE) -> str:
    return ",".join([photo, *map(str, points.ravel().tolist())])


def _write_csv(folder: Path, rows: list[str], name: str = "faces", header: str = _HEADER) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "scheme.yaml").write_text(_SCHEME)
    (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    for index in range(COUNT):
        colours = np.random.default_rng(index).integers(0, 256, (15, 15, 3), np.uint8)
        Image.fromarray(colours).resize((120, 120)).save(folder / f"{index}.jpg")


def make_own_faces(folder: Path, counts: dict[str, int]) -> None:
    """Write a CSV for each subset, with a number of faces of five own points, each in a photo of its own."""
    photos = iter(range(COUNT))
    for name, count in counts.items():
        _write_csv(folder, [_row(f"{next(photos)}.jpg") for _ in range(count)], name)


def make_files(folder: Path) -> None:
    """Write the photos, data sets, models, recipes and runs that the commands of `MISTAKES` name."""
    rows = [_row(f"{index}.jpg") for index in range(COUNT)]
    _write_csv(folder / "faces", rows)
    _write_csv(folder / "split", rows[:-4], "train")
    _write_csv(folder / "split", rows[-4:], "test")
    _write_csv(folder / "lost", [*rows, _row("img_0042.jpg")])
    _write_csv(folder / "empty", [])
    _write_csv(folder / "short", [*rows[:3], rows[3].rpartition(",")[0]])
    _write_csv(folder / "resized", [_row("0.jpg", 4 * _SHAPE), *rows[1:]])
    _write_csv(folder / "twice", [*rows, rows[0]])
    _write_csv(folder / "shares", [_row(f"{index}.jpg", _SHAPE / 120) for index in range(COUNT)])
    _write_csv(folder / "more", [f"{row},1,2" for row in rows], header=f"{_HEADER},x5,y5")
    _write_csv(folder / "wrong", rows)
    (folder / "wrong" / "scheme.yaml").write_text(_SCHEME.replace("n_points: 5", "n_points: 6"))
    _write_models(folder)
    _write_photos(folder)
    (folder / "broken.yaml").write_text("optim: {lr: 0.001\n")
    (folder / "utf16.yaml").write_bytes("optim: {lr: 0.001}\n".encode("utf-16"))
    rules = (ROOT / "configs" / "contest" / "icme2024_pair.yaml").read_text()
    (folder / "rules.yaml").write_text(rules.replace("decimals: 3", "decimal: 3"))
    _write_runs(folder)


def _write_models(folder: Path) -> None:
    write_tiny_tflite(folder / "student.tflite")
    write_tiny_tflite(folder / "five.tflite", "five", 5)
    whole = (folder / "student.tflite").read_bytes()
    (folder / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    shutil.copy(folder / "student.json", folder / "cut.json")
    (folder / "alone.tflite").write_bytes(whole)
    (folder / "page.ckpt").write_text("<!DOCTYPE html><html>404: not found</html>")


def _write_photos(folder: Path) -> None:
    shutil.copy(folder / "faces" / "0.jpg", folder / "photo.jpg")
    shutil.copy(folder / "faces" / "0.jpg", folder / "notes.png")
    (folder / "cut.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:600])
    (folder / "notes.txt").write_text("eye, eye, mouth\n")
    (folder / "photos").mkdir()
    (folder / "empty.jpg").write_bytes(b"")


def _write_runs(folder: Path) -> None:
    from distill.training.loggers.csv import plain_config

    for name in ("teacher", "other", "locked"):
        (folder / "runs" / name).mkdir(parents=True)
    run = folder / "runs" / "other"
    write_resumable(run / "last.ckpt")
    base = str(ROOT / "configs/base/teacher.yaml")
    (folder / "one_stage.yaml").write_text(f"bases: [{base}]\n")
    words = ["--config", base, *OPTIONS.split(), "--name", "other", "--optim.lr", "0.002"]
    config = RunConfig(**parse(options_of("teacher", "", RunConfig), words))
    (run / "config.yaml").write_text(yaml.safe_dump(plain_config(config)).replace("faces/scheme.yaml", "mine"))
    write_resumable(folder / "runs" / "teacher" / "last.ckpt")
    (folder / "runs" / "teacher" / "config.yaml").write_text("name: teacher\n")
