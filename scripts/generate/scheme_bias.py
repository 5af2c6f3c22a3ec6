"""Measure how far each map between landmark schemes lies from what annotators of the target mark, on real faces.

    python -m scripts.generate.scheme_bias ../shared/data

No photo carries two hand-made schemes, so mean shapes are compared: of the faces of the source's data set, converted,
and of a data set of the target. Both means are over frontal faces (nose tip within 10 % of the inter-ocular distance
of the midline between the eyes), aligned by generalised Procrustes and averaged with their mirror images. The bias is
the distance between the two means, after a similarity fit of one to the other, over the distance between the outer eye
corners. The same number between two halves of the target's set says what chance alone makes. Prints YAML lines for
`distill/landmarks/data` and writes results/studies/scheme_bias.json.
"""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.readers import read_faces
from distill.landmarks import convert, is_exact, list_schemes, load_scheme
from distill.provenance import write_result

# Scheme -> where faces of it are: (format, folder, subsets).
SOURCES: Mapping[str, list[tuple[str, str, list[str] | None]]] = {
    "ibug68": [("300w", "300W", None)],
    "wflw98": [("wflw", "WFLW", None)],
    "faces70": [("face_synthetics", "FaceSynthetics", None)],
    "muct76": [("muct", "muct", None)],
    "cofw29": [("coco", "mmpose_samples/cofw", None)],
    "aflw19": [("coco", "mmpose_samples/aflw", None)],
    "lapa106": [("coco", "mmpose_samples/lapa", None)],
    "webmorph189": [("webmorph", "webmorph", ["canada", "composite"])],
    "webmorph106": [("webmorph", "webmorph", ["lisa"])],
    "webmorph83": [("webmorph", "webmorph", ["zoom"])],
}
# WFLW lines that came without their photos hold most of its frontal faces; not those picked for their expression,
# whose mouths would be taken for a bias of the lips.
WFLW_LIST = "WFLW/annotations_without_images/list_98pt_test_makeup.txt"
FRONTAL = 0.1
MUCT_POINTS = 68
# A mean over fewer says more about the people than about the scheme.
MIN_FACES = 3


def fit(shape: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn, scale and move a shape (k, 2) onto another in the least-squares sense (no mirroring)."""
    a, b = (points[:, 0] + 1j * points[:, 1] for points in (shape - shape.mean(0), target - target.mean(0)))
    moved = a * (np.vdot(a, b) / np.vdot(a, a))
    return np.stack([moved.real, moved.imag], axis=1) + target.mean(0)


def mean_shape(faces: NDArray[np.float64], flip: tuple[int, ...]) -> NDArray[np.float64]:
    """Procrustes mean (k, 2) of faces and their mirror images."""
    mirrored = faces[:, list(flip)] * [-1, 1]
    everything = np.concatenate([faces, mirrored])
    mean = everything[0]
    for _ in range(10):
        mean = np.mean([fit(face, mean) for face in everything], axis=0)
        mean = mean / np.linalg.norm(mean - mean.mean(0))
    return mean


def faces_of(scheme: str, root: Path) -> NDArray[np.float64]:
    """Every fully marked face of a scheme, (n, k, 2)."""
    records = [
        face for format, folder, subsets in SOURCES[scheme] for face in read_faces(format, root / folder, subsets)
    ]
    # MUCT's last eight points are missing from the copy at hand; no map uses them.
    whole = [face for face in records if face.known[: MUCT_POINTS if scheme == "muct76" else None].all()]
    faces = [face.landmarks.astype(np.float64) for face in whole]
    if scheme == "wflw98":
        with (root / WFLW_LIST).open() as lines:
            faces += [np.array(line.split()[:196], np.float64).reshape(98, 2) for line in lines]
    return np.stack(faces)


def frontal(faces: NDArray[np.float64], scheme: str) -> NDArray[np.float64]:
    """The faces whose nose tip lies near the line that halves the way between the eyes."""
    five = convert(faces, scheme, "five").astype(np.float64)
    right, left, nose = five[:, 0], five[:, 1], five[:, 2]
    axis = left - right
    along = ((nose - (right + left) / 2) * axis).sum(1) / (axis**2).sum(1)
    return faces[np.abs(along) < FRONTAL]


def reference(target: str) -> str:
    """The scheme whose faces say where the target's points are: itself, or 300-W for what is cut out of it."""
    return target if target in SOURCES else "ibug68"


def distances(a: NDArray[np.float64], b: NDArray[np.float64], target: str) -> NDArray[np.float64]:
    scheme = load_scheme(target)
    first, second = mean_shape(a, scheme.flip), mean_shape(b, scheme.flip)
    kind = "ocular" if scheme.ocular else "pupil"
    return np.linalg.norm(fit(first, second) - second, axis=1) / scheme.eye_distance(second, kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/studies/scheme_bias.json"))
    options = parser.parse_args()
    shapes = {scheme: frontal(faces_of(scheme, options.data), scheme) for scheme in SOURCES}
    rows = []
    for target in list_schemes():
        for source in load_scheme(target).sources:
            wanted = reference(target)
            if source not in shapes or source == wanted:
                continue
            there = shapes[wanted]
            if min(len(shapes[source]), len(there)) < MIN_FACES:
                continue
            if wanted != target:
                there = convert(there, wanted, target).astype(np.float64)
            bias = distances(convert(shapes[source], source, target).astype(np.float64), there, target)
            order = np.random.default_rng(0).permutation(len(there))
            count = min(len(shapes[source]), len(there) // 2)
            chance = distances(there[order[:count]], there[order[count:]], target)
            # Five points are divided by the distance of the pupils, two thirds of that of the outer corners.
            kind = "ocular" if load_scheme(target).ocular else "pupil"
            row = {
                "source": source, "target": target, "exact": is_exact(source, target), "normaliser": kind,
                "mean": round(float(bias.mean()), 4), "max": round(float(bias.max()), 4),
                "worst_point": int(bias.argmax()), "faces": len(shapes[source]), "target_faces": len(there),
                "chance_mean": round(float(chance.mean()), 4), "chance_max": round(float(chance.max()), 4),
                "per_point": np.round(bias, 4).tolist(),
            }  # fmt: skip
            rows.append(row)
            print(f"{target}: from: {source}: bias: {{mean: {row['mean']}, max: {row['max']}, faces: {row['faces']}}}"
                  f"  # point {row['worst_point']}; chance {row['chance_mean']} / {row['chance_max']}")  # fmt: skip
    protocol = {"frontal": FRONTAL, "frontal_faces": {name: len(faces) for name, faces in shapes.items()}}
    points = hashlib.sha256(b"".join(np.ascontiguousarray(shapes[name], "<f8").tobytes() for name in sorted(shapes)))
    write_result(options.out, {"data_hash": points.hexdigest(), "protocol": protocol, "maps": rows})


if __name__ == "__main__":
    main()
