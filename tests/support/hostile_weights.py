"""Weight files made to do harm: run code, fill the memory, or be read as something that they are not.

Each function writes one file and returns its path. All are made of `base`, a sound pair of spec and tensors.
"""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

Spec = dict[str, Any]
State = dict[str, Tensor]
Maker = Callable[[Path, Spec, State], Path]


class _Runs:
    """Runs a shell command where it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


class _Allocates:
    """Fills 10 GB where it is unpickled, by a type that torch allows."""

    def __reduce__(self) -> Any:
        return bytearray, (10**10,)


def _command(folder: Path) -> str:
    return f"touch {folder / 'executed'}"


def _ckpt(folder: Path, spec: Any, state: Any, **more: Any) -> Path:
    path = folder / "model.ckpt"
    named = {f"net.{name}": value for name, value in state.items()} if isinstance(state, dict) else state
    torch.save({"spec": spec, "state_dict": named, **more}, path)
    return path


def _safetensors(folder: Path, spec: Any, state: State) -> Path:
    path = folder / "model.safetensors"
    save_file(state, path, metadata={"spec": spec if isinstance(spec, str) else json.dumps(spec)})
    return path


def _header(folder: Path, header: bytes, length: int | None = None, data: bytes = b"") -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def _tensor(dtype: str, shape: list[int], offsets: list[int]) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _rewritten(path: Path, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write every entry of an archive again, changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, change(name, content))
    return path


def _options(**values: Any) -> Maker:
    def make(folder: Path, spec: Spec, state: State) -> Path:
        return _safetensors(folder, {**spec, "options": {**spec["options"], **values}}, state)

    return make


def _spec(**values: Any) -> Maker:
    return lambda folder, spec, state: _safetensors(folder, {**spec, **values}, state)


def _swin(**options: Any) -> Maker:
    return _spec(arch="swin_v2", options={"pretrained": False, **options})


def _raw(name: str, content: Callable[[Path], bytes]) -> Maker:
    def make(folder: Path, spec: Spec, state: State) -> Path:
        (folder / name).write_bytes(content(folder))
        return folder / name

    return make


def _value(number: float) -> Maker:
    def make(folder: Path, spec: Spec, state: State) -> Path:
        changed = {name: value.clone() for name, value in state.items()}
        first = next(name for name, value in changed.items() if value.is_floating_point())
        changed[first].view(-1)[0] = number
        return _ckpt(folder, spec, changed)

    return make


def _bomb(folder: Path, spec: Spec, state: State) -> Path:
    path = _ckpt(folder, spec, state)
    zeros = bytes(256 << 20)
    last = zipfile.ZipFile(path).namelist()[-1]
    return _rewritten(path, lambda name, content: zeros if name == last else content, zipfile.ZIP_DEFLATED)


def _big_structure(folder: Path, spec: Spec, state: State) -> Path:
    path = _ckpt(folder, spec, state)
    return _rewritten(path, lambda name, raw: b"N" * (20 << 20) if name.endswith("data.pkl") else raw)


def _overlapping(folder: Path, spec: Spec, state: State) -> Path:
    """Every entry of the directory is the same piece of the file."""
    path = _ckpt(folder, spec, {**state, "more": torch.zeros(1 << 18)})
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    raw = bytearray(path.read_bytes())
    largest = max(infos, key=lambda info: info.file_size)
    start = raw.rfind(b"PK\x05\x06")
    at = struct.unpack("<I", raw[start + 16 : start + 20])[0]
    while raw[at : at + 4] == b"PK\x01\x02":
        lengths = struct.unpack("<HHH", raw[at + 28 : at + 34])
        raw[at + 16 : at + 28] = struct.pack("<III", largest.CRC, largest.compress_size, largest.file_size)
        raw[at + 42 : at + 46] = struct.pack("<I", largest.header_offset)
        at += 46 + sum(lengths)
    path.write_bytes(bytes(raw))
    return path


def _beyond_its_storage(folder: Path, spec: Spec, state: State) -> Path:
    """A tensor of 268,435,456 numbers over a record of 16 bytes."""
    path = _ckpt(folder, spec, {"a": torch.arange(4.0)})
    return _rewritten(path, lambda name, raw: raw.replace(b"K\x04t", b"J\x00\x00\x00\x10t").replace(
        b"K\x00K\x04\x85", b"K\x00J\x00\x00\x00\x10\x85"
    ) if name.endswith("data.pkl") else raw)  # fmt: skip


def _traversal(folder: Path, spec: Spec, state: State) -> Path:
    path = _ckpt(folder, spec, state)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../executed", b"written outside")
    return path


def _shared(depth: int) -> Any:
    """10 to the power of `depth` values in a few bytes: lists that hold the same list ten times."""
    value: Any = [1]
    for _ in range(depth):
        value = [value] * 10
    return value


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _legacy(folder: Path, spec: Spec, state: State) -> Path:
    path = folder / "model.ckpt"
    torch.save({"a": _Runs(_command(folder))}, path, _use_new_zipfile_serialization=False)
    return path


def _fifo(folder: Path, spec: Spec, state: State) -> Path:
    os.mkfifo(folder / "model.ckpt")
    return folder / "model.ckpt"


def _device(folder: Path, spec: Spec, state: State) -> Path:
    (folder / "model.safetensors").symlink_to("/dev/zero")
    return folder / "model.safetensors"


def _folder(folder: Path, spec: Spec, state: State) -> Path:
    (folder / "model.ckpt").mkdir()
    return folder / "model.ckpt"


def _stride_zero(folder: Path, spec: Spec, state: State) -> Path:
    """Every tensor is one number seen 10 to the power of 10 times."""
    return _ckpt(folder, spec, {name: torch.ones(1).expand(10**5, 10**5) for name in state})


def _huge_scheme(folder: Path, spec: Spec, state: State) -> Path:
    own = {"name": "own", "title": "own", "n_points": 10**9, "flip": [], "groups": {"all": "0-999999999"}, "edges": []}
    return _safetensors(folder, {**spec, "scheme": "own", "definitions": {"own": own}}, state)


_DEEP_TEXT = "[" * 100_000

MAKERS: dict[str, Maker] = {
    "pickle that runs code": _raw("model.ckpt", lambda folder: pickle.dumps(_Runs(_command(folder)))),
    "archive that runs code": lambda f, spec, state: _ckpt(f, _Runs(_command(f)), state),
    "legacy file that runs code": _legacy,
    "bytearray of 10 GB": lambda f, spec, state: _ckpt(f, spec, state, more=_Allocates()),
    "zip bomb": _bomb,
    "structure of 20 MB": _big_structure,
    "overlapping entries": _overlapping,
    "tensor beyond its storage": _beyond_its_storage,
    "entry outside the folder": _traversal,
    "web page": _raw("model.ckpt", lambda f: b"<!DOCTYPE html><html>not found</html>"),
    "Git LFS pointer": _raw("model.safetensors", lambda f: b"version https://git-lfs.github.com/spec/v1\n"),
    "empty": _raw("model.safetensors", lambda f: b""),
    "zeros": _raw("model.ckpt", lambda f: bytes(10_000)),
    "FIFO": _fifo,
    "device": _device,
    "folder": _folder,
    "names that are numbers": lambda f, spec, state: _ckpt(f, spec, [1, 2]),
    "values that are no tensors": lambda f, spec, state: _ckpt(f, spec, dict.fromkeys(state, 2)),
    "spec that is a list": lambda f, spec, state: _ckpt(f, [spec], state),
    "spec of 10 to the 9 values": lambda f, spec, state: _ckpt(f, {**spec, "options": {"a": _shared(9)}}, state),
    "deep spec": lambda f, spec, state: _ckpt(f, {**spec, "options": {"a": _nested(300)}}, state),
    "one number as every tensor": _stride_zero,
    "NaN": _value(float("nan")),
    "infinity": _value(float("inf")),
    "header of 8 exabytes": lambda f, spec, state: _header(f, b"{}", 2**63),
    "header beyond the file": lambda f, spec, state: _header(f, b"{}", 90_000_000),
    "header that is no JSON": lambda f, spec, state: _header(f, b"{{{{"),
    "deep header": lambda f, spec, state: _header(f, b'{"a":' + b"[" * 100_000),
    "overlapping tensors": lambda f, spec, state: _header(f, json.dumps(
        {"a": _tensor("F32", [4], [0, 16]), "b": _tensor("F32", [4], [0, 16])}).encode(), None, bytes(16)),
    "tensor beyond the file": lambda f, spec, state: _header(f, json.dumps(
        {"a": _tensor("F32", [10**9], [0, 4 * 10**9])}).encode(), None, bytes(16)),
    "shape that overflows": lambda f, spec, state: _header(f, json.dumps(
        {"a": _tensor("F32", [2**40, 2**40], [0, 16])}).encode(), None, bytes(16)),
    "unknown type": lambda f, spec, state: _header(f, json.dumps(
        {"a": _tensor("F99", [4], [0, 16])}).encode(), None, bytes(16)),
    "deep text as spec": lambda f, spec, state: _safetensors(f, _DEEP_TEXT, state),
    "no JSON as spec": lambda f, spec, state: _safetensors(f, "no", state),
    "number as spec": lambda f, spec, state: _safetensors(f, "7", state),
    "width of 10 million": _options(width=10**7),
    "width of 60 thousand": _options(width=60_000),
    "width of text": _options(width="wide"),
    "width below zero": _options(width=-4),
    "options that are a list": _spec(options=[1]),
    "points of another scheme": _spec(n_points=10**9),
    "crop of a million pixels": _spec(crop={"size": 10**6, "scale": 1.0, "shift_y": 0.0}),
    "crop of text": _spec(crop={"size": "big", "scale": 1.0, "shift_y": 0.0}),
    "unknown network": _spec(arch="no_such_network"),
    "network that is a path": _spec(arch="timm:../../etc/passwd"),
    "scheme that is a path": _spec(scheme="../../../etc/passwd"),
    "scheme of 10 to the 9 points": _huge_scheme,
    "deep network": _swin(backbone_args={"depths": [60_000] * 4}),
    "wide network": _swin(backbone_args={"embed_dim": 60_000}),
    "large windows": _swin(image_size=60_000, backbone_args={"window_size": 60_000}),
}  # fmt: skip
