"""`distill data label`: a page to label faces with categories."""

from pathlib import Path

from distill.data.config import FacesConfig
from distill.errors import ConfigError

# Those of the thesis on landmarks for phones, table 8.
_CATEGORIES = ("male", "female", "young", "old", "occlusion", "expression", "pose", "lighting")


def label(
    out: Path,
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    categories: list[str] = list(_CATEGORIES),  # noqa: B006  never changed
    size: int = 180,
) -> int:
    """Write a page to label faces with categories, for `distill evaluate --suite full --categories`.

    Args:
        out: an HTML file, to be opened in a browser; it holds the faces, loads nothing and saves a CSV.
        data: the faces; the official test faces of the data set by default.
        categories: what can be ticked for each face.
        size: side of a face in pixels.
    """
    from distill.data.label_page import label_page
    from distill.data.readers import parse_subsets, read_faces
    from distill.files import require_writable, write_text

    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{out}: the page is HTML; give a name that ends in .html")
    if size < 16:
        raise ConfigError(f"--size {size}: take 16 or more")
    require_writable(out)
    faces = data.test_faces()
    records = read_faces(faces.format, faces.root, parse_subsets(faces.subset))
    write_text(out, label_page(records, categories, size))
    print(f"{out}  {len(records)} faces; open it in a browser, tick, and save categories.csv")
    return 0
