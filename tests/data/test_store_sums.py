"""A store whose files are no longer those it was made of is refused in one line that names the first of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.cli.data import run
from distill.data.check import CheckOptions, check_data
from distill.data.prepare import StoreSpec, prepare_store
from distill.data.readers import read_annotated, read_faces
from distill.data.synthetic import write_faces
from distill.errors import AnnotationError
from distill.files import CHECKSUMS, listed_hashes, sha256
from tests.support.damage import flip_byte
from tests.support.errors import assert_one_line


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_faces(folder / "faces", 6, seed=5, size=120, subsets={"train": 0.5, "test": 0.5})
    prepare_store(folder / "store", read_faces("manifest", folder / "faces", scheme="ibug68"), StoreSpec(size=96))
    return folder / "store"


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "store"))


def picture(store: Path) -> Path:
    return sorted(store.glob("images/*.jpg"))[2]


def test_every_file_of_a_store_is_listed(store: Path) -> None:
    files = {path for path in store.rglob("*") if path.is_file() and path.name not in (CHECKSUMS, ".lock")}
    assert listed_hashes(store / CHECKSUMS) == {path.relative_to(store).as_posix(): sha256(path) for path in files}
    assert len(files) == 6 + 2
    assert len(read_faces("manifest", store)) == 6


def _swap(store: Path) -> None:
    other = sorted(store.glob("images/*.jpg"))[3]
    picture(store).write_bytes(other.read_bytes())


def _move_a_point(store: Path) -> None:
    path = store / "faces.json"
    path.write_text(path.read_text().replace('"ibug68":[[', '"ibug68":[[1', 1))


def _unlist(store: Path) -> None:
    path = store / CHECKSUMS
    path.write_text("".join(line for line in path.read_text().splitlines(True) if picture(store).name not in line))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda store: flip_byte(picture(store)), "images/"),
        (_swap, "images/"),
        (_move_a_point, "faces.json"),
        (_unlist, f"not in {CHECKSUMS}"),
    ],
    ids=["a flipped bit", "another whole picture", "a moved point", "a picture without checksum"],
)
@pytest.mark.parametrize("read", [read_faces, read_annotated])
def test_a_changed_store_is_refused(
    change: Callable[[Path], None], named: str, read: Callable[..., object], store: Path
) -> None:
    change(store)
    with pytest.raises(AnnotationError, match="of the store") as caught:
        read("manifest", store, scheme="ibug68")
    assert_one_line(caught, named)


def test_only_photos_that_are_read_are_compared(store: Path) -> None:
    faces = read_faces("manifest", store)
    chosen, other = (next(face for face in faces if face.subset == name) for name in ("train", "test"))
    flip_byte(other.image)
    assert chosen.name in {face.name for face in read_faces("manifest", store, ["train"])}
    with pytest.raises(AnnotationError, match=other.image.name):
        read_faces("manifest", store, ["test"])


def test_a_store_without_checksums_is_read(store: Path) -> None:
    """Earlier versions wrote none."""
    (store / CHECKSUMS).unlink()
    flip_byte(picture(store))
    assert len(read_faces("manifest", store)) == 6


def test_data_check_names_every_changed_file(store: Path) -> None:
    changed = sorted(store.glob("images/*.jpg"))[1:3]
    for path in changed:
        path.write_bytes(path.read_bytes() + b"\0")
    report, _ = check_data("manifest", store, options=CheckOptions(smallest=10))
    found = [finding.file for finding in report.findings if finding.check == "hash list"]
    assert found == [path.relative_to(store).as_posix() for path in changed]
    assert report.failed


def test_prepare_again_makes_a_changed_store_whole(store: Path, made: Path, tmp_path: Path) -> None:
    flip_byte(picture(store))
    _move_a_point(store)
    source = ["--data.format", "manifest", "--data.root", str(made.parent / "faces"), "--scheme", "ibug68"]
    assert run(["prepare", str(store), *source, "--size", "96"]) == 0
    assert picture(store).read_bytes() == picture(made).read_bytes()
    assert len(read_faces("manifest", store)) == 6
