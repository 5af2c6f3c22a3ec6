"""`distill data synth`: write generated faces with exact landmarks."""

from pathlib import Path


def synth(
    root: Path,
    count: int = 2000,
    seed: int = 0,
    size: int = 256,
    difficulty: float = 1.0,
    workers: int = 2,
    subsets: dict[str, float] | None = None,
) -> int:
    """Write generated faces with exact landmarks and a manifest; run again to continue.

    Args:
        root: folder, empty or begun by the same command.
        count: faces.
        seed: another seed gives other faces.
        size: side of the images in pixels.
        difficulty: 1 is every pose, light, occluder and camera fault; 0 is frontal, evenly lit and without degradation.
        workers: processes.
        subsets: name and share of each subset; by default 80 % `train`, 10 % `val`, 10 % `test`.
    """
    from rich.progress import Progress

    from distill.data.synthetic import write_faces
    from distill.data.synthetic.write import require_possible

    require_possible(count, size, workers)  # before a bar is drawn
    with Progress() as progress:
        task = progress.add_task("rendering faces", total=count)

        def show(done: int) -> None:
            progress.update(task, completed=done)

        manifest = write_faces(root, count, seed, size, subsets, workers=workers, difficulty=difficulty, progress=show)
    print(f"{manifest}: {count} faces")
    return 0
