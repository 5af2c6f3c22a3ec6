"""Store of fixed-size records on disk with checksums: a record is whole or absent, also after a crash."""

import os
import zlib
from pathlib import Path

from distill.errors import ConfigError


class RecordStore:
    """Bytes by (round, index): one sparse file per round, in which a record's position is its index.

    There is no index file that could disagree with the records. Each ends in a checksum over its key and content, and
    counts only where that is right: holes, and incomplete writes of a killed program or a power failure, read as
    absent. Two programs that fill the same store write the same bytes.

    Args:
        folder: of the files; made when the first record is written.
        count: records of a round.
        size: bytes of a record.
        limit: bytes of all rounds; which records fit depends on their keys alone, not on the order of writing.
    """

    def __init__(self, folder: Path, count: int, size: int, limit: int):
        self.folder, self.count, self.size = folder, count, size
        self.capacity = limit // (size + 4)

    def read(self, round_number: int, index: int) -> bytes | None:
        """Return a record, or None where there is none."""
        path = self._path(round_number)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            file.seek(index * (self.size + 4))
            record = file.read(self.size + 4)
        content = record[: self.size]
        whole = len(record) == self.size + 4 and record[self.size :] == self._checksum(round_number, index, content)
        return content if whole else None

    def write(self, round_number: int, index: int, content: bytes) -> None:
        """Write a record, unless the store is full.

        Raises:
            ConfigError: the disk is full or not writable.
        """
        if round_number * self.count + index >= self.capacity:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path(round_number), os.O_CREAT | os.O_WRONLY, 0o644)
            try:
                record = content + self._checksum(round_number, index, content)
                os.pwrite(file, record, index * len(record))
            finally:
                os.close(file)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"--kd.cache.folder {self.folder}: {reason}; free space, then --resume") from error

    def _path(self, round_number: int) -> Path:
        return self.folder / f"{round_number:05d}.bin"

    @staticmethod
    def _checksum(round_number: int, index: int, content: bytes) -> bytes:
        return zlib.crc32(content, zlib.crc32(f"{round_number}/{index}".encode())).to_bytes(4, "little")
