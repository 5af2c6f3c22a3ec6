"""Write the README's picture: landmarks of the default model on generated faces it was not trained on.

python -m scripts.generate.predictions_picture [--out docs/images/predictions.jpg] [--seed 1]
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from distill.cli.main import main as distill
from distill.data.readers import read_faces
from distill.evaluate.evaluate import evaluate
from distill.files import write_bytes
from distill.pretrained.registry import DEFAULT_MODEL, resolve_model
from distill.report.gallery import gallery

_FACES = 18


def picture(seed: int) -> bytes:
    """Return the picture as JPEG: prediction blue, annotation orange, the NME below each face."""
    with tempfile.TemporaryDirectory() as folder:
        if status := distill(["data", "synth", folder, "--count", str(_FACES), "--seed", str(seed)]):
            raise SystemExit(status)
        model = resolve_model(DEFAULT_MODEL)
        result = evaluate(model, format="manifest", root=folder, subset="all", boxes="gt")
        faces = read_faces("manifest", Path(folder), None, result.protocol.scheme)
        drawn = gallery(result, faces, range(_FACES))
    sheet = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/predictions.jpg"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write_bytes(options.out, picture(options.seed))


if __name__ == "__main__":
    main()
