"""HTML page to label faces with categories: a crop of each face, boxes to tick, and a button that saves a CSV.

The page is one file that loads nothing. Ticks are kept by the browser until the CSV is saved.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape

import cv2

from distill.data.categories import FACE
from distill.data.records import FaceRecord
from distill.errors import ConfigError
from distill.geometry import CropSpec, box_of_points, crop_affine
from distill.images import read_image, warp

_SCALE, _QUALITY = 1.6, 85
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Categories of faces</title>
<style>
body {{ font: 15px sans-serif; margin: 1em; }}
header {{ position: sticky; top: 0; background: #fff; padding: .5em 0; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({size}px, 1fr)); gap: 12px; }}
figure {{ margin: 0; }} img {{ display: block; }} label {{ display: block; }}
figcaption {{ font-size: 11px; overflow-wrap: anywhere; }}
</style>
<header><button id="save">Save categories.csv</button> {count} faces.
A box that is not ticked means no.</header>
<main>
{figures}
</main>
<script>
const categories = {categories};
const boxes = [...document.querySelectorAll("input")];
const key = box => "distill label\\n" + box.dataset.face + "\\n" + box.dataset.category;
for (const box of boxes) {{
  box.checked = localStorage.getItem(key(box)) === "1";
  box.onchange = () => localStorage.setItem(key(box), box.checked ? "1" : "0");
}}
const quoted = text => '"' + text.replaceAll('"', '""') + '"';
document.getElementById("save").onclick = () => {{
  const lines = [["{face}", ...categories].map(quoted).join(",")];
  for (const figure of document.querySelectorAll("figure")) {{
    const ticks = [...figure.querySelectorAll("input")].map(box => box.checked ? "1" : "0");
    lines.push([quoted(figure.dataset.face), ...ticks].join(","));
  }}
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\\n") + "\\n"], {{ type: "text/csv" }}));
  link.download = "categories.csv";
  link.click();
}};
</script>
</html>
"""


def label_page(faces: Iterable[FaceRecord], categories: Sequence[str], size: int = 180) -> str:
    """Return the page.

    Args:
        faces: the faces to label.
        categories: their names, in order.
        size: side of a crop in pixels.

    Raises:
        ConfigError: no category, one twice, or one that a column of the CSV cannot have as its name.
        ImageError: a photo that cannot be read.
    """
    _require_names(categories)
    figures = [_figure(face, categories, size) for face in faces]
    # A "<" in a string would end the script if a "/script>" followed.
    names = json.dumps(list(categories)).replace("<", "\\u003c")
    return _PAGE.format(size=size, count=len(figures), figures="\n".join(figures), categories=names, face=FACE)


def _require_names(categories: Sequence[str]) -> None:
    if not categories:
        raise ConfigError("--categories: give at least one, such as male female")
    for name in categories:
        if not name.strip() or name == FACE or categories.count(name) > 1 or "\n" in name:
            raise ConfigError(f"--categories {name!r}: give other names, each once and none of them {FACE!r}")


def _figure(face: FaceRecord, categories: Sequence[str], size: int) -> str:
    box = face.boxes.get("gt") or face.boxes.get("dataset") or box_of_points(face.landmarks[face.known])
    crop = warp(read_image(face.image), crop_affine(box, CropSpec(size, _SCALE)), size)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    picture = base64.b64encode(encoded.tobytes()).decode()
    name = escape(face.name)
    ticks = "".join(
        f'<label><input type="checkbox" data-face="{name}" data-category="{escape(category)}"> '
        f"{escape(category)}</label>"
        for category in categories
    )
    image = f'<img width="{size}" height="{size}" alt="" src="data:image/jpeg;base64,{picture}">'
    return f'<figure data-face="{name}">{image}<figcaption>{name}</figcaption>{ticks}</figure>'
