"""Metadata of exported landmark files: what the image is, what the points are, how they return to the photo."""

from distill.landmarks import Scheme, load_scheme
from distill.spec import ModelSpec
from distill.tflite.metadata import ImageInput, Output, with_metadata
from distill.tflite.serialization import read_model

_LABELS = "landmarks.txt"


def point_names(scheme: Scheme) -> list[str]:
    """Return a name for each point: the first of the scheme's groups that has it, and its number there."""
    names = [f"point_{index}" for index in range(scheme.n_points)]
    for group, points in reversed(list(scheme.groups.items())):
        for number, point in enumerate(points):
            names[point] = f"{group}_{number}"
    return names


def with_landmark_metadata(blob: bytes, spec: ModelSpec, name: str, license: str = "", batch: int = 1) -> bytes:
    """Return a landmark file with metadata for standard readers.

    Args:
        blob: the file; its outputs are the landmarks, then perhaps their confidence.
        spec: of the network.
        name: of the model.
        license: of the weights; empty where it is not known.
        batch: faces of one call.
    """
    size, scheme = spec.crop.size, load_scheme(spec.scheme)
    faces = "one face" if batch == 1 else f"each of {batch} faces"
    about = {
        "name": name,
        "description": f"{spec.n_points} facial landmarks (scheme {spec.scheme}) of {faces}; network {spec.arch}",
        "license": license,
    }
    image = ImageInput("image", _crop(spec), 0.0, 255.0)
    landmarks = f"x and y of {spec.n_points} points from 0 to 1; in pixels of the crop {size} * value - 0.5"
    outputs = [Output("landmarks", landmarks, _LABELS)]
    if len(read_model(blob).main.outputs) > 1:
        outputs.append(Output("confidence", "of each point, from 0 to 1", _LABELS))
    return with_metadata(blob, about, [image], outputs, {_LABELS: "\n".join(point_names(scheme)) + "\n"})


def _crop(spec: ModelSpec) -> str:
    crop = spec.crop
    moved = f"its centre {crop.shift_y:g} longer sides below the box's" if crop.shift_y else "centred on the box"
    return (
        f"RGB in [0, 1], {crop.size} x {crop.size} px: a square around a face, {crop.scale:g} times as wide as the "
        f"longer side of the tight box of the points, {moved}"
    )
