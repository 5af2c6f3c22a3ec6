"""`distill data synth DIR` writes generated faces; `distill data sheet PNG` draws any faces with their points."""

from collections.abc import Callable
from pathlib import Path

from distill.config import FacesConfig
from distill.errors import ConfigError, suggest
from distill.options import options_of, parse


def synth(
    root: Path, count: int = 2000, seed: int = 0, size: int = 256, difficulty: float = 1.0, workers: int = 2
) -> int:
    """Write generated faces with exact landmarks and a manifest; run again to continue.

    Args:
        root: folder, empty or begun by the same command.
        count: faces; 80 % are `train`, 10 % `val`, 10 % `test`.
        seed: other seeds are other people.
        size: side of the pictures in pixels.
        difficulty: 1 is every pose, light, occluder and camera fault; 0 is frontal, evenly lit and clean.
        workers: processes.
    """
    from rich.progress import Progress

    from distill.data.synthetic import write_faces

    with Progress() as progress:
        task = progress.add_task("rendering faces", total=count)

        def show(done: int) -> None:
            progress.update(task, completed=done)

        manifest = write_faces(root, count, seed, size, workers=workers, difficulty=difficulty, progress=show)
    print(f"{manifest}: {count} faces")
    return 0


def sheet(out: Path, data: FacesConfig = FacesConfig(), count: int = 24) -> int:  # noqa: B008  frozen
    """Draw faces with their points, to see whether they were read right.

    Args:
        out: a PNG.
        data: the faces.
        count: how many, evenly spread.
    """
    from distill.data.crops import face_crops
    from distill.data.readers import parse_subsets, read_faces
    from distill.files import write_bytes
    from distill.geometry import CropSpec, denormalise
    from distill.landmarks import load_scheme
    from distill.pictures import contact_sheet
    from distill.spec import ModelSpec

    scheme = read_faces(data.format, data.root, parse_subsets(data.subset))[0].scheme
    spec = ModelSpec("none", scheme, load_scheme(scheme).n_points, CropSpec(size=192, scale=1.3))
    crops, points = face_crops(spec, count, data.format, data.root, data.subset)
    images = (crops * 255).astype("uint8")
    write_bytes(out, contact_sheet(list(images), list(denormalise(points, 192, 192)), columns=6))
    print(out)
    return 0


_ACTIONS: dict[str, tuple[Callable[..., int], str]] = {"synth": (synth, "root"), "sheet": (sheet, "out")}


def run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: distill data synth DIR [options]\n       distill data sheet PNG [options]")
        return 0
    if argv[0] not in _ACTIONS:
        raise ConfigError(f"unknown action 'data {argv[0]}': {suggest(argv[0], list(_ACTIONS))}")
    action, positional = _ACTIONS[argv[0]]
    description = (action.__doc__ or "").splitlines()[0]
    return action(**parse(options_of(f"data {argv[0]}", description, action, positional), argv[1:], positional))
