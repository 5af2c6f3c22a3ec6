"""Does run_model.py keep its memory level over a long list? Watched from outside while it runs. Linux only."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError, SubmissionError
from distill.files import write_bytes, write_text
from distill.submission.samples import sample_photos

_PAGE_MB = (os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096) / 1e6
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Endurance:
    """Resident memory of one call with many photos.

    Attributes:
        photos: in the list.
        seconds: of the call.
        tenths_mb: median while each tenth of the results was written; the first tenth is warm-up.
        peak_mb: greatest value seen.
    """

    photos: int
    seconds: float
    tenths_mb: tuple[float, ...]
    peak_mb: float

    @property
    def growth_mb(self) -> float:
        """The last tenth against the second."""
        return self.tenths_mb[-1] - self.tenths_mb[1]


def mixed_photos(folder: Path, count: int) -> list[Path]:
    """Return `count` names for eight photos in turn: one, several and no face in two sizes, half a file, and text."""
    small = sample_photos(folder)
    kinds = list(small)
    for photo in small[:3]:
        kinds.append(photo.with_name(f"large_{photo.stem}.jpg"))
        write_bytes(kinds[-1], cv2.imencode(".jpg", cv2.resize(cv2.imread(str(photo)), None, fx=3, fy=3))[1].tobytes())
    kinds.append(folder / "text.jpg")
    write_text(kinds[-1], "this is no photo")
    names = [folder / f"photo_{index:05d}{kinds[index % len(kinds)].suffix}" for index in range(count)]
    for index, name in enumerate(names):
        name.symlink_to(kinds[index % len(kinds)].absolute())
    return names


def endure(package: Path, python: str | Path, photos: Sequence[Path], folder: Path, seconds: float) -> Endurance:
    """Run an unpacked package on photos, each of which must give a result file, and watch its memory.

    Args:
        package: folder with run_model.py.
        python: interpreter that has the package's requirements.
        photos: at least ten, mixed evenly, so that the last ones are as large as the first ones.
        folder: empty folder for the list and the results.
        seconds: after which the call is killed.

    Raises:
        ConfigError: no /proc here, or fewer than ten photos.
        SubmissionError: the call fails, takes too long, or leaves a photo without a result.
    """
    if not Path("/proc/self/statm").is_file() or len(photos) < 10:
        raise ConfigError(f"{len(photos)} photos: memory is watched over ten or more, on Linux only")
    image_list, output, log = folder / "photos.txt", folder / "results", folder / "log.txt"
    write_text(image_list, "".join(f"{photo.absolute()}\n" for photo in photos))
    output.mkdir()
    began, samples = time.perf_counter(), []
    command = [str(python), str(package / "run_model.py"), str(image_list), str(output)]
    with log.open("w") as output_file, subprocess.Popen(command, stdout=output_file, stderr=output_file) as process:
        while process.poll() is None:
            samples.append((_count(output), _resident_mb(process.pid)))
            if time.perf_counter() - began > seconds:
                process.kill()
                raise SubmissionError(f"run_model.py took more than {seconds:.0f} s for {len(photos)} photos")
            time.sleep(_POLL_SECONDS)
    whole = time.perf_counter() - began
    written = _count(output)
    if process.returncode or written != len(photos):
        last = (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise SubmissionError(f"run_model.py: status {process.returncode}, {written} of {len(photos)} results: {last}")
    return _summary(np.array(samples, np.float64), len(photos), whole)


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB
    except (OSError, IndexError):
        return 0.0  # it ended between two looks


def _summary(samples: NDArray[np.float64], photos: int, seconds: float) -> Endurance:
    samples = samples[samples[:, 1] > 0]
    tenth_of = np.minimum(samples[:, 0] * 10 // photos, 9)
    tenths = [samples[tenth_of == tenth, 1] for tenth in range(10)]
    if not all(map(len, tenths)):
        raise SubmissionError(f"{photos} photos in {seconds:.2f} s were too few to watch; give more")
    return Endurance(photos, seconds, tuple(float(np.median(values)) for values in tenths), float(samples[:, 1].max()))
