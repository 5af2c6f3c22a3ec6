"""`distill data sheet`: draw faces with their landmarks."""

from pathlib import Path

from distill.data.config import FacesConfig
from distill.errors import ConfigError


def sheet(out: Path, data: FacesConfig = FacesConfig(), count: int = 24) -> int:  # noqa: B008  frozen
    """Draw faces with their landmarks, to check that they were read correctly.

    Args:
        out: a PNG.
        data: the faces.
        count: number of faces, evenly spread.
    """
    from distill.data.crops import face_crops
    from distill.data.readers import parse_subsets, read_faces
    from distill.files import require_writable, write_bytes
    from distill.geometry import CropSpec, denormalise
    from distill.images.figures import contact_sheet
    from distill.landmarks import load_scheme
    from distill.spec import ModelSpec

    if out.suffix.lower() != ".png":
        raise ConfigError(f"{out}: the sheet is a PNG; give a name that ends in .png")
    require_writable(out)
    scheme = read_faces(data.format, data.root, parse_subsets(data.subset))[0].scheme
    spec = ModelSpec("none", scheme, load_scheme(scheme).n_points, CropSpec(size=192, scale=1.3))
    crops, points = face_crops(spec, count, data.format, data.root, data.subset)
    images = (crops * 255).astype("uint8")
    write_bytes(out, contact_sheet(list(images), list(denormalise(points, 192, 192)), columns=6))
    print(out)
    return 0
