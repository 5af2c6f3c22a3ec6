"""Write the landmarks of every photo of a list: python run_model.py image_list.txt OUTPUT_FOLDER

Model, rules and detector lie beside this file, so the working directory does not matter. A photo that fails is
reported in one line and gets a result without a face; the run goes on.
"""

import sys
from pathlib import Path

from distill.contest import Contest, format_result, guess_box, load_contest
from distill.detector import FaceDetector
from distill.errors import ConfigError, DistillError
from distill.files import write_text
from distill.geometry import Points
from distill.images import read_image
from distill.runtime import Landmarker

HERE = Path(__file__).resolve().parent


def read_list(path: Path) -> list[Path]:
    """Return the photos of a list: one path per line, relative to the working directory or to the list.

    Of photos that would write the same result file the first is kept and the others are reported.

    Raises:
        ConfigError: the list cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: unreadable list of photos ({error}); give a text file, one path a line") from error
    names = [Path(line.strip()) for line in lines if line.strip()]
    photos: dict[str, Path] = {}
    for name in names:
        photo = name if name.is_file() else path.resolve().parent / name
        if photos.setdefault(photo.stem, photo) != photo:
            print(f"run_model: {photo}: left out, {photos[photo.stem]} has the same result file", file=sys.stderr)
    return list(photos.values())


def predict(photo: Path, landmarker: Landmarker, contest: Contest) -> list[Points]:
    """Return the faces (k, 2) of a photo, or the contest's guess when none is found."""
    pixels = read_image(photo)
    faces = [face.landmarks for face in landmarker(pixels)]
    if not faces and contest.no_face == "guess":
        height, width = pixels.shape[:2]
        faces = [landmarker.landmarks(pixels, guess_box(contest, width, height))]
    return faces


def run(image_list: Path, output: Path) -> None:
    """Write one result file per photo."""
    contest = load_contest(HERE / "contest.yaml")
    photos = read_list(image_list)
    landmarker = Landmarker(HERE / contest.model_name, FaceDetector(HERE / "detector"))
    output.mkdir(parents=True, exist_ok=True)
    for photo in photos:
        try:
            text = format_result(predict(photo, landmarker, contest), contest)
        except Exception as error:  # noqa: BLE001 - one bad photo must not cost the others their results
            kind = "" if isinstance(error, DistillError) else f"{photo}: {type(error).__name__}: "
            print(f"run_model: {kind}{' '.join(str(error).split())}", file=sys.stderr)
            text = ""
        if text or contest.no_face != "skip":
            write_text(output / f"{photo.stem}.txt", text)


def main() -> None:
    """Run from the command line; exit 2 only when nothing can be done at all."""
    if len(sys.argv) != 3:
        sys.exit("usage: python run_model.py image_list.txt OUTPUT_FOLDER")
    try:
        run(Path(sys.argv[1]), Path(sys.argv[2]))
    except DistillError as error:
        print(f"run_model: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
