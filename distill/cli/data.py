"""`distill data ACTION`: make generated faces, look at any faces, check them, cut them out once for training."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.cli.options import options_of, parse
from distill.data.config import FacesConfig
from distill.errors import ConfigError, suggest

if TYPE_CHECKING:
    from rich.progress import Progress

    from distill.data.check import Finding, Report
    from distill.data.records import FaceRecord


def synth(
    root: Path, count: int = 2000, seed: int = 0, size: int = 256, difficulty: float = 1.0, workers: int = 2
) -> int:
    """Write generated faces with exact landmarks and a manifest; run again to continue.

    Args:
        root: folder, empty or begun by the same command.
        count: faces; 80 % are `train`, 10 % `val`, 10 % `test`.
        seed: other seeds are other people.
        size: side of the pictures in pixels.
        difficulty: 1 is every pose, light, occluder and camera fault; 0 is frontal, evenly lit and clean.
        workers: processes.
    """
    from rich.progress import Progress

    from distill.data.synthetic import write_faces

    with Progress() as progress:
        task = progress.add_task("rendering faces", total=count)

        def show(done: int) -> None:
            progress.update(task, completed=done)

        manifest = write_faces(root, count, seed, size, workers=workers, difficulty=difficulty, progress=show)
    print(f"{manifest}: {count} faces")
    return 0


def sheet(out: Path, data: FacesConfig = FacesConfig(), count: int = 24) -> int:  # noqa: B008  frozen
    """Draw faces with their points, to see whether they were read right.

    Args:
        out: a PNG.
        data: the faces.
        count: how many, evenly spread.
    """
    from distill.data.crops import face_crops
    from distill.data.readers import parse_subsets, read_faces
    from distill.drawing import contact_sheet
    from distill.files import write_bytes
    from distill.geometry import CropSpec, denormalise
    from distill.landmarks import load_scheme
    from distill.spec import ModelSpec

    scheme = read_faces(data.format, data.root, parse_subsets(data.subset))[0].scheme
    spec = ModelSpec("none", scheme, load_scheme(scheme).n_points, CropSpec(size=192, scale=1.3))
    crops, points = face_crops(spec, count, data.format, data.root, data.subset)
    images = (crops * 255).astype("uint8")
    write_bytes(out, contact_sheet(list(images), list(denormalise(points, 192, 192)), columns=6))
    print(out)
    return 0


def check(
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    scheme: str | None = None,
    test: str | None = None,
    smallest: float = 32,
    manifest: Path | None = None,
    sheets: Path | None = None,
    json: Path | None = None,
    show: int = 3,
    workers: int = 2,
) -> int:
    """Look for what is wrong with a data set; the exit status is 1 when there is an error.

    Args:
        data: the faces; a folder before the options is `--data.root`.
        scheme: landmark scheme of the points, where the files do not say it.
        test: subsets tested on, joined by `+`; without it, those with `test` or `val` in their names.
        smallest: a face below this many pixels is told.
        manifest: list of SHA-256 sums of all files; verified if it exists, else written.
        sheets: folder for contact sheets with numbered points.
        json: write every finding here.
        show: findings of each kind on the screen.
        workers: threads.
    """
    from rich.console import Console
    from rich.progress import Progress

    from distill.data.check import CheckOptions, check_data
    from distill.data.readers import parse_subsets
    from distill.files import write_json

    options = CheckOptions(smallest=smallest, test=parse_subsets(test), hashes=manifest, workers=workers)
    console = Console()
    with Progress(console=Console(stderr=True)) as progress:
        report, records = check_data(
            data.format, data.root, parse_subsets(data.subset), scheme, options, _bars(progress)
        )
    for table in _tables(report, show):
        console.print(table)
    if sheets is not None:
        for path in _draw_sheets(sheets, records, report.findings):
            console.print(path)
    if json is not None:
        write_json(json, {"format": data.format, "subset": data.subset, **report.to_json()})
    return 1 if report.failed else 0


def _bars(progress: "Progress") -> Callable[[str, int], Callable[[], None]]:
    def start(name: str, total: int) -> Callable[[], None]:
        task = progress.add_task(name, total=total or None)
        return lambda: progress.advance(task)

    return start


def _tables(report: "Report", show: int) -> list[Any]:
    """The counts, and the findings by kind with a few examples each."""
    from rich.markup import escape
    from rich.table import Table

    counts = Table(title=f"faces by subset ({report.seconds:.0f} s)")
    for name in ("subset", "faces", "photos", "groups", "scheme", "labels", "not marked", "face px 5/50/95 %"):
        counts.add_column(name, justify="left" if name in ("subset", "scheme", "labels") else "right")
    for name, row in report.subsets.items():
        labels = ", ".join(f"{count} {kind}" for kind, count in row.labels.items())
        pixels = "/".join(f"{value:.0f}" for value in row.face_px) if row.face_px else "-"
        cells = (row.faces, row.photos, row.groups, row.scheme, labels, row.unmarked_points, pixels)
        counts.add_row(escape(name), *(escape(str(cell)) for cell in cells))
    kinds: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in report.findings:
        kinds[finding.severity, finding.check, finding.todo].append(finding)
    found = Table(title="findings", show_lines=True)
    for name in ("", "what", "n", "file: what was seen", "what to do"):
        found.add_column(name, justify="right" if name == "n" else "left", overflow="fold")
    for (severity, kind, todo), items in kinds.items():
        lines = [f"{item.file}: {item.what}" for item in items[:show]]
        lines += [f"... and {len(items) - show} more (--json)"] if len(items) > show else []
        found.add_row(severity, kind, str(len(items)), escape("\n".join(lines)), todo)
    return [counts, found] if kinds else [counts, "nothing found"]


def _draw_sheets(folder: Path, records: "Sequence[FaceRecord]", findings: "Sequence[Finding]") -> list[Path]:
    """Write `faces.png`, evenly spread, and `findings.png`, the faces something was found in."""
    import cv2

    from distill.data.check.drawing import evenly, numbered_sheet
    from distill.files import write_bytes

    found = {finding.file: finding.check for finding in reversed(findings)}
    odd = [record for record in records if record.name in found]
    written = []
    for name, faces in (("faces.png", evenly(records, 12)), ("findings.png", evenly(odd, 12))):
        picture = numbered_sheet(faces, found)
        if picture is not None:
            write_bytes(folder / name, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            written.append(folder / name)
    return written


def prepare(
    out: Path,
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    scheme: str | None = None,
    size: int = 448,
    margin: float = 2.25,
    quality: int = 95,
    detect: bool = False,
    workers: int = 2,
) -> int:
    """Cut every face out of its photo once, for faster training; run again to continue.

    Args:
        out: folder of the store, empty or begun by the same command; read it with `--data.format manifest`.
        data: the faces.
        scheme: landmark scheme of the points, where the files do not say it.
        size: largest side of a crop in pixels.
        margin: side of a crop in units of the longer side of the face box.
        quality: of the JPEG files.
        detect: also run the face detector, for `--data.boxes '[gt, detector]'` and `--boxes detector`.
        workers: threads.
    """
    from rich.progress import Progress

    from distill.data.box_sources import DETECTOR
    from distill.data.detector_boxes import with_detector_boxes
    from distill.data.prepare import StoreSpec, prepare_store
    from distill.data.readers import parse_subsets, read_faces
    from distill.detection.detector import FaceDetector

    records = read_faces(data.format, data.root, parse_subsets(data.subset), scheme)
    faces = [record for record in records if record.labels != "none"]
    with Progress() as progress:
        if detect:
            faces = with_detector_boxes(progress.track(faces, description="finding faces"), FaceDetector())
        task = progress.add_task("cutting out faces", total=len(faces))

        def show(done: int) -> None:
            progress.update(task, completed=done)

        manifest = prepare_store(out, faces, StoreSpec(size, margin, quality), workers, show)
    left_out = f", {len(records) - len(faces)} without points left out" if len(faces) < len(records) else ""
    found = f", {sum(DETECTOR in face.boxes for face in faces)} found by the detector" if detect else ""
    print(f"{manifest}: {len(faces)} faces{found}{left_out}")
    return 0


def sources(name: str | None = None, root: Path | None = None) -> int:
    """Say where public data sets are obtained and under what terms; with a folder, whether the download is complete.

    Args:
        name: one data set; without it, all of them in a table.
        root: folder it was unpacked to, to be verified; the exit status is 1 when something is missing.
    """
    from rich.console import Console

    from distill.data.dataset_catalog import describe, load_catalog, overview, verify

    console, known = Console(), load_catalog()
    if name is None:
        if root is not None:
            raise ConfigError(f"which data set should lie in {root}? {suggest('', list(known))}")
        console.print(overview(known))
        return 0
    if name not in known:
        raise ConfigError(f"unknown data set '{name}': {suggest(name, list(known))}")
    console.print(describe(known[name]))
    if root is None:
        return 0
    findings = list(verify(known[name], root))
    for finding in findings:
        console.print(f"{finding.severity}: {finding.file}: {finding.what}; {finding.todo}", markup=False)
    console.print("complete" if not findings else f"{len(findings)} things differ from the published set")
    return 1 if any(finding.severity == "error" for finding in findings) else 0


ACTIONS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "synth": (synth, ("root",)),
    "sheet": (sheet, ("out",)),
    "check": (check, ("data.root",)),
    "prepare": (prepare, ("out",)),
    "sources": (sources, ("name",)),
}


def run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        first, *others = (f"distill data {name} {names[0].upper()} [options]" for name, (_, names) in ACTIONS.items())
        print("\n".join([f"usage: {first}", *(f"       {line}" for line in others)]))
        return 0
    if argv[0] not in ACTIONS:
        raise ConfigError(f"unknown action 'data {argv[0]}': {suggest(argv[0], list(ACTIONS))}")
    action, positional = ACTIONS[argv[0]]
    description = (action.__doc__ or "").splitlines()[0]
    return action(**parse(options_of(f"data {argv[0]}", description, action, *positional), argv[1:], *positional))
