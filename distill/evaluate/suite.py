"""Every question about one model, asked in one go, answered in one dictionary."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from distill.errors import ConfigError
from distill.evaluate.agreement import agreement
from distill.evaluate.evaluate import UNCHANGED, measure
from distill.evaluate.faces import FaceSet
from distill.evaluate.jitter import still_stability, video_stability
from distill.evaluate.result import Evaluation
from distill.evaluate.robustness import robustness
from distill.evaluate.subgroups import by_slice
from distill.evaluate.uncertainty import calibration
from distill.inference.backend import Backend

_VIDEOS = (".mpg", ".mpeg", ".mp4", ".avi", ".mov", ".mkv", ".webm")


def run_suite(
    backend: Backend,
    faces: FaceSet,
    evaluation: Evaluation,
    teacher: Backend | None = None,
    videos: Sequence[Path] = (),
    progress: bool = True,
) -> dict[str, Any]:
    """Return `slices`, `robustness`, `stability`, `calibration` and, with a teacher, `agreement`, ready for JSON.

    Args:
        faces: what `evaluation` was measured on.
        evaluation: of `backend` on the faces as they are.
        teacher: another model for the same points.
        videos: clips that show one face throughout.

    Raises:
        ConfigError: a teacher of other points, or a video without a face.
    """
    found: dict[str, Any] = {
        "slices": by_slice(evaluation, faces),
        "robustness": robustness(backend, faces, evaluation, progress),
        "calibration": calibration(backend, faces),
    }
    if "ocular" in faces.distances:
        found["stability"] = still_stability(backend, faces, progress=progress)
        if videos:
            found["stability"]["video"] = video_stability(backend, videos, progress=progress)
    if teacher is not None:
        theirs = measure(teacher, faces, "teacher", flip_tta=evaluation.protocol.flip_tta, progress=progress)
        found["agreement"] = agreement(evaluation, theirs[UNCHANGED])
    return found


def list_videos(folder: Path) -> list[Path]:
    """Return the videos of a folder, sorted.

    Raises:
        ConfigError: there are none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in _VIDEOS) if folder.is_dir() else []
    if not found:
        raise ConfigError(f"{folder}: no videos here; give a folder with files ending in {', '.join(_VIDEOS)}")
    return found


def render_suite(suite: dict[str, Any]) -> Group:
    """Return rich tables of `run_suite`'s answers."""
    kinds = Table(title="kinds of faces", title_justify="left")
    for column in ("kind", "faces", "NME %", "95 %", "FR@10 %"):
        kinds.add_column(column, justify="left" if column == "kind" else "right")
    for kind, parts in suite["slices"].items():
        for name, v in parts.items():
            interval = f"{v['low_percent']:.2f} to {v['high_percent']:.2f}"
            kinds.add_row(
                f"{kind}: {name}", str(v["faces"]), f"{v['nme_percent']:.2f}", interval, f"{v['fr10_percent']:.2f}"
            )
    worse = Table(title="NME % as photos get worse", title_justify="left")
    worse.add_column("test: level")
    worse.add_column("NME % at each level", overflow="fold")
    for test, found in suite["robustness"].items():
        points = (f"{p['level']:g}: {p['nme_percent']:.2f}" for p in found["points"])
        worse.add_row(f"{test}: {found['level']}", "   ".join(points))
    return Group(kinds, worse, *_sentences(suite))


def _sentences(suite: dict[str, Any]) -> list[str]:
    lines = []
    if stability := suite.get("stability"):
        noise = ", ".join(f"{value:.2f} at {sigma}" for sigma, value in stability["noise_percent"].items())
        lines.append(
            f"points tremble by (% of the eye distance): noise {noise}; motion {stability['motion_percent']:.2f}"
        )
    if video := (suite.get("stability") or {}).get("video"):
        fixed, detected = video["fixed_box_percent"], video["detected_box_percent"]
        lines.append(f"in {video['videos']} videos {fixed:.2f} with a fixed box, {detected:.2f} with the detector's")
    if known := suite.get("calibration"):
        inside = ", ".join(
            f"{value:.0f} % in the {level} % ellipses" for level, value in known["inside_percent"].items()
        )
        lines.append(f"of the errors lie {inside}; ellipses should be {known['scale']:.2f} times as large")
    if taken := suite.get("agreement"):
        copied = "none to copy" if taken["copied_percent"] is None else f"{taken['copied_percent']:.0f} % copied"
        lines.append(
            f"from the teacher: {taken['distance_percent']:.2f} % of the eye distance apart, errors correlate by "
            f"{taken['error_correlation']:.2f}, of {taken['teacher_mistakes']} mistakes {copied}"
        )
    return lines
