"""`distill data pack`: all training and validation faces in one file."""

from pathlib import Path

from distill.data.config import DataConfig


def pack(
    out: Path,
    data: DataConfig = DataConfig(),  # noqa: B008  frozen
    seed: int = 0,
    size: int = 256,
    margin: float = 2.0,
    quality: int = 85,
    workers: int = 2,
) -> int:
    """Write the crops of all training and validation faces into one file.

    Args:
        out: the file, `.safetensors`; scripts/studies/full_size.py trains from it.
        data: the faces, split as `distill teacher` with the same options splits them; sets without labels are packed as
            unlabelled faces.
        seed: of the split.
        size: largest side of a stored crop in pixels.
        margin: side of a stored crop in units of the longer side of the face box.
        quality: of the WebP compression.
        workers: threads.
    """
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
    print(f"{out}: {counts} faces, {written / 2**20:.1f} MiB")
    return 0
