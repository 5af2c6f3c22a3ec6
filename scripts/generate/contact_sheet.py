"""Write the README's picture of generated faces: plain ones above, the same kind with their landmarks below.

python -m scripts.generate.contact_sheet [--out docs/images/generated_faces.jpg] [--seed 15]
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from distill.data.synthetic import contact_sheet
from distill.files import write_bytes

_COLUMNS, _ROWS = 6, 4
_LIMIT = 400 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/generated_faces.jpg"))
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--size", type=int, default=200)
    options = parser.parse_args()
    half = _COLUMNS * _ROWS // 2
    plain = contact_sheet(options.seed, half, _COLUMNS, options.size)
    marked = contact_sheet(options.seed, half, _COLUMNS, options.size, "ibug68")
    sheet = np.concatenate([plain, marked])[..., ::-1]
    for quality in range(92, 40, -4):
        content = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(content) <= _LIMIT:
            break
    write_bytes(options.out, content)
    print(f"{options.out}: {sheet.shape[1]} x {sheet.shape[0]}, {len(content) // 1024} KB, quality {quality}")


if __name__ == "__main__":
    main()
