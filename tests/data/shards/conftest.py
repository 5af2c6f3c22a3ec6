"""A few drawn faces, and shards of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from distill.data.prepare import StoreSpec
from distill.data.records import FaceRecord, make_record
from distill.data.shards.write import write_shards
from distill.geometry import Box

SPEC = StoreSpec(size=48, margin=2.0, quality=90)
FACES, PER_SHARD = 22, 4


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[FaceRecord]:
    """Two faces in each photo; of the first photo one has no `dataset` box, of the second one has an unknown point."""
    folder = tmp_path_factory.mktemp("drawn")
    faces = []
    for index in range(FACES):
        rng = np.random.default_rng(index // 2)
        path = folder / f"{index // 2}.png"
        if index % 2 == 0:
            Image.fromarray(rng.integers(0, 255, (80, 160, 3), dtype=np.uint8)).save(path)
        points = np.array([40 + 80 * (index % 2), 40]) + np.random.default_rng(100 + index).uniform(-20, 20, (68, 2))
        faces.append(
            make_record(
                name=f"face/{index}", image=path, landmarks=points, scheme="ibug68", source=path,
                boxes={"dataset": Box(*points.min(0) - 2, *points.max(0) + 2)} if index else {},
                known=np.arange(68) != (5 if index == 2 else -1), visible=np.arange(68) % 3 > 0,
                group=f"photo {index // 2}", subset=("train", "train", "val", "train", "test")[index // 2 % 5],
                attributes={"yaw": 1.5},
            )
        )  # fmt: skip
    return faces


@pytest.fixture
def pack(tmp_path: Path, drawn: list[FaceRecord]) -> Callable[..., Path]:
    """Return a function that writes shards of the drawn faces, `changes` to the arguments of `write_shards`."""

    def write(name: str = "shards", **changes: Any) -> Path:
        root = tmp_path / name
        arguments: dict[str, Any] = {"faces": drawn, "scheme": "ibug68", "per_shard": PER_SHARD, "spec": SPEC}
        write_shards(root, **{**arguments, "about": {"source": "csv", "preset": None}, **changes})
        return root

    return write


@pytest.fixture
def moved(drawn: list[FaceRecord]) -> list[FaceRecord]:
    """The drawn faces, each in a photo of its own that is moved by (3, -2)."""
    return [replace(face, landmarks=face.landmarks + np.float32([3, -2])) for face in drawn]
