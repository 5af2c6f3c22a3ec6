"""`distill data pack`: all faces in one file, or in shards."""

from pathlib import Path

from distill.cli.console import counted, shown_size
from distill.data.config import DataConfig
from distill.errors import ConfigError


def pack(
    out: Path,
    data: DataConfig = DataConfig(),  # noqa: B008  frozen
    seed: int = 0,
    size: int = 256,
    margin: float = 2.0,
    quality: int = 85,
    workers: int = 2,
    shards: int = 0,
) -> int:
    """Write the crops of all training and validation faces into one file, or of all faces into shards.

    Args:
        out: the file, `.safetensors`; scripts/studies/full_size.py trains from it. With `--shards`, the folder, which
            `--data.format shards` reads; run again to continue.
        data: the faces, split as `distill teacher` with the same options splits them; sets without labels are packed as
            unlabelled faces.
        seed: of the split.
        size: largest side of a stored crop in pixels.
        margin: side of a stored crop in units of the longer side of the face box.
        quality: of the WebP compression.
        workers: threads, of shards processes.
        shards: faces in a shard, such as 10000; 0 writes one file. Shards hold every face, or those of `--data.subset`;
            a training splits them as the data set they come from.
    """
    if shards:
        return _pack_shards(out, data, shards, (size, margin, quality), workers)
    from rich.progress import Progress

    from distill.data.pack import ROLES, packed_roles, write_pack
    from distill.data.prepare import StoreSpec
    from distill.files import require_writable

    require_writable(out)
    faces, crop = packed_roles(data, seed)
    with Progress() as progress:
        task = progress.add_task("cutting out faces", total=len(faces))

        def show(done: int) -> None:
            progress.update(task, completed=done)

        written = write_pack(out, faces, crop, StoreSpec(size, margin, quality), data.boxes[0], workers, show)
    counts = ", ".join(f"{sum(role == name for role, _ in faces)} {name}" for name in ROLES)
    print(f"{out}: {counts} faces, {shown_size(written)}")
    return 0


def _pack_shards(out: Path, data: DataConfig, shards: int, crops: tuple[int, float, int], workers: int) -> int:
    from rich.progress import Progress

    from distill.data.prepare import StoreSpec
    from distill.data.readers import iterate_faces, parse_subsets
    from distill.data.shards.write import write_shards
    from distill.landmarks import scheme_name

    for name, value in {"val_subset": data.val_subset, "test_subset": data.test_subset}.items():
        if value is not None:
            raise ConfigError(f"--data.{name} has no effect on --shards: give it to the training, which splits them")
    scheme = scheme_name(data.scheme)
    faces = iterate_faces(data.format, data.root, parse_subsets(data.subset), scheme)
    about = {"source": data.format, "preset": data.preset}
    with Progress() as progress:
        task = progress.add_task("packing faces", total=None)

        def show(done: int) -> None:
            progress.update(task, completed=done)

        leave_out = data.unfit_faces == "leave_out"
        index = write_shards(out, faces, scheme, shards, StoreSpec(*crops), about, workers, leave_out, show)
    subsets = ", ".join(f"{count} {name or 'faces'}" for name, count in index["subsets"].items())
    size = sum(shard["bytes"] for shard in index["shards"])
    print(f"{out}: {subsets}; {counted(len(index['shards']), 'shard')}, {shown_size(size)}")
    return 0
