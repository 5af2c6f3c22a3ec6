"""Write the clip of `distill demo web` for README and guide: two generated faces, two models, as animated WebP.

python -m scripts.generate.web_clip [--out docs/images/web.webp] [--frames 24]

Needs Chromium (`DISTILL_CHROMIUM` where it is not on PATH) and LiteRT.js (docs/how-to/web.md). The pictures are shown
one after the other, so that the clip does not depend on the speed of the machine; the row of times is left out.
"""

import argparse
import io
import tempfile
from pathlib import Path

import cv2
from PIL import Image

from distill.files import write_bytes
from scripts.web.browser import Browser
from scripts.web.camera import camera_frames
from scripts.web.demo import choose_model, open_demo, show_photo

MODELS = ("student_68_128_fp16", "efld_51_128_int8")
_MILLISECONDS = 90
_WINDOW = (520, 620)
_QUALITY = 70
# From the top of the page to the lower edge of the controls.
_SHOWN = "document.querySelector('.controls').getBoundingClientRect().bottom + 12"


def record(browser: Browser, frames: int) -> list[Image.Image]:
    """Return the page with every frame and model."""
    browser.resize(*_WINDOW)
    pictures = list(camera_frames(frames))
    shown: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "frame.png"
        for model in MODELS:
            choose_model(browser, model)
            for frame in pictures:
                cv2.imwrite(str(photo), frame[..., ::-1])
                show_photo(browser, photo)
                region = {"x": 0, "y": 0, "width": _WINDOW[0], "height": int(browser.evaluate(_SHOWN)), "scale": 1}
                shown.append(Image.open(io.BytesIO(browser.picture(clip=region))).convert("RGB"))
    return shown


def animated(pictures: list[Image.Image]) -> bytes:
    """Return pictures as an animated WebP that repeats."""
    content = io.BytesIO()
    first, *others = pictures
    first.save(
        content, "WEBP", save_all=True, append_images=others, duration=_MILLISECONDS, loop=0, quality=_QUALITY, method=6
    )
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/web.webp"))
    parser.add_argument("--frames", type=int, default=24, help="of each model")
    options = parser.parse_args()
    with open_demo() as browser:
        write_bytes(options.out, animated(record(browser, options.frames)))
    print(f"{options.out}  {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
