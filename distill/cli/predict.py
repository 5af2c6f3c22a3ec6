"""`distill predict PHOTO ...`: faces and their landmarks in photos."""

import sys
from collections.abc import Sequence
from pathlib import Path

from distill.cli.options import options_of, parse
from distill.errors import ConfigError, ImageError

_DESCRIPTION = "Find faces and their landmarks in photos; needs neither torch nor tensorflow."
DEFAULT_MODEL = Path("checkpoints/student_128_turned_fp16.tflite")


def predict(
    photos: list[Path] = [],  # noqa: B006  never changed
    model: Path = DEFAULT_MODEL,
    json: Path | None = None,
    draw: Path | None = None,
    threads: int = 1,
) -> int:
    """Predict landmarks; a photo that cannot be read is reported and skipped, and the exit status is then 1.

    Args:
        photos: image files.
        model: a .tflite or .onnx file with its .json beside it.
        json: write all points here.
        draw: folder for copies of the photos with the points drawn in.
        threads: CPU threads.
    """
    from distill.files import require_writable, write_json
    from distill.images import read_image
    from distill.inference.landmarker import Landmarker
    from distill.inference.overlay import draw_points, write_image

    if not photos:
        raise ConfigError("no photos given: distill predict PHOTO ...")
    pictures = _pictures(photos, draw) if draw is not None else {}
    require_writable(json, *list(pictures.values())[:1])
    landmarker, found, broken = Landmarker(model, threads=threads), {}, 0
    for path in photos:
        try:
            photo = read_image(path)
        except ImageError as error:
            print(f"error: {error}", file=sys.stderr)
            broken += 1
            continue
        faces = landmarker(photo)
        found[str(path)] = [
            {
                "score": round(float(face.score), 4),
                "box": [round(float(v), 2) for v in face.box],
                "points": face.landmarks.astype(float).round(3).tolist(),
            }
            for face in faces
        ]
        print(f"{path}: {len(faces)} face{'s' * (len(faces) != 1)}")
        if path in pictures:
            write_image(pictures[path], draw_points(photo, [face.landmarks for face in faces]))
    if json is not None:
        write_json(json, {"model": model.name, "scheme": landmarker.spec.scheme, "photos": found})
    return 1 if broken else 0


def _pictures(photos: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return where each photo is drawn.

    Raises:
        ConfigError: two photos would be drawn to one file.
    """
    targets: dict[Path, Path] = {}
    for path in dict.fromkeys(photos):
        target = folder / f"{path.stem}.png"
        if target in targets.values():
            raise ConfigError(
                f"--draw: {path} is not the only photo drawn as {target}; draw them into different folders"
            )
        targets[path] = target
    return targets


def run(argv: list[str]) -> int:
    return predict(**parse(options_of("predict", _DESCRIPTION, predict, "photos..."), argv, "photos..."))
