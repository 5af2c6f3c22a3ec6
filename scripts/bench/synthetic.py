"""How many faces a second one core renders.

python -m scripts.bench.synthetic [--count 200] [--size 256]
"""

import argparse
import time

import cv2
import numpy as np

from distill.data.synthetic import render_face


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for index in range(20):  # fills the caches of noise and weights
        render_face(1, index, options.size)
    seconds = np.empty(options.count)
    for index in range(options.count):
        # Time of this thread, so that other programs on the machine count less.
        start = time.thread_time()
        face = render_face(0, index, options.size)
        cv2.imencode(".jpg", face.image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        seconds[index] = time.thread_time() - start
    mean, middle = seconds.mean(), np.median(seconds)
    print(f"{options.count} faces of {options.size} px, JPEG included: {1 / mean:.1f} images/s on one core", end=" ")
    print(f"(mean {1000 * mean:.1f} ms, median {1000 * middle:.1f} ms, slowest {1000 * seconds.max():.1f} ms)")


if __name__ == "__main__":
    main()
