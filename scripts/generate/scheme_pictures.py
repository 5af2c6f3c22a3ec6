"""Draw the schemes a generated face has, or can be given, with their numbers and edges.

python -m scripts.generate.scheme_pictures [--out docs/images/schemes.jpg]
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from distill.data.synthetic import render_face
from distill.files import write_bytes
from distill.images.figures import png
from distill.landmarks import convert, is_exact, load_scheme

# Scheme drawn -> scheme of the generated face it is made from.
_SOURCES = {
    "ibug68": "ibug68",
    "wflw98": "wflw98",
    "inner51": "ibug68",
    "aflw19": "ibug68",
    "ten": "ibug68",
    "five": "five",
}
# A face that looks at the camera.
_SEED, _INDEX, _SIZE = 90001, 3, 512


def main() -> None:
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/schemes.jpg"))
    options = parser.parse_args()
    face = render_face(_SEED, _INDEX, _SIZE, difficulty=0.0)
    low, high = face.landmarks["wflw98"].min(0) - 25, face.landmarks["wflw98"].max(0) + 25
    figure = Figure(figsize=(15, 11), layout="constrained")
    for axes, (name, source) in zip(figure.subplots(2, 3).ravel(), _SOURCES.items(), strict=True):
        scheme, points = load_scheme(name), convert(face.landmarks[source], source, name)
        axes.imshow(face.image, alpha=0.55)
        for edge in scheme.edges:
            line = points[[*edge.points, *(edge.points[:1] if edge.closed else ())]]
            axes.plot(line[:, 0], line[:, 1], color="#1f77b4", linewidth=1)
        axes.scatter(points[:, 0], points[:, 1], s=8, color="#d62728", zorder=3)
        for index, (x, y) in enumerate(points):
            axes.text(x + 1.5, y - 1.5, str(index), fontsize=6 if len(points) > 40 else 9)
        made = "" if is_exact(source, name) else f" (approximate, from {source})"
        axes.set(title=f"{name}: {scheme.n_points} points{made}", xlim=(low[0], high[0]), ylim=(high[1], low[1]))
        axes.axis("off")
    picture = cv2.imdecode(np.frombuffer(png(figure), np.uint8), cv2.IMREAD_COLOR)
    write_bytes(options.out, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    print(options.out)


if __name__ == "__main__":
    main()
