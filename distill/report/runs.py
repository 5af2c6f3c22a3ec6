"""`distill report`: runs side by side on one page, which opens with a verdict in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from distill.errors import AnnotationError
from distill.report.page import Report
from distill.report.sections import (
    bench_section,
    detection_section,
    export_section,
    face_map_section,
    parity_section,
    roles_section,
    suite_section,
    training_section,
)
from distill.report.sources import Source, matched
from distill.report.verdict import verdict


def build(sources: Sequence[Source], title: str, pictures: Mapping[str, bytes] | None = None) -> Report:
    """Compose the page.

    Args:
        pictures: PNGs to show by caption; only of faces that may be shown.

    Raises:
        ConfigError: evaluations that cannot be compared.
    """
    report = Report(title, ", ".join(source.name for source in sources))
    groups = matched(sources)
    report.verdict(verdict(sources, groups))
    shown = dict(pictures or {})
    for group in groups:
        evaluations = {name: evaluation for name, (evaluation, _) in group.items()}
        protocol = next(iter(evaluations.values())).protocol
        report.heading(f"Accuracy: {protocol.subset}, {protocol.boxes} boxes")
        roles_section(report, sources, evaluations)
        _figures(report, shown)
        report.evaluations(evaluations)
        face_map_section(report, evaluations)
        suites = {name: suite for name, (_, suite) in group.items() if suite}
        if suites:
            suite_section(report, suites)
    detection_section(report, sources)
    _figures(report, shown)
    training_section(report, sources)
    for source in sources:
        for section, content in (
            (export_section, source.export),
            (parity_section, source.parity),
            (bench_section, source.bench),
        ):
            if content:
                _require_whole(source.name, section, report, content)
    return report


def _figures(report: Report, pictures: dict[str, bytes]) -> None:
    """Show the pictures, once."""
    for caption in list(pictures):
        report.figure(pictures.pop(caption), caption)


def _require_whole(
    name: str, section: Callable[[Report, str, Mapping[str, Any]], None], report: Report, content: Mapping[str, Any]
) -> None:
    """Write a section, or state that the file it is made of is not as this version writes it."""
    try:
        section(report, name, content)
    except (KeyError, TypeError, IndexError) as error:
        what = content["format"]
        raise AnnotationError(f"{name}: its {what} file is not whole ({error!r}); make it again") from error
