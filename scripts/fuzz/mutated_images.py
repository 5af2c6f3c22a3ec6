"""1,000 damaged, huge and odd image files: `python -m scripts.fuzz.mutated_images`.

Files of eight formats and nine modes, damaged in eight ways. Each is read whole or refused by one line; nothing
else may come out, and no file may take more than the limit of time or memory. JPEG has no checksum: what decodes to
other pixels than the sound file is counted, because only a hash finds it. Writes results/checks/mutated_images.json.
"""

import argparse
import io
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import track

from distill.images import Photo, decode_image
from distill.provenance import write_result
from scripts.fuzz.forked import Outcome, run_forked
from tests.support.mutants import mutant

OUT = "results/checks/mutated_images.json"
HANG_S = 20.0
MOST_MB = 1000
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "MPO")
_MODES = ("RGB", "L", "RGBA", "P", "1", "CMYK", "LA", "I;16", "F")
_SIDE = 120


def sound_files() -> dict[str, bytes]:
    """Return small files by format and mode, for every pair that the format can hold."""
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE + 16, 3), np.uint8)
    image = Image.fromarray(noise).resize((_SIDE * 2, _SIDE), Image.Resampling.BILINEAR)
    files = {}
    for format in _FORMATS:
        for mode in _MODES:
            stream = io.BytesIO()
            try:
                image.convert("I;16" if mode == "I;16" else mode).save(stream, format)
            except (OSError, ValueError, KeyError):
                continue
            files[f"{format} {mode}"] = stream.getvalue()
    return files


def huge_files() -> dict[str, bytes]:
    """Return files of few bytes that are images of very many pixels."""
    files = {}
    for width, height in ((10_000, 10_000), (10_001, 10_000), (20_000, 20_000), (1, 10**6), (10**6, 1)):
        for format in ("PNG", "TIFF"):
            options = {"compression": "tiff_lzw"} if format == "TIFF" else {"compress_level": 1}
            stream = io.BytesIO()
            Image.new("1", (width, height)).save(stream, format, **options)
            files[f"{format} 1 {width}x{height}"] = stream.getvalue()
    return files


def decode(content: bytes, expected: Photo | None) -> str:
    """Read an image; return whether it has the pixels of the sound file."""
    pixels = decode_image(content, "image")
    return "same pixels" if expected is not None and np.array_equal(pixels, expected) else "other pixels"


def _decoded(content: bytes) -> Photo | None:
    try:
        return decode_image(content, "image")
    except Exception:  # noqa: BLE001  a mode that is refused, as `F` is
        return None


def report(outcomes: list[tuple[str, Outcome]]) -> dict[str, Any]:
    """Return the counts by format."""
    by: dict[str, Counter[str]] = {}
    for name, outcome in outcomes:
        kind = outcome.text if outcome.kind == "ran" else outcome.kind
        by.setdefault(name.split()[0], Counter())[kind] += 1
    return {name: dict(sorted(count.items())) for name, count in sorted(by.items())}


def main() -> int:
    """Try all files."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args()
    start = time.monotonic()
    files, outcomes = sound_files(), []
    for name, content in huge_files().items():
        outcomes.append((f"huge {name}", run_forked(partial(decode, content, None), HANG_S)))
    names = sorted(files)
    expected = {name: _decoded(content) for name, content in files.items()}
    for number in track(range(options.count - len(outcomes)), description="damaged images"):
        name = names[number % len(names)]
        content = mutant(files[name], number)[1]
        outcomes.append((name, run_forked(partial(decode, content, expected[name]), HANG_S)))
    found = report(outcomes)
    kinds = {kind for count in found.values() for kind in count}
    peak = max(outcome.peak_mb for _, outcome in outcomes)
    result = {
        "files": len(outcomes), "passed": not kinds & {"raised", "crash", "hang"} and peak < MOST_MB,
        "slowest_s": round(max(outcome.seconds for _, outcome in outcomes), 2), "peak_mb": round(peak),
        "seconds": round(time.monotonic() - start), "found": found,
    }  # fmt: skip
    write_result(options.out, result)
    print(result, *(outcome for _, outcome in outcomes if outcome.kind in ("raised", "crash", "hang")), sep="\n")
    return 0 if result["passed"] else 1


def table(result: dict[str, Any]) -> str:
    """Return the counts of a result as a Markdown table."""
    lines = [f"{result['files']} damaged, huge and odd image files:", ""]
    lines += ["| format | refused | same pixels | other pixels | raised, crashed or hung |", "|---|---|---|---|---|"]
    for name, count in result["found"].items():
        known = [count.get(kind, 0) for kind in ("refused", "same pixels", "other pixels")]
        bad = sum(count.get(kind, 0) for kind in ("raised", "crash", "hang"))
        lines.append(f"| {name} | {' | '.join(map(str, known))} | {bad} |")
    return "\n".join([*lines, "", f"Slowest {result['slowest_s']} s, peak memory {result['peak_mb']} MB."])


if __name__ == "__main__":
    sys.exit(main())
