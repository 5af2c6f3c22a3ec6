"""Files of a folder of shards, local or at a URL of fsspec; files at a URL are copied when they are first used."""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distill.errors import AnnotationError, ConfigError, first_line
from distill.files import atomic_path, cache_folder, read_regular, sha256

INDEX = "shards.json"
AGAIN = "copy it again, or run `distill data pack` again"
_URL = re.compile(r"([a-z][a-z0-9+.-]*):/+(.+)")
_EXTRAS = {"s3": "s3"}


def url_of(root: Path) -> str | None:
    """Return the URL that a path was made of, which has one of its two slashes left; None for a folder."""
    match = _URL.fullmatch(str(root))
    return None if match is None else f"{match[1]}://{match[2]}"


class ShardStorage:
    """Access to the files of a folder of shards by name.

    Args:
        root: folder, or URL as a path.
        max_gb: room for copies of shards at a URL, in `DISTILL_CACHE`; those that were not used for longest go.
    """

    def __init__(self, root: Path, max_gb: float) -> None:
        self.root, self.url = root, url_of(root)
        self._limit = int(max_gb * 1e9)
        name = hashlib.sha256(str(self.url).encode()).hexdigest()[:16]
        self.folder = root if self.url is None else cache_folder() / "shards" / name

    def index(self) -> bytes:
        """Return the content of the index, always as it is at the URL.

        Raises:
            AnnotationError: there is none.
        """
        if self.url is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._fetch(INDEX, self.folder / INDEX)
        try:
            return read_regular(self.folder / INDEX)
        except OSError as error:
            raise AnnotationError(
                f"{self.url or self.root}: no {INDEX} in it; write shards with `distill data pack --shards`"
            ) from error

    def sizes(self) -> dict[str, int]:
        """Return the size of every file of the folder in bytes."""
        if self.url is None:
            return {entry.name: entry.stat().st_size for entry in os.scandir(self.root) if entry.is_file()}
        files, path = self._files()
        with _reading(self.url):
            listed = files.ls(path, detail=True)
        return {entry["name"].rpartition("/")[2]: entry["size"] for entry in listed}

    def path(self, name: str, digest: str) -> Path:
        """Return a local file; that of a URL is copied before and compared with its SHA-256 (hex).

        Raises:
            AnnotationError: it is missing, or what was copied has another SHA-256.
        """
        path = self.folder / name
        if self.url is None or path.is_file():
            return path
        with (self.folder / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers one copies
            if not path.is_file():
                self._fetch(name, path, digest)
                self._make_room(path)
        return path

    def read(self, name: str, digest: str, offset: int, length: int) -> bytes:
        """Return a part of a file.

        Raises:
            AnnotationError: the file is missing, cannot be read, or could not be copied.
        """
        path = self.path(name, digest)
        try:
            with path.open("rb") as file:
                if self.url is not None:
                    os.utime(file.fileno(), ns=(time.time_ns(),) * 2)  # last use, see `_make_room`
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError as error:
            if self.url is not None:  # removed to make room, since `path` found it
                return self.read(name, digest, offset, length)
            raise AnnotationError(f"{path}: missing; {AGAIN}") from error
        except OSError as error:
            raise AnnotationError(f"{path}: cannot be read ({error.strerror}); {self.again(name)}") from error

    def again(self, name: str) -> str:
        """Return what to do about a file that is damaged."""
        return AGAIN if self.url is None else f"remove the copy {self.folder / name}, it is made again"

    def _files(self) -> tuple[Any, str]:
        """Return the file system of the URL and the path in it; of this process's own, as threads do not survive forks.

        Raises:
            ConfigError: no package for such URLs.
        """
        import fsspec

        assert self.url is not None
        try:
            files, path = fsspec.url_to_fs(self.url, skip_instance_cache=True, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            scheme = self.url.partition(":")[0]
            needed = f"distill-landmarks[{_EXTRAS[scheme]}]" if scheme in _EXTRAS else "the package for such URLs"
            raise ConfigError(f"{self.url}: cannot be opened ({error}); install {needed}") from error
        return files, path

    def _fetch(self, name: str, path: Path, digest: str | None = None) -> None:
        files, root = self._files()
        with atomic_path(path) as temporary:
            with _reading(f"{self.url}/{name}"):
                files.get_file(f"{root}/{name}", str(temporary))
            if digest is not None and sha256(temporary) != digest:
                raise AnnotationError(
                    f"{self.url}/{name}: damaged, its SHA-256 is not that of {INDEX}; upload it again"
                )

    def _make_room(self, newest: Path) -> None:
        """Remove the copies of shards that were not used for longest, but never the newest."""
        copies = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob("*.tar"))
        total = sum(size for _, size, _ in copies)
        for _, size, path in copies:
            if total <= self._limit:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size


@contextmanager
def _reading(url: str) -> Iterator[None]:
    """Turn what a file system of fsspec raises into one line; each has errors of its own packages beside OSError."""
    try:
        yield
    except Exception as error:
        reason = first_line(error)
        raise AnnotationError(
            f"{url}: cannot be read ({reason}); check the URL, the credentials and the network"
        ) from error
