"""`distill data prepare`: cut every face out of its photo once, for faster training."""

from pathlib import Path

from distill.data.config import FacesConfig


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
        scheme: landmark scheme of the points, where the files do not name it.
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
    detected = f", {sum(DETECTOR in face.boxes for face in faces)} found by the detector" if detect else ""
    print(f"{manifest}: {len(faces)} faces{detected}{left_out}")
    return 0
