"""Confidence of released networks against their errors: `python -m scripts.studies.confidence DATA`.

Training faces of 300-W, clean, with a covered part, and in displaced boxes; beside them crops of the same photos
without the face, and crops turned by a quarter or half. DATA holds the folder 300W. Writes
results/studies/confidence.json and its table in the documentation.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.data.crops import plain_crop
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.geometry import Box, apply_affine, crop_affine, normalise
from distill.images import Photo, read_image
from distill.inference.confidence import MIN_CONFIDENCE
from distill.inference.torch_backend import TorchBackend, open_checkpoint
from distill.provenance import write_result
from distill.spec import ModelSpec
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TRAIN

OUT = "results/studies/confidence.json"
MODELS = ("student_68_128", "student_128_turned", "teacher_128")
LIMITS = (0.45, 0.5, 0.55, 0.6, 0.65)
# Mean error of a face in sides of the crop, below which its points count as placed, and above which as not.
GOOD, BAD = 0.05, 0.1
FACES = 240
_TRIES = 50

Views = dict[str, list[NDArray[np.float32]]]


def views(records: list[FaceRecord], spec: ModelSpec) -> tuple[Views, dict[str, list[NDArray[np.floating]]]]:
    """Return crops (h, w, 3) by kind, and the annotated points (k, 2) in those that show the face upright."""
    random = np.random.default_rng(0)
    crops: Views = {kind: [] for kind in ("clean", "covered", "displaced", "turned", "no face")}
    truth: dict[str, list[NDArray[np.floating]]] = {kind: [] for kind in ("clean", "covered", "displaced")}
    for record in records:
        photo, box = read_image(record.image), record.boxes["gt"]
        clean, displaced = plain_crop(photo, box, spec), _displaced(box, random)
        for kind, cut in (("clean", box), ("covered", box), ("displaced", displaced)):
            points = apply_affine(crop_affine(cut, spec.crop), record.landmarks)
            truth[kind].append(normalise(points, spec.crop.size, spec.crop.size))
        crops["clean"].append(clean)
        crops["covered"].append(_covered(clean, random))
        crops["displaced"].append(plain_crop(photo, displaced, spec))
        crops["turned"].append(np.rot90(clean, random.integers(1, 4)).copy())
        elsewhere = _beside(photo, box, random)
        if elsewhere is not None:
            crops["no face"].append(plain_crop(photo, elsewhere, spec))
    return crops, truth


def _displaced(box: Box, random: np.random.Generator) -> Box:
    """Move a box by a fifth of its width and scale it by a quarter (standard deviations)."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    x, y = np.array([x, y]) + random.normal(0, 0.2, 2) * box.width
    half = np.array([box.width, box.height]) / 2 * np.exp(random.normal(0, 0.25))
    return Box(*(float(value) for value in (x - half[0], y - half[1], x + half[0], y + half[1])))


def _covered(crop: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Cover 30 to 80 % of the width and 30 to 70 % of the height with a noisy patch of one colour."""
    covered, size = crop.copy(), crop.shape[0]
    height, width = (int(size * random.uniform(0.3, most)) for most in (0.7, 0.8))
    y, x = random.integers(0, size - height), random.integers(0, size - width)
    patch = random.uniform(0, 1, 3) + random.normal(0, 0.05, (height, width, 3))
    covered[y : y + height, x : x + width] = np.clip(patch, 0, 1)
    return covered


def _beside(photo: Photo, face: Box, random: np.random.Generator) -> Box | None:
    """Return a small box that does not touch the face, None where there is no room for it."""
    height, width = photo.shape[:2]
    side = min(height, width) * random.uniform(0.12, 0.3)
    for _ in range(_TRIES):
        x, y = random.uniform(0, width - side), random.uniform(0, height - side)
        if x + side < face.x0 or x > face.x1 or y + side < face.y0 or y > face.y1:
            return Box(x, y, x + side, y + side)
    return None


def ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rank of every value; equal ones get ranks in their order."""
    return values.ravel().argsort(kind="stable").argsort().astype(np.float64)


def studied(backend: TorchBackend, records: list[FaceRecord]) -> dict[str, Any]:
    """Return rank correlations of confidence and error, quantiles, and the shares on each side of the limits."""
    crops, truth = views([record.in_scheme(backend.spec.scheme) for record in records], backend.spec)
    points, faces, errors = {}, {}, {}
    for kind, images in crops.items():
        found, confidence = backend.with_confidence(np.stack(images))
        assert confidence is not None
        points[kind], faces[kind] = confidence, confidence.mean(1)
        if kind in truth:
            errors[kind] = np.linalg.norm(found - np.stack(truth[kind]), axis=-1)
    every = np.concatenate([errors[kind].mean(1) for kind in truth])
    certain = np.concatenate([faces[kind] for kind in truth])
    by_point = {kind: -float(np.corrcoef(ranks(errors[kind]), ranks(points[kind]))[0, 1]) for kind in truth}
    shares = {
        f"{limit:g}": {
            "placed, of faces with good points": float((certain[every < GOOD] >= limit).mean()),
            "marked, of faces with bad points": float((certain[every > BAD] < limit).mean()),
            "marked, of turned faces": float((faces["turned"] < limit).mean()),
            "marked, of crops without a face": float((faces["no face"] < limit).mean()),
        }
        for limit in LIMITS
    }
    return {
        "crops": {kind: len(images) for kind, images in crops.items()},
        "good": int((every < GOOD).sum()),
        "bad": int((every > BAD).sum()),
        "rank_correlation_of_points": by_point,
        "rank_correlation_of_faces": -float(np.corrcoef(ranks(every), ranks(certain))[0, 1]),
        "median": {kind: float(np.median(values)) for kind, values in faces.items()},
        "limits": shares,
    }


def table(study: dict[str, Any]) -> str:
    """Return rank correlations and the shares at the default limit as a Markdown table."""
    kinds = next(iter(study["models"].values()))["limits"][f"{MIN_CONFIDENCE:g}"]
    heads = ["model", "rank correlation, points", "rank correlation, faces", *(f"{kind}, %" for kind in kinds)]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for name, found in study["models"].items():
        by_kind = " / ".join(f"{value:.2f}" for value in found["rank_correlation_of_points"].values())
        shares = [f"{100 * share:.1f}" for share in found["limits"][f"{MIN_CONFIDENCE:g}"].values()]
        lines.append(f"| `{name}` | {by_kind} | {found['rank_correlation_of_faces']:.2f} | {' | '.join(shares)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure every model, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    records = read_faces("300w", options.data / "300W", parse_subsets(TRAIN))
    chosen = [records[int(index)] for index in np.linspace(0, len(records) - 1, FACES)]
    models = {}
    for name in MODELS:
        backend = open_checkpoint(Path("checkpoints") / f"{name}.safetensors")
        backend.batch_size = 32
        models[name] = studied(backend, chosen)
    study = {"faces": FACES, "good_below": GOOD, "bad_above": BAD, "default": MIN_CONFIDENCE, "models": models}
    write_result(OUT, study)
    update_block(OUT, table(study))


if __name__ == "__main__":
    main()
