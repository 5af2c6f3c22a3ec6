"""Archives named like weights whose entries lead outside their folder: links, absolute paths, `..` and devices."""

import io
import tarfile
import zipfile
from pathlib import Path

_NAMES = (
    "../executed", "../../executed", "a/../../../executed", "/tmp/distill-executed", "..\\..\\executed",
    "C:\\executed", "archive/../executed", "a" * 300, "archive/data.pkl", "",
)  # fmt: skip
_LINK = 0o120777 << 16


def _zip(path: Path, name: str, compression: int, link: bool = False) -> None:
    entry = zipfile.ZipInfo(name or "empty/")
    entry.compress_type = compression
    if link:
        entry.external_attr = _LINK
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"/etc/passwd")
        if "data.pkl" not in name:
            archive.writestr("archive/data.pkl", b"\x80\x02}.")


def _tar(path: Path, name: str, kind: bytes) -> None:
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(name or "empty")
        entry.type = kind
        entry.linkname = "/etc/passwd"
        entry.size = 4 if kind == tarfile.REGTYPE else 0
        archive.addfile(entry, io.BytesIO(b"data") if entry.size else None)


def write_archives(folder: Path) -> list[Path]:
    """Write 40 archives and return their paths."""
    paths = []
    for number, name in enumerate(_NAMES):
        made = [folder / f"{number}_{kind}.ckpt" for kind in ("stored", "link", "tar", "tarlink")]
        _zip(made[0], name, zipfile.ZIP_STORED)
        _zip(made[1], name, zipfile.ZIP_DEFLATED, link=True)
        _tar(made[2], name, tarfile.REGTYPE)
        _tar(made[3], name, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)[number % 4])
        paths += made
    return paths
