"""All measurements of one model: subgroups, robustness, calibration, jitter and agreement with a teacher."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from distill.data.categories import with_categories
from distill.errors import ConfigError
from distill.evaluate.agreement import agreement
from distill.evaluate.evaluate import UNCHANGED, load, measure
from distill.evaluate.faces import FaceSet
from distill.evaluate.jitter import still_jitter, video_jitter
from distill.evaluate.result import Evaluation
from distill.evaluate.robustness import robustness
from distill.evaluate.subgroups import by_subgroup
from distill.evaluate.uncertainty import calibration
from distill.inference.backend import Backend
from distill.inference.load import open_backend

_VIDEOS = (".mpg", ".mpeg", ".mp4", ".avi", ".mov", ".mkv", ".webm")


def evaluate_with_suite(
    model: str | Path,
    *,
    teacher: str | Path | None = None,
    videos: Path | None = None,
    categories: Path | None = None,
    flip_tta: bool = False,
    progress: bool = True,
    measured: Callable[[Evaluation], None] | None = None,
    **faces: Any,
) -> tuple[Evaluation, dict[str, Any]]:
    """Measure a model as `distill.evaluate` does, and then everything of `run_suite`.

    Args:
        model: a checkpoint, ONNX or TFLite file.
        teacher: another model of the same landmarks, for the agreement of the errors.
        videos: folder of clips that show one face throughout, for the jitter.
        categories: CSV of the faces' categories (`distill.data.categories`), which become subgroups.
        flip_tta: average with the prediction for the mirrored image.
        progress: show bars on standard error.
        measured: called with the evaluation before the suite, which takes minutes.
        faces: `format`, `root`, `subset`, `preset`, `boxes`, `scheme`, `limit`, `approximate` and `detector` of
            `distill.evaluate`.

    Raises:
        ConfigError: as `distill.evaluate` and `run_suite`, or a folder without videos.
        AnnotationError: as `distill.evaluate`, or a file of categories of other faces.
    """
    clips = list_videos(videos) if videos else []
    other = open_backend(teacher) if teacher else None
    backend, found, name = load(model, progress=progress, **faces)
    if categories is not None:
        found = replace(found, records=tuple(with_categories(found.records, categories)))
    result = measure(backend, found, name, flip_tta=flip_tta, progress=progress)[UNCHANGED]
    if measured is not None:
        measured(result)
    return result, run_suite(backend, found, result, other, clips, progress)


def run_suite(
    backend: Backend,
    faces: FaceSet,
    evaluation: Evaluation,
    teacher: Backend | None = None,
    videos: Sequence[Path] = (),
    progress: bool = True,
) -> dict[str, Any]:
    """Return `subgroups`, `robustness`, `calibration`, `jitter` and, with a teacher, `agreement`, ready for JSON.

    Args:
        faces: what `evaluation` was measured on.
        evaluation: of `backend` on the faces as they are.
        teacher: another model of the same landmarks.
        videos: clips that show one face throughout.

    Raises:
        ConfigError: a teacher of other points, or a video without a face.
    """
    found: dict[str, Any] = {
        "subgroups": by_subgroup(evaluation, faces),
        "robustness": robustness(backend, faces, evaluation, progress),
        "calibration": calibration(backend, faces),
    }
    if "ocular" in faces.distances:
        found["jitter"] = still_jitter(backend, faces, progress=progress)
        if videos:
            found["jitter"]["video"] = video_jitter(backend, videos, progress=progress)
    if teacher is not None:
        reference = measure(teacher, faces, "teacher", flip_tta=evaluation.protocol.flip_tta, progress=progress)
        found["agreement"] = agreement(evaluation, reference[UNCHANGED])
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
    """Return rich tables of the results of `run_suite`."""
    groups = Table(title="subgroups", title_justify="left")
    for column in ("subgroup", "faces", "NME %", "95 %", "FR@10 %"):
        groups.add_column(column, justify="left" if column == "subgroup" else "right")
    for kind, parts in suite["subgroups"].items():
        for name, v in parts.items():
            interval = f"{v['low_percent']:.2f} to {v['high_percent']:.2f}"
            groups.add_row(
                f"{kind}: {name}", str(v["faces"]), f"{v['nme_percent']:.2f}", interval, f"{v['fr10_percent']:.2f}"
            )
    robust = Table(title="NME % as photos get worse", title_justify="left")
    robust.add_column("test: level")
    robust.add_column("NME % at each level", overflow="fold")
    for test, found in suite["robustness"].items():
        points = (f"{p['level']:g}: {p['nme_percent']:.2f}" for p in found["points"])
        robust.add_row(f"{test}: {found['level']}", "   ".join(points))
    return Group(groups, robust, *_sentences(suite))


def _sentences(suite: dict[str, Any]) -> list[str]:
    lines = []
    if jitter := suite.get("jitter"):
        noise = ", ".join(f"{value:.2f} at {sigma}" for sigma, value in jitter["noise_percent"].items())
        lines.append(f"jitter (% of the eye distance): noise {noise}; motion {jitter['motion_percent']:.2f}")
    if video := (suite.get("jitter") or {}).get("video"):
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
