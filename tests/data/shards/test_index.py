"""A folder of shards is refused, before anything is read from it, where a file is missing or damaged."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.data.shards.faces import open_shards
from distill.errors import AnnotationError
from tests.support.damage import flip_byte
from tests.support.errors import assert_one_line


def _spoil_index(root: Path, **changes: object) -> None:
    path = root / "shards.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "shard-000002.tar").unlink(), "shard-000002.tar: missing"),
        (lambda root: (root / "shard-000002.tar").write_bytes(b"short"), "shard-000002.tar: 5 bytes where"),
        (lambda root: flip_byte(root / "shard-000001.npy"), "shard-000001.npy: damaged"),
        (lambda root: (root / "shard-000001.npy").unlink(), "shard-000001.npy: missing; copy it again"),
        (lambda root: (root / "shards.json").unlink(), "no shards.json in it"),
        (lambda root: (root / "shards.json").write_text("{"), "not the index of shards"),
        (lambda root: _spoil_index(root, format="distill-shards/9"), "format 'distill-shards/9'"),
        (lambda root: _spoil_index(root, shards=[{"name": 1}]), "not the index of shards"),
        (lambda root: _spoil_index(root, scheme="inner51"), "another scheme or version"),
    ],
)
def test_incomplete_shards_are_refused(
    pack: Callable[..., Path], spoil: Callable[[Path], object], message: str
) -> None:
    root = pack()
    spoil(root)
    with pytest.raises(AnnotationError, match=message) as error:
        open_shards(root)
    assert_one_line(error)
