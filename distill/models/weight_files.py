"""Bounds and checksums of weight files, checked before anything in them is loaded.

A file of weights may come from anywhere. What is read here decides nothing yet: the archive of a `.ckpt` is compared
with its own checksums, what its pickle would call is listed without calling it, and a network is laid out without
memory and compared with the tensors of the file before it is built.
"""

import hashlib
import json
import pickletools
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import TorchFunctionMode

from distill.errors import CheckpointError
from distill.files import atomic_path

DIGEST = "sha256"
Net = TypeVar("Net", bound=nn.Module)
# The structure of the largest checkpoint of this package takes 0.2 MB; its tensors lie outside of it.
_MAX_PICKLE_BYTES = 16 << 20
_MAX_ENTRIES = 100_000
_MAX_MODULES = 50_000
_SPARE_NUMBERS = 20_000_000
# Everything a checkpoint of plain values and tensors is rebuilt with. torch's own list also has `bytearray`, which
# allocates as much as the file asks for.
_REBUILT_WITH = {
    "collections OrderedDict", "collections defaultdict", "torch Size", "torch device",
    "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
    "torch.storage UntypedStorage", "torch.serialization _get_layout",
}  # fmt: skip
# What initialises weights with random numbers, in place.
_RANDOM = {
    Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.trunc_normal_,
    nn.init.kaiming_normal_, nn.init.kaiming_uniform_, nn.init.xavier_normal_, nn.init.xavier_uniform_,
}  # fmt: skip
_STORAGES = {f"torch {kind}Storage" for kind in (
    "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"
)}  # fmt: skip
_TYPES = {
    f"torch {str(value).removeprefix('torch.')}" for value in vars(torch).values() if isinstance(value, torch.dtype)
}


def require_sound_archive(path: Path) -> None:
    """Check the zip archive of a `.ckpt`: stored, not compressed, right by its CRC-32 sums, and made of tensors.

    Raises:
        CheckpointError: anything else, without reading more into memory than the file holds.
        Exception: whatever `zipfile` and `pickletools` raise on broken bytes.
    """
    with zipfile.ZipFile(path) as archive:
        _check_archive(path, archive)


def require_intact_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Check that a zip archive of tensors is stored, not compressed, and right by its CRC-32 sums, which torch ignores.

    Raises:
        CheckpointError: anything else.
    """
    entries = archive.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or len(entries) > _MAX_ENTRIES or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(f"{path}: a compressed archive, which no checkpoint is")
    structure = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(structure) != 1 or structure[0].file_size > _MAX_PICKLE_BYTES:
        raise CheckpointError(f"{path}: no structure of a checkpoint in it")
    damaged = archive.testzip()
    if damaged is not None:
        raise CheckpointError(f"{path}: checksum of {damaged} differs; the file was changed or damaged")


def _check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    require_intact_archive(path, archive)
    structure = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
    for called in _calls(archive.read(structure[0])):
        if called not in _REBUILT_WITH | _STORAGES | _TYPES:
            raise CheckpointError(f"{path}: asks for {called[:60]!r}, which no weights need")


def _calls(structure: bytes) -> Iterator[str]:
    """Yield what a pickle would import, `module name`, without running it."""
    for operation, argument, _ in pickletools.genops(structure):
        if operation.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif operation.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            yield operation.name


def require_finite_weights(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse weights with NaN or infinity, whose outputs mean nothing, and tensors that show few numbers many times.

    Raises:
        CheckpointError: naming the first such tensor, or what is no tensor.
    """
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: {str(name)[:60]!r} is no tensor; give a checkpoint made by distill")
        if value.numel() * value.itemsize > value.untyped_storage().nbytes():
            raise CheckpointError(f"{path}: {name} is larger than its data; give a checkpoint made by distill")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise CheckpointError(f"{path}: {name} holds NaN or infinity; give a checkpoint from before that")


def content_digest(spec: str, state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hex) of a spec and of all tensors with names, types and shapes, in the order of names."""
    digest = hashlib.sha256(spec.encode())
    for name, value in sorted(state.items()):
        digest.update(f"\0{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_weights(path: str | Path, state: Mapping[str, Tensor], spec: Mapping[str, object]) -> None:
    """Write tensors and a spec as safetensors, atomically; equal content gives equal bytes.

    The metadata also hold the digest of everything in the file.
    """
    text, tensors = json.dumps(spec), {name: value.contiguous() for name, value in state.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"spec": text, DIGEST: content_digest(text, tensors)})
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Write the metadata of a safetensors file in the order of their names; the library's order is random."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(text) <= size
        file.seek(8)
        file.write(text.ljust(size))


def require_stated_digest(path: Path, metadata: Mapping[str, str], state: Mapping[str, Tensor]) -> None:
    """Compare the content of a safetensors file with the digest in its metadata; earlier versions wrote none.

    Raises:
        CheckpointError: they differ.
    """
    stated = metadata.get(DIGEST)
    if stated is not None and stated != content_digest(metadata["spec"], state):
        raise CheckpointError(f"{path}: its content differs from its SHA-256; the file was changed, copy it again")


def build_for_weights(make: Callable[[], Net], state: Mapping[str, Tensor]) -> Net:
    """Build a network that takes exactly these weights; a network of another size is never allocated.

    It is laid out first on torch's meta device, where a tensor has a shape and no memory. A network of a plugin that
    cannot be laid out there is built at once.

    Raises:
        ValueError: names or shapes of the weights differ, or the network has far more parts than weights.
        Exception: whatever `make` raises.
    """
    with _bounded_parts(state):
        try:
            with torch.device("meta"), _NoRandomNumbers():
                layout = make()
        except RuntimeError as error:  # NotImplementedError is one
            if "meta tensor" not in str(error):
                raise
        else:
            _require_same_shapes(layout, state)
        return make()


class _NoRandomNumbers(TorchFunctionMode):
    """Leave random initialisation out: on the meta device it takes three times as long as on the CPU, for nothing."""

    def __torch_function__(
        self, function: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _RANDOM:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


def _require_same_shapes(layout: nn.Module, state: Mapping[str, Tensor]) -> None:
    expected = {name: tuple(value.shape) for name, value in layout.state_dict().items()}
    missing = sorted(expected.keys() - state.keys())
    unknown = sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(f"no {missing[0]} in the file" if missing else f"{unknown[0]} is no part of the network")
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{name} is {tuple(state[name].shape)}, the network has {shape}")


@contextmanager
def _bounded_parts(state: Mapping[str, Tensor]) -> Iterator[None]:
    """Stop building a network that has many more parameters, numbers or modules than its file.

    A parameter is counted when it is registered, which is before anything is written to its memory. The network is
    built twice, and parts of it, such as a classifier, may be made and left out.
    """
    numbers = sum(value.numel() for value in state.values())
    limits = {"parameters": 1000 + 4 * len(state), "numbers": _SPARE_NUMBERS + 4 * numbers, "modules": _MAX_MODULES}
    counts = dict.fromkeys(limits, 0)

    def add(kind: str, count: int) -> None:
        counts[kind] += count
        if counts[kind] > limits[kind]:
            raise CheckpointError(f"the network has more than {limits[kind]} {kind}")

    def count_parameter(module: nn.Module, name: str, value: Tensor | None) -> None:
        add("parameters", 1)
        add("numbers", 0 if value is None else value.numel())

    handles = (
        torch_module.register_module_parameter_registration_hook(count_parameter),
        torch_module.register_module_module_registration_hook(lambda *_: add("modules", 1)),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
