"""Photos of single faces for distillation without labels: `python -m scripts.generate.unlabelled_faces OUT FOLDER`.

Writes OUT/train/images and OUT/train/label.txt (WIDER FACE) with one detected box a photo; photos without a detected
face are left out. Run once for each folder: the photos are added. Train on the result with
`data.sets: [{format: wider, root: OUT, labels: none}]`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from distill.detection.detector import Detection, FaceDetector
from distill.errors import ImageError
from distill.images import Photo, read_image
from distill.inference.overlay import write_image
from distill.inference.sources import PHOTOS

_LONGEST = 512


def enlarged(photo: Photo, pad: int, zoom: float) -> Photo:
    """Return a photo with `pad` pixels of reflection on each side, resized by `zoom` and to 512 px at most."""
    photo = cv2.copyMakeBorder(photo, pad, pad, pad, pad, cv2.BORDER_REFLECT_101) if pad else photo
    zoom = min(zoom, _LONGEST / max(photo.shape[:2]))
    kind = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    return photo if zoom == 1 else cv2.resize(photo, None, fx=zoom, fy=zoom, interpolation=kind)


def central(faces: list[Detection], photo: Photo) -> Detection:
    """Return the face nearest to the middle of the photo."""
    middle = np.array([photo.shape[1], photo.shape[0]]) / 2
    return min(faces, key=lambda face: float(np.linalg.norm(np.array(face.box.centre) - middle)))


def add(out: Path, folder: Path, pad: int, zoom: float, limit: int | None, seed: int) -> tuple[int, int]:
    """Add the faces of a folder; return how many photos were added and how many were read."""
    images = out / "train/images"
    images.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOS)
    if limit is not None:
        paths = [paths[index] for index in sorted(np.random.default_rng(seed).permutation(len(paths))[:limit])]
    detector, added = FaceDetector(), 0
    with (out / "train/label.txt").open("a", encoding="utf-8") as labels:
        for number, path in enumerate(paths):
            try:
                photo = enlarged(read_image(path), pad, zoom)
            except ImageError as error:
                print(error)
                continue
            faces = detector(photo)
            if faces:
                box = central(faces, photo).box
                name = f"{folder.name}_{number:05d}.jpg"
                write_image(images / name, photo)
                labels.write(f"# {name}\n{box.x0:.1f} {box.y0:.1f} {box.width:.1f} {box.height:.1f}\n")
                added += 1
    return added, len(paths)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pad", type=int, default=0, help="pixels of reflection around photos cut close to the face")
    parser.add_argument("--zoom", type=float, default=1.0, help="enlarge small photos")
    parser.add_argument("--limit", type=int, help="take this many photos, drawn with --seed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    added, read = add(options.out, options.folder, options.pad, options.zoom, options.limit, options.seed)
    print(f"{options.out / 'train/label.txt'}: {added} faces added, of {read} photos")
