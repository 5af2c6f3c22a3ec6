"""What `distill data check` says of public sets, and how much damage done on purpose it finds: `data_check.py DATA`.

DATA holds the folders named in SETS. Every tenth face of 300-W is damaged, one way at a time: left and right exchanged,
all points shuffled, one pair of points exchanged. Writes results/checks/data_check.json.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.data.check.check import check_data
from distill.data.check.shape import find_odd_shapes
from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.landmarks import load_scheme
from distill.provenance import write_result

# Name -> (format, folder).
SETS = {
    "300-W": ("300w", "300W"),
    "WFLW": ("wflw", "WFLW"),
    "MUCT": ("muct", "muct"),
    "YouTube Faces": ("udacity", "youtube_faces"),
    "FaceSynthetics": ("face_synthetics", "FaceSynthetics"),
    "webmorph": ("webmorph", "webmorph"),
    "dlib": ("dlib", "dlib_faces"),
}
EVERY = 10


def exchange_sides(record: FaceRecord, rng: np.random.Generator) -> FaceRecord:
    """Number the points as those of the mirrored face."""
    del rng
    return replace(record, landmarks=record.landmarks[list(load_scheme(record.scheme).flip)])


def shuffle(record: FaceRecord, rng: np.random.Generator) -> FaceRecord:
    """Number the points at random."""
    return replace(record, landmarks=rng.permutation(record.landmarks))


def exchange_pair(record: FaceRecord, rng: np.random.Generator) -> FaceRecord:
    """Exchange two points drawn at random."""
    points = record.landmarks.copy()
    pair = rng.choice(len(points), 2, replace=False)
    points[pair] = points[pair[::-1]]
    return replace(record, landmarks=points)


DAMAGE: dict[str, Callable[[FaceRecord, np.random.Generator], FaceRecord]] = {
    "left and right exchanged": exchange_sides,
    "all points shuffled": shuffle,
    "one pair exchanged": exchange_pair,
}


def recall(records: Sequence[FaceRecord]) -> dict[str, dict[str, int]]:
    """Count, for each kind of damage, the faces that were damaged, those found, and sound ones found with them."""
    counts = {}
    for name, damage in DAMAGE.items():
        rng = np.random.default_rng(0)
        faces = [damage(face, rng) if index % EVERY == 0 else face for index, face in enumerate(records)]
        damaged = {face.name for face in faces[::EVERY]}
        found = {finding.file for finding in find_odd_shapes(faces)}
        counts[name] = {"damaged": len(damaged), "detected": len(damaged & found), "sound": len(found - damaged)}
    return counts


def main() -> None:
    """Check every set, damage one, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    sets: dict[str, Any] = {}
    for name, (format, folder) in SETS.items():
        report, records = check_data(format, options.data / folder)
        counts = Counter(f"{finding.severity}: {finding.check}" for finding in report.findings)
        about = {"faces": len(records), "data_hash": report.data_hash, "seconds": round(report.seconds, 1)}
        sets[name] = {**about, "findings": dict(counts)}
        print(name, sets[name])
    damage = recall(read_faces("300w", options.data / "300W"))
    print(damage)
    write_result("results/checks/data_check.json", {"sets": sets, "damage": damage})


if __name__ == "__main__":
    main()
